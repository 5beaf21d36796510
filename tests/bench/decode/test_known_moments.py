"""Known moments: a decoder that asks for those of the points it was lent gets what all share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from memgen_bench import DecoderSpec
from memgen_bench.decode.decoding import Activations, Extras
from memgen_bench.decode.known_moments import KnownMoments, find_known, knowing
from memgen_bench.decode.moments import moments_of
from memgen_bench.decode.shared_activations import SharedActivations, share_points

if TYPE_CHECKING:
    from memgen_bench.decode.moments import Moments

CPU = torch.device("cpu")
LABELS = np.arange(30, dtype=np.int64) % 3
POINTS = np.random.default_rng(0).normal(size=(30, 5)).astype(np.float32)
EXTRAS = Extras(
    validation_labels=LABELS, transition=np.eye(3), module=nn.Identity(), seed=0, device=CPU
)


class Asks:
    """A decoder that asks for moments, of its own points or of others."""

    def __init__(self, found: list[Moments], *, others: bool = False) -> None:
        self._found, self._others = found, others

    def fit(self, X: Any, y: Any, **needs: Any) -> None:
        own = np.roll(y, 1) if self._others else y
        self._found.append(moments_of(X, np.asarray(own)))
        self._found[-1].axes(0)

    def predict(self, X: Any) -> Any:
        return np.zeros(len(X), np.int64)


def read(shared: SharedActivations, *, arrays: Any = "numpy", others: bool = False) -> Moments:
    found: list[Moments] = []
    spec = DecoderSpec(
        name="d", summary="", build=lambda: Asks(found, others=others), arrays=arrays
    )
    outcome = shared.outcome(spec, LABELS, EXTRAS, 3)
    assert outcome.status == "ok", outcome.message
    return found[0]


def share() -> SharedActivations:
    activations = Activations(train=POINTS, sample=POINTS[:0], validation=POINTS, test=POINTS)
    return share_points(activations, LABELS, CPU)


def test_decoders_that_ask_for_moments_of_their_points_share_them() -> None:
    shared = share()
    first, second = read(shared), read(shared, arrays="torch")
    assert first is not second  # each has an account of its own
    assert first.axes(0)[1] is second.axes(0)[1]
    alone = moments_of(POINTS, LABELS)
    assert torch.equal(first.axes(0)[1], alone.axes(0)[1])
    assert torch.equal(first.within(), alone.within())


def test_other_labels_have_moments_of_their_own() -> None:
    shared = share()
    found = read(shared, others=True)
    assert torch.equal(found.means, moments_of(POINTS, np.roll(LABELS, 1)).means)
    assert not torch.equal(found.means, read(shared).means)


def test_many_points_whose_moments_are_added_up_are_not_shared() -> None:
    """Rounding would depend on what else is added up with them."""
    count = 4 * 3 * 5 + 3
    labels = np.arange(count, dtype=np.int64) % 3
    points = np.random.default_rng(0).normal(size=(count, 5)).astype(np.float32)
    activations = Activations(train=points, sample=points[:0], validation=points, test=points)
    found: list[Moments] = []
    spec = DecoderSpec(name="d", summary="", build=lambda: Asks(found))
    shared = share_points(activations, labels, CPU)
    for _ in range(2):
        assert shared.outcome(spec, labels, EXTRAS, 3).status == "ok"
    assert found[0].axes(0)[1] is not found[1].axes(0)[1]


def test_only_the_very_points_are_known_and_only_while_a_decoder_works() -> None:
    known = KnownMoments(POINTS, LABELS, moments_of(POINTS, LABELS))
    points = torch.from_numpy(POINTS)
    with knowing((known,)):
        assert find_known(points, LABELS) is not None
        assert find_known(points.clone(), LABELS) is None
        assert find_known(points[:20], LABELS[:20]) is None
        assert find_known(points, 1 - LABELS) is None
        copy = points.clone()
        known.know(copy, points)  # of another matrix
        assert find_known(copy, LABELS) is None
        known.know(copy, POINTS)
        assert find_known(copy, LABELS) is not None
    assert find_known(points, LABELS) is None


def test_only_a_decoder_that_used_them_is_charged_for_them() -> None:
    moments = moments_of(POINTS, LABELS)
    known = KnownMoments(POINTS, LABELS, moments)
    assert moments.seconds > 0 == known.seconds
    assert known.find(torch.from_numpy(POINTS), LABELS) is moments
    assert known.seconds == moments.seconds
