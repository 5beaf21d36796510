"""A results folder: its tables, and how they are written, read, verified, merged and compacted."""
