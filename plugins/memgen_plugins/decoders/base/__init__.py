"""Base classes of decoders that score every class, and of decoders that contain another one."""
