"""The plugin contract: what `memgen-bench check` and `pytest --memgen-plugin` demand, and why."""
