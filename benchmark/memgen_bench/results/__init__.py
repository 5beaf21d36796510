"""Results folders: their tables, and how they are written, read, verified, merged, compacted."""
