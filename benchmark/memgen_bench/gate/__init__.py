"""Gates: tests whether decoders became less accurate or slower than accepted."""
