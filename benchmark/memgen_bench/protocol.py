"""The constants of the protocol; changing one changes results, and so needs a new version."""

PROTOCOL_VERSION = 1

# The network's own argmax, in place of a decoder's name.
READOUT = "readout"
# The layers of raw pixels and of a network's output, and the mark of all layers together.
INPUT, LOGITS, ALL_LAYERS = "input", "logits", "*"
# The least eval-mode accuracy on its given labels of a memorized network.
MEMORIZED = 0.99
# Activations are read in batches of this many images.
FEATURE_BATCH = 500
# Train accuracy is measured on a fixed sample of at most this many points.
TRAIN_SAMPLE = 10_000
# Maps (not vectors) wider than this are average-pooled, unless a suite says otherwise.
MAX_LAYER_DIM = 4096
