"""What families of decoders share: the best class of a score, and decoders around others."""
