"""Measure what the accuracy gate catches and what it lets pass; write the tables of docs/gate.md.

    python benchmark/calibrate_gate.py

Harmless changes (threads, precisions, orders, block sizes) must pass, planted defects must not.
"""

from __future__ import annotations

import contextlib
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np
import polars as pl

from memgen_bench import DecoderSpec, load_registry
from memgen_bench.compute import as_tensor, threads
from memgen_bench.decode.moments import Adding, KeptMoments, Labelling
from memgen_bench.fixtures.fixture import Fixture, load_fixtures
from memgen_bench.gate.accuracy import compare
from memgen_bench.gate.baseline import SHIPPED, read_baseline
from memgen_bench.gate.readings import read_fixtures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from memgen_bench.decode.moments import Moments
    from memgen_bench.gate.verdicts import Verdict

PAGE = Path(__file__).parents[1] / "docs" / "gate.md"
BEGIN, END = "<!-- calibration of the gate: begin -->", "<!-- calibration of the gate: end -->"
COSTLY = 0.01 + 1e-9  # a defect that costs more must be caught; not a rounding more


@dataclass(frozen=True, kw_only=True)
class Reordered(Fixture):
    """A fixture whose training points, or units, come in another order."""

    seed: int
    units: bool = False

    def points(self, layer: str) -> tuple[Any, Any, Any]:
        """Return a layer's activations of the training, validation and test points."""
        train, validation, test = super().points(layer)
        if self.units:
            order = np.random.default_rng(self.seed).permutation(train.shape[1])
            return train[:, order], validation[:, order], test[:, order]
        return train[self._order()], validation, test

    def labels(self, draw: int) -> tuple[Any, Any]:
        """Return a draw's labels of the training and of the validation points."""
        train, validation = super().labels(draw)
        return (train if self.units else train[self._order()]), validation

    def _order(self) -> Any:
        return np.random.default_rng(self.seed).permutation(self.sizes[0])


@dataclass(frozen=True, kw_only=True)
class Doubled(Fixture):
    """A fixture whose activations are float64."""

    def points(self, layer: str) -> tuple[Any, Any, Any]:
        """Return a layer's activations of the training, validation and test points."""
        train, validation, test = (each.astype(np.float64) for each in super().points(layer))
        return train, validation, test


def remade(kind: type[Fixture], **more: Any) -> Callable[[Fixture], Fixture]:
    """Return a maker of changed fixtures."""
    return lambda fixture: kind(**vars(fixture), **more)


@contextmanager
def blocks_of(rows: int) -> Iterator[None]:
    """Compute in blocks of so many rows."""
    with contextlib.ExitStack() as stack:
        for module in ("compute", "decode.moments", "decode.neighbors"):
            stack.enter_context(mock.patch(f"memgen_bench.{module}.block_rows", return_value=rows))
        yield


def added_up(X: Any, y: Any) -> Moments:
    """Return moments that were added up, whatever the shapes."""
    X, labelling = as_tensor(X), Labelling({"true": np.asarray(y)}, frozenset({"true"}))
    adding = Adding(labelling, num_classes=10, dim=X.shape[1], device=X.device)
    adding.add(X)
    return adding.moments("true")


@contextmanager
def float32_moments() -> Iterator[None]:
    """Round second moments to float32."""
    exact = KeptMoments.second
    rounded = lambda self, k: exact(self, k).float().double()  # noqa: E731 - a method's place
    with mock.patch.object(KeptMoments, "second", rounded):
        yield


def same(fixture: Fixture) -> Fixture:
    """Leave a fixture as it is."""
    return fixture


MOMENTS = "memgen_bench.decode.shared_activations.moments_of"
# name, how often, what is changed around the readings, and what of the fixtures
HARMLESS: list[tuple[str, list[tuple[Callable[[], Any], Callable[[Fixture], Fixture]]]]] = [
    ("2 and 4 threads", [(partial(threads, n), same) for n in (2, 4)]),
    (
        "blocks of 100, 500 and 3,000 points",
        [(partial(blocks_of, n), same) for n in (100, 500, 3000)],
    ),
    ("activations in float64", [(contextlib.nullcontext, remade(Doubled))]),
    ("moments added up in float64", [(lambda: mock.patch(MOMENTS, added_up), same)]),
    ("moments rounded to float32", [(float32_moments, same)]),
    (
        "training points in another order",
        [(contextlib.nullcontext, remade(Reordered, seed=seed)) for seed in range(5)],
    ),
    (
        "units in another order",
        [(contextlib.nullcontext, remade(Reordered, seed=seed, units=True)) for seed in range(4)],
    ),
]


class Planted:
    """A decoder that sees its training points, or those to predict, wrongly."""

    def __init__(self, spec: DecoderSpec, defect: str) -> None:
        self.spec, self.defect = spec, defect

    def fit(self, X: Any, y: Any, **_: Any) -> Planted:
        """Fit the decoder on what the defect makes of X and y."""
        X, y = np.array(X), np.array(y)
        if self.defect == "a class dropped":
            X, y = X[y != 3], y[y != 3]
        if self.defect == "labels shifted by one in 2 % of points":
            y = np.where(np.random.default_rng(0).random(len(y)) < 0.02, (y + 1) % 10, y)
        if self.defect == "normalisation forgotten":
            X = (X - X.mean(axis=0)) / np.maximum(X.std(axis=0), 1e-6)
        if self.defect == "normalised along the wrong axis":
            X = X / np.maximum(np.linalg.norm(X, axis=0), 1e-6)
        self.decoder: Any = self.spec.build()
        self.decoder.fit(X, y)
        return self

    def predict(self, X: Any) -> Any:
        """Predict; the training points' normalisation is not applied."""
        if self.defect == "normalised along the wrong axis":
            X = X / np.maximum(np.linalg.norm(X, axis=1, keepdims=True), 1e-6)
        return self.decoder.predict(X)


GENERAL = (
    "a class dropped",
    "labels shifted by one in 2 % of points",
    "normalisation forgotten",
    "normalised along the wrong axis",
)


def one_less(spec: DecoderSpec, more: int) -> DecoderSpec:
    """Return a subspace decoder that takes so many axes more than it should."""

    def build() -> Any:
        decoder: Any = spec.build()
        right = decoder._needed
        decoder._needed = lambda values: min(max(right(values) + more, 1), len(values))
        return decoder

    return replace(spec, build=build)


def defects(specs: Sequence[DecoderSpec]) -> Iterator[tuple[str, list[DecoderSpec]]]:
    """Yield each planted defect, and the decoders that have it."""
    for defect in GENERAL:
        build = [partial(Planted, spec, defect) for spec in specs]
        yield (
            defect,
            [
                DecoderSpec(name=spec.name, summary="", build=each)
                for spec, each in zip(specs, build, strict=True)
            ],
        )
    subspaces = [spec for spec in specs if hasattr(spec.build(), "_needed")]
    for more in (-1, 1):
        yield f"p off by one ({more:+d})", [one_less(spec, more) for spec in subspaces]


def verdicts(
    specs: Sequence[DecoderSpec],
    fixtures: Sequence[Fixture],
    around: Callable[[], Any] = contextlib.nullcontext,
    change: Callable[[Fixture], Fixture] = same,
) -> list[Verdict]:
    """Return what the gate says of decoders under a change."""
    with threads(1), around():
        readings = list(read_fixtures(specs, [change(fixture) for fixture in fixtures]))
    names = {fixture.name: fixture for fixture in fixtures}
    accepted = read_baseline(SHIPPED).filter(pl.col("fixture").is_in(list(names)))
    return compare(readings, names, accepted)


def harmless_table(specs: Sequence[DecoderSpec], fixtures: Sequence[Fixture]) -> Iterator[str]:
    """Yield the table of harmless changes: a change is one decoder under one of them."""
    yield "| harmless change | changes to a decoder | fail | drift | predictions changed, at most |"
    yield "|---|--:|--:|--:|--:|"
    total = failed = 0
    for name, ways in HARMLESS:
        found = [verdicts(specs, fixtures, around, change) for around, change in ways]
        fails, drifts = (
            sum(
                any(v.outcome == outcome for v in each if v.decoder == spec.name)
                for each in found
                for spec in specs
            )
            for outcome in ("regression", "drift")
        )
        most = max(verdict.changed or 0 for each in found for verdict in each)
        count = len(ways) * len(specs)
        total, failed = total + count, failed + fails
        yield f"| {name} | {count} | {fails} | {drifts} | {100 * most:.2f} % |"
    yield f"| all | {total} | {failed} | | |"


def defect_table(specs: Sequence[DecoderSpec], fixtures: Sequence[Fixture]) -> Iterator[str]:
    """Yield the table of planted defects on Fashion-MNIST, by what they cost."""
    yield "| planted defect | decoder × fixture | cost over 1 point | caught | others caught |"
    yield "|---|--:|--:|--:|--:|"
    for name, broken in defects(specs):
        found = verdicts(broken, fixtures)
        costly = [v for v in found if (v.before or 0) - (v.after or 0) > COSTLY]
        caught, all_caught = (
            sum(verdict.outcome == "regression" for verdict in group) for group in (costly, found)
        )
        row = (name, len(found), len(costly), caught, all_caught - caught)
        yield f"| {' | '.join(map(str, row))} |"


def main() -> None:
    """Measure, and put the tables into the page."""
    decoders = load_registry().decoders
    accepted = set(read_baseline(SHIPPED)["decoder"])
    specs = [decoders[name] for name in decoders if name in accepted]
    scored = [fixture for fixture in load_fixtures() if not fixture.null]
    fashion = [each for each in scored if each.about["dataset"] == "fashion-mnist"]
    names = ", ".join(f"`{fixture.name}`" for fixture in scored)
    tables = [
        f"{len(specs)} decoders on {names}; defects on those of Fashion-MNIST.",
        "\n".join(harmless_table(specs, scored)),
        "\n".join(defect_table(specs, fashion)),
    ]
    before, _, rest = PAGE.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n" + "\n\n".join(tables) + f"\n{END}{after}")
    print("\n\n".join(tables))


if __name__ == "__main__":
    main()
