"""The decoders that ship with memgen-bench: a catalogue of names, and their classes."""
