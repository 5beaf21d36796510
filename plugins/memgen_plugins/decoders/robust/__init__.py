"""Decoders that are made for noisy labels."""
