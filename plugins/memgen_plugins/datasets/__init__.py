"""Data sets that ship, and the formats that they are read from."""
