"""Shared activations: a decoder gets what it asks for, and what is computed is computed once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from torch import nn

from memgen_bench import DecoderSpec
from memgen_bench.decode import shared_activations
from memgen_bench.decode.decoding import Activations, Extras
from memgen_bench.decode.moments import moments_of
from memgen_bench.decode.neighbors import Neighbors
from memgen_bench.decode.shared_activations import (
    SharedActivations,
    is_fitted_from_moments,
    share_points,
)

if TYPE_CHECKING:
    from memgen_bench.decode.decoding import Outcome
    from memgen_bench.decode.moments import Moments

K = 3
CPU = torch.device("cpu")
LABELS = np.arange(30, dtype=np.int64) % K
POINTS = np.eye(K, 5, dtype=np.float32)[LABELS] + np.float32(0.1)
EXTRAS = Extras(
    validation_labels=LABELS, transition=np.eye(K), module=nn.Identity(), seed=0, device=CPU
)


@dataclass
class Witness:
    """A decoder that remembers how it was fitted; it predicts the first label."""

    got: dict[str, Any] = field(default_factory=dict)

    def fit(self, X: Any, y: Any, **needs: Any) -> None:
        self.got |= {"X": X, "y": y, **needs}

    def predict(self, X: Any) -> Any:
        return np.zeros(len(X), np.int64)


class FromMoments(Witness):
    def fit_moments(self, moments: Moments, **needs: Any) -> None:
        self.got |= {"moments": moments, **needs}


def spec(witness: Witness, **fields: Any) -> DecoderSpec:
    return DecoderSpec(name="d", summary="", build=lambda: witness, **fields)


def outcome(shared: SharedActivations, decoder: DecoderSpec) -> Outcome:
    found = shared.outcome(decoder, LABELS, EXTRAS, K)
    assert found.status == "ok", found.message
    return found


def share() -> SharedActivations:
    activations = Activations(train=POINTS, sample=POINTS[:0], validation=POINTS, test=POINTS)
    return share_points(activations, LABELS, CPU)


def test_only_a_decoder_that_is_fitted_from_moments_gets_them_instead_of_points() -> None:
    from_points, from_moments = Witness(), FromMoments()
    for witness in (from_points, from_moments):
        outcome(share(), spec(witness))
    assert set(from_points.got) == {"X", "y"}
    assert (from_points.got["y"] == LABELS).all()
    assert set(from_moments.got) == {"moments"}
    expected = moments_of(POINTS, LABELS)
    assert torch.equal(from_moments.got["moments"].means, expected.means)


def test_moments_that_nobody_shares_are_not_missed() -> None:
    witness = FromMoments()
    alone = SharedActivations(activations=share().activations)
    outcome(alone, spec(witness))
    assert set(witness.got) == {"X", "y"}


def test_neighbours_are_for_those_that_name_them() -> None:
    plain, asking = Witness(), Witness()
    outcome(share(), spec(plain))
    outcome(share(), spec(asking, needs=("neighbors",)))
    assert "neighbors" not in plain.got
    assert isinstance(asking.got["neighbors"], Neighbors)


@pytest.mark.parametrize("made", ["moments_of", "Neighbors"])
def test_what_decoders_share_is_computed_once_and_each_has_an_account_of_its_own(
    made: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    maker = Mock(wraps=getattr(shared_activations, made))
    monkeypatch.setattr(shared_activations, made, maker)
    shared, witnesses = share(), [FromMoments() for _ in range(2)]
    assert maker.call_count == 0  # nobody has asked
    for witness in witnesses:
        outcome(shared, spec(witness, needs=("neighbors",)))
    assert maker.call_count == 1
    for extra in ("moments", "neighbors"):
        first, second = (witness.got[extra] for witness in witnesses)
        assert first is not second


def test_what_is_fitted_from_moments() -> None:
    assert is_fitted_from_moments(spec(FromMoments()))
    assert not is_fitted_from_moments(spec(Witness()))
    assert not is_fitted_from_moments(spec(FromMoments(), scope="network"))


def test_a_decoder_that_cannot_be_built_says_so_in_its_outcome() -> None:
    def build() -> Any:
        raise RuntimeError("no licence")

    broken = DecoderSpec(name="d", summary="", build=build)
    assert not is_fitted_from_moments(broken)
    found = share().outcome(broken, LABELS, EXTRAS, K)
    assert (found.status, found.message) == ("failed", "RuntimeError: no licence")
