"""Rings of four sizes, and a small network for them."""
