"""Decoding: activations of a network, their moments and neighbours, and decoders fitted on them."""
