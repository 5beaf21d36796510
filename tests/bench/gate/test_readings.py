"""Decoders on fixtures: what they get, and what becomes of those that get what they may not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from memgen_bench import DecoderSpec
from memgen_bench.decode.decoding import CHANGED
from memgen_bench.fixtures.fixture import load_fixtures
from memgen_bench.gate.readings import FixtureReading, read_fixtures

if TYPE_CHECKING:
    from memgen_bench.decode.moments import Moments

pytestmark = pytest.mark.usefixtures("one_thread")

FIXTURES = [each for each in load_fixtures() if not each.null]
DIGITS = next(each for each in FIXTURES if each.about["dataset"] == "digits")


class Ones:
    """Predicts the label 1."""

    def fit(self, X: Any, y: Any, **_: Any) -> Ones:
        return self

    def predict(self, X: Any) -> Any:
        return np.ones(len(X), np.int64)


def test_a_decoder_that_needs_the_network_is_skipped_and_says_why() -> None:
    spec = DecoderSpec(name="n", summary="", build=Ones, needs=("network",))
    first = FIXTURES[0]
    readings = list(read_fixtures([spec], [first]))
    assert {reading.status for reading in readings} == {"skipped"}
    assert "needs the network" in str(readings[0].message)


def test_a_decoder_of_all_layers_gets_those_of_the_network() -> None:
    seen: list[list[str]] = []

    class All(Ones):
        def fit(self, X: Any, y: Any, **_: Any) -> Ones:
            seen.append(list(X))
            return super().fit(X["fc3"], y)

        def predict(self, X: Any) -> Any:
            return super().predict(X["fc3"])

    spec = DecoderSpec(name="all", summary="", build=All, scope="network")
    fixture = next(each for each in FIXTURES if "input" in each.layers)
    readings = list(read_fixtures([spec], [fixture]))
    assert [reading.layer for reading in readings] == ["*"]
    assert seen == [[layer for layer in fixture.layers if layer != "input"]]


def test_decoders_of_one_layer_share_moments() -> None:
    seen: list[int] = []

    class FromMoments(Ones):
        def fit_moments(self, moments: Moments) -> None:
            seen.append(moments.axes(0)[1].data_ptr())

    specs = [DecoderSpec(name=name, summary="", build=FromMoments) for name in ("a", "b")]
    readings = list(read_fixtures(specs, [DIGITS]))
    assert [reading.status for reading in readings] == ["ok"] * 2 * len(DIGITS.layers)
    assert seen[::2] == seen[1::2]


class Spoiling(Ones):
    """Writes to the points that it shares with others."""

    def fit(self, X: Any, y: Any, **_: Any) -> Ones:
        for matrix in X.values() if isinstance(X, dict) else [X]:
            matrix.zero_()
        return self


class FarFromZero(Ones):
    """Tells points by how far they are from the origin, in units of the training points' mean."""

    def fit(self, X: Any, y: Any, **_: Any) -> Ones:
        self.mean = self._lengths(X).mean()
        return self

    def predict(self, X: Any) -> Any:
        return (2 * self._lengths(X) / self.mean).astype(np.int64) % 10

    def _lengths(self, X: Any) -> Any:
        matrix = next(iter(X.values())) if isinstance(X, dict) else X
        return np.linalg.norm(matrix, axis=1)


@pytest.mark.parametrize("scope", ["layer", "network"])
def test_a_decoder_that_writes_fails_and_the_next_gets_what_is_in_the_fixture(scope: Any) -> None:
    def read(*specs: DecoderSpec) -> dict[str, list[FixtureReading]]:
        found: dict[str, list[FixtureReading]] = {}
        for reading in read_fixtures(specs, [DIGITS]):
            found.setdefault(reading.decoder, []).append(reading)
        return found

    writer = DecoderSpec(name="writer", summary="", build=Spoiling, scope=scope, arrays="torch")
    other = DecoderSpec(name="other", summary="", build=FarFromZero, scope=scope)
    alone, after = read(other), read(writer, other)
    assert {(each.status, each.message) for each in after["writer"]} == {("failed", CHANGED)}
    for first, second in zip(alone["other"], after["other"], strict=True):
        assert first.predicted is not None
        assert second.predicted is not None
        assert (first.predicted == second.predicted).all()
