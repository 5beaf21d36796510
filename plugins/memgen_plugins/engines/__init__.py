"""Engines that ship: this process, child processes, and a Dask cluster."""
