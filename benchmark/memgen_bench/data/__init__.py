"""Data sets, their splits, and their corrupted labels."""
