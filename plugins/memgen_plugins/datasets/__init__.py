"""The data sets that ship with memgen-bench, and readers for their file formats."""
