"""The engines that ship with memgen-bench: this process, child processes, a Dask cluster."""
