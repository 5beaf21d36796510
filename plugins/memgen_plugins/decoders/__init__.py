"""Decoders that ship: a catalogue of names, and the families that they are built from."""
