"""The decoder `soft-voting`: all training points vote, similar ones more."""

import numpy as np

from memgen_bench import DecoderSpec, hookimpl

BLOCK = 512  # points predicted at a time


class SoftVoting:
    """Vote for each class with the sum of exp(sharpness · cosine) over its training points.

    Args:
        sharpness: How much more a similar point counts; the larger, the nearer to one neighbour.
    """

    def __init__(self, sharpness=20.0):
        self.sharpness = sharpness

    def get_params(self, deep=True):
        """Return the parameters, which are stored with every reading."""
        return {"sharpness": self.sharpness}

    def set_params(self, sharpness):
        """Replace the parameters."""
        self.sharpness = sharpness
        return self

    def fit(self, X, y):
        """Keep the training points, N×D, and which class each of them votes for, N×K."""
        self.classes_, index = np.unique(y, return_inverse=True)
        self.points_ = unit(X)
        self.votes_ = np.eye(len(self.classes_))[index]
        return self

    def predict(self, X):
        """Return the class with the most votes, for each row."""
        blocks = np.split(X, range(BLOCK, len(X), BLOCK))
        return np.concatenate([self._elected(block) for block in blocks])

    def _elected(self, X):
        weights = np.exp(self.sharpness * (unit(X) @ self.points_.T - 1))
        return self.classes_[(weights @ self.votes_).argmax(axis=1)]


def unit(X):
    """Return rows of length 1; zero rows stay as they are."""
    X = np.asarray(X, dtype=np.float64)
    length = np.linalg.norm(X, axis=1, keepdims=True)
    return X / np.where(length == 0, 1, length)


@hookimpl
def register_decoders():
    """Offer `soft-voting`."""
    return [
        DecoderSpec(
            name="soft-voting",
            summary="all training points vote, by a softmax of cosines, sharpness 20",
            citation="Nadaraya 1964; Watson 1964",
            build=SoftVoting,
        )
    ]
