"""From a network to predictions: activations, moments, neighbours, and decoders fitted on them."""
