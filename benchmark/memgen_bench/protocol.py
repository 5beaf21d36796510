"""The constants of the protocol; changing one changes results, and so needs a new version."""

# The rules by which readings are planned and made; part of every key. Readings of several versions
# are never mixed.
PROTOCOL_VERSION = 2
# The rules by which networks are trained and fixtures are frozen; part of every trained network's
# identity.
TRAINING_VERSION = 1
# The rules by which running statistics of untrained networks are estimated; part of their identity.
STATISTICS_VERSION = 1

# The network's own argmax, in place of a decoder's name.
READOUT = "readout"
# The layers of a network's input and output, and the mark of all layers together.
INPUT, LOGITS, ALL_LAYERS = "input", "logits", "*"
# The only layer of label-free features of the images.
FEATURES = "features"
# The least eval-mode accuracy of a memorized network on its given labels, and on the wrong ones
# among them.
MEMORIZED = 0.99
# Activations are read in batches of this many images.
FEATURE_BATCH = 500
# Train accuracy is measured on a fixed sample of at most this many points.
TRAIN_SAMPLE = 1_000
# Maps (not vectors) wider than this are average-pooled, unless a suite says otherwise.
MAX_LAYER_DIM = 4096
