"""A run: what is missing is computed, and stored as it comes."""
