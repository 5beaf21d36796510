"""The constants of the protocol; a change here makes other numbers, and so another version."""

PROTOCOL_VERSION = 1

# The network's own argmax; stands where a decoder's name stands.
READOUT = "readout"
# The raw pixels and the output of every network, and a decoder that reads all layers at once.
INPUT, LOGITS, ALL_LAYERS = "input", "logits", "*"
# A network counts as memorized from this eval-mode accuracy on its given labels on.
MEMORIZED = 0.99
# Activations are read in batches of this many images.
FEATURE_BATCH = 500
# Train accuracy is taken on a fixed sample of at most this many points.
TRAIN_SAMPLE = 10_000
# Maps (not vectors) wider than this are average-pooled, unless a suite says otherwise.
MAX_LAYER_DIM = 4096
