"""Decoders of a whole network: all its layers, its weights, or an epoch of its training."""
