"""The plugin contract: the checks of `memgen-bench check` and `pytest --memgen-plugin`."""
