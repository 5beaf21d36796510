"""Decoders of one layer."""
