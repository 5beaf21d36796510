"""The models, data sets, decoders, noises and engines of memgen-bench, all ordinary plugins."""
