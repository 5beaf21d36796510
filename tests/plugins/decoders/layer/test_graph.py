"""Label spreading against its closed form."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.neighbors import kneighbors_graph

from helpers.noisy_digits import TEST, TEST_TRUE, X, Y, agree
from memgen_plugins.decoders.layer.graph import LabelSpreading
from memgen_plugins.decoders.layer.neighbors import CosineNeighbors

pytestmark = pytest.mark.usefixtures("one_thread")


def test_spreading_ends_at_its_closed_form() -> None:
    fitted = LabelSpreading(n_neighbors=7, alpha=0.8).fit(X, Y)
    adjacency = kneighbors_graph(X, 7, metric="cosine").toarray()
    adjacency = np.maximum(adjacency, adjacency.T)
    degree = adjacency.sum(axis=1)
    smooth = adjacency / np.sqrt(np.outer(degree, degree))
    expected = 0.2 * np.linalg.solve(np.eye(len(X)) - 0.8 * smooth, np.eye(10)[Y])
    np.testing.assert_allclose(fitted.scores_, expected, atol=1e-4)
    assert np.mean(fitted.predict(TEST) == TEST_TRUE) > 0.9  # half of the labels were redrawn
    nothing = LabelSpreading(n_neighbors=7, alpha=0.0).fit(X, Y)
    agree(nothing, CosineNeighbors(7).fit(X, Y))
