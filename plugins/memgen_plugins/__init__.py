"""The models, data sets, decoders and noises that memgen-bench ships; ordinary plugins all."""
