"""Decoders for noisy labels."""
