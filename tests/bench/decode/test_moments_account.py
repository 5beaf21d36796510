"""The seconds that a decoder is charged for moments which others use, too."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from helpers.known_moments import FORMS, GIVEN, SETTINGS, TRUE, K, X, added, kept
from memgen_bench.decode import moments

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

    from memgen_bench.decode.moments import Moments

pytestmark = pytest.mark.usefixtures("one_thread")


class Clock:
    """A clock that moves when a computation ends, by one second, and at no other time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(moments, "time", SimpleNamespace(perf_counter=lambda: self.now))
        monkeypatch.setattr(moments, "finish", self._finish)

    def _finish(self, device: torch.device) -> None:
        self.now += 1

    def spent(self, view: Moments, use: Callable[[Moments], Any]) -> float:
        """Return what a decoder is charged: what it took, and what its view says beside."""
        started = self.now
        use(view)
        return self.now - started + view.seconds


USES: dict[str, Callable[[Moments], Any]] = {
    "nothing": lambda m: m.means,
    "axes of one class": lambda m: m.axes(1),
    "axes": lambda m: [m.axes(k) for k in range(K)],
    "axes twice": lambda m: [m.axes(k) for k in (*range(K), *range(K))],
    "covariances": lambda m: [m.covariance(k) for k in range(K)],
    "within": lambda m: m.within(),
    "total": lambda m: (m.total(), m.mean()),
    "within and a second moment": lambda m: (m.within(), m.second(0)),
    "shared": lambda m: m.shared("trace", lambda: m.within().trace()),
    "axes and within": lambda m: (m.axes(0), m.within()),
}


@pytest.mark.parametrize("first", USES)
@pytest.mark.parametrize("form", FORMS)
def test_a_decoder_is_charged_the_same_whoever_came_before(
    form: str, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    for use in USES.values():
        alone = clock.spent(FORMS[form](X, GIVEN), use)
        shared = FORMS[form](X, GIVEN)
        clock.spent(shared.for_decoder(), USES[first])
        assert clock.spent(shared.for_decoder(), use) == alone


def of_span(moments: Moments) -> Moments:
    found = moments.along_span()
    assert found is not None
    return found[2]


OF_FEW: dict[str, Callable[[Moments], Any]] = {
    "the span": of_span,
    "within it": lambda m: of_span(m).within(),
    "within it, shared": lambda m: m.shared("trace", lambda: of_span(m).within().trace()),
    "both": lambda m: (OF_FEW["within it, shared"](m), OF_FEW["within it"](m), m.within()),
}


@pytest.mark.parametrize("first", OF_FEW)
def test_what_is_computed_along_the_span_is_charged_once(
    first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    few = np.tile(X[:16], 2)
    for use in OF_FEW.values():
        alone = clock.spent(kept(few, TRUE[:16]), use)
        shared = kept(few, TRUE[:16])
        clock.spent(shared.for_decoder(), OF_FEW[first])
        assert clock.spent(shared.for_decoder(), use) == alone
        assert clock.spent(shared.for_decoder(), OF_FEW["the span"]) == 1


def test_what_was_computed_is_charged_and_not_computed_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock(monkeypatch)
    shared = kept(X, GIVEN)
    axes = USES["axes"]
    charged = clock.spent(shared.for_decoder(), axes)
    assert charged >= 1
    then = clock.now
    view = shared.for_decoder()
    axes(view)
    assert clock.now == then
    assert view.seconds == charged


@pytest.mark.parametrize("form", FORMS)
def test_views_have_accounts_of_their_own(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Clock(monkeypatch)
    shared = FORMS[form](X, GIVEN)
    adding = shared.seconds
    first, second = shared.for_decoder(), shared.for_decoder()
    USES["axes"](first)
    USES["axes"](second)
    assert second.seconds > adding
    assert (first.seconds, shared.seconds) == (adding, adding)
    assert shared.for_decoder().seconds == adding
    assert type(second) is type(shared)


def test_adding_up_is_charged_to_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    Clock(monkeypatch)
    adding = added(X, SETTINGS)
    found = [adding.moments(setting).for_decoder().seconds for setting in SETTINGS]
    assert found[0] == found[1] > 0
