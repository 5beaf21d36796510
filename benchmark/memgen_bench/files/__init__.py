"""Files: written whole or not at all, checked when read, and where they are by default."""
