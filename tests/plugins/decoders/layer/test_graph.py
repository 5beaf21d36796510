"""Label spreading against its closed form."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import scipy.sparse.linalg
from sklearn.neighbors import kneighbors_graph

from helpers.noisy_digits import TEST, TEST_TRUE, X, Y
from memgen_plugins.decoders.layer.graph import LabelSpreading
from memgen_plugins.decoders.layer.neighbors import CosineNeighbors

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("alpha", [0.8, 0.99])
def test_spreading_ends_at_its_closed_form(alpha: float) -> None:
    fitted = LabelSpreading(n_neighbors=7, alpha=alpha).fit(X, Y)
    adjacency = kneighbors_graph(X, 7, metric="cosine").toarray()
    adjacency = np.maximum(adjacency, adjacency.T)
    degree = adjacency.sum(axis=1)
    smooth = adjacency / np.sqrt(np.outer(degree, degree))
    inverse = np.linalg.inv(np.eye(len(X)) - alpha * smooth)
    expected = (1 - alpha) * inverse @ np.eye(10)[Y]
    np.testing.assert_allclose(fitted.scores_, expected, atol=1e-8)
    assert np.mean(fitted.predict(TEST) == TEST_TRUE) > 0.9  # half of the labels were redrawn


def test_without_spreading_neighbours_vote() -> None:
    neighbors = CosineNeighbors(7).fit(X, Y)
    nothing = LabelSpreading(n_neighbors=7, alpha=0.0).fit(X, Y)
    votes = np.sort(neighbors.decision_function(TEST).round(), axis=1)
    clear = votes[:, -1] > votes[:, -2]
    assert (nothing.predict(TEST) == neighbors.predict(TEST))[clear].all()
    assert clear.mean() > 0.8


def test_a_solution_that_is_not_found_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    few = partial(scipy.sparse.linalg.cg, maxiter=2)
    monkeypatch.setattr(scipy.sparse.linalg, "cg", few)
    with pytest.raises(np.linalg.LinAlgError, match="did not converge for 700 points"):
        LabelSpreading(n_neighbors=7, alpha=0.99).fit(X, Y)
