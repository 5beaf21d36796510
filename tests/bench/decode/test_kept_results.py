"""Small results of a layer's moments are kept for decoders of the whole network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from helpers.known_moments import GIVEN, K, X, kept
from memgen_plugins.decoders.layer import gaussian
from memgen_plugins.decoders.layer.gaussian import ShrunkLDA

if TYPE_CHECKING:
    from helpers.reading_lab import Lab

pytestmark = pytest.mark.usefixtures("one_thread")


def test_only_small_results_that_are_tensors_are_kept() -> None:
    moments = kept(X, GIVEN)
    trace = moments.shared("trace", lambda: moments.within().trace())
    moments.shared("pair", lambda: (trace, trace))
    moments.shared("large", lambda: torch.zeros(1024, 1024, dtype=torch.float64))
    moments.shared("other", lambda: {"a": trace})
    found = set(moments.small_results())
    assert {"within", "shared: trace", "shared: pair"} <= found
    assert not {"shared: large", "shared: other"} & found


def test_remembered_results_are_not_computed_again_and_are_charged() -> None:
    first, second = kept(X, GIVEN), kept(X, GIVEN)
    fitted = ShrunkLDA().fit_moments(first.for_decoder())
    second.remember(first.small_results())
    view = second.for_decoder()

    def fail() -> Any:
        raise AssertionError

    assert view.shared("tied scores", fail)[0].shape == (K, X.shape[1])
    assert view.seconds > second.seconds
    again = ShrunkLDA().fit_moments(second.for_decoder())
    assert (again.coef_ == fitted.coef_).all()


def test_an_ensemble_takes_what_its_layers_had(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """And it predicts what it does where nobody was before."""
    computed: list[int] = []
    tied = gaussian.tied

    def counted(moments: Any) -> Any:
        computed.append(moments.dim)
        return tied(moments)

    monkeypatch.setattr(gaussian, "tied", counted)
    together = lab.read(["lda-shrunk", "ensemble-lda"])
    of_layers = len(computed)
    computed.clear()
    alone = lab.read(["ensemble-lda"])
    assert computed
    computed.clear()
    lab.read(["lda-shrunk"])
    assert of_layers == len(computed)
    for key, outcome in alone.items():
        if (wanted := outcome.predictions) is not None:
            found = together[key].predictions
            assert found is not None
            np.testing.assert_array_equal(found.test, wanted.test)
            np.testing.assert_array_equal(found.train, wanted.train)
