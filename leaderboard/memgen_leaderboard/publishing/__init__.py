"""Results made ready for any static host or data hub."""
