"""The label-free features `my-plugin`: the absolute spectrum of an image."""

import numpy as np

from memgen_bench import FeaturesSpec, hookimpl


class MyPlugin:
    """The absolute 2-D spectrum of each channel, which does not change when an image is shifted."""

    def fit(self, images, seed):
        """Learn nothing from training images (N×C×H×W); labels are never seen."""
        return self

    def transform(self, images):
        """Return the features of images, N × the shape below."""
        return np.abs(np.fft.rfft2(images)).astype(np.float32)


def shape(task):
    """Return the shape of the features of one image."""
    return (task.channels, task.height, task.width // 2 + 1)


@hookimpl
def register_features():
    """Offer `my-plugin`."""
    return [
        FeaturesSpec(
            name="my-plugin",
            summary="absolute spectrum of each channel",
            build=MyPlugin,
            shape=shape,
        )
    ]
