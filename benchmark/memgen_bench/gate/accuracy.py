"""The accuracy gate: readings of fixtures against a baseline."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from memgen_bench.gate.regression import Comparison, judge, judge_null
from memgen_bench.gate.verdicts import Verdict, accepting

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from memgen_bench.fixtures.fixture import Fixture
    from memgen_bench.gate.readings import FixtureReading


def compare(
    readings: Iterable[FixtureReading],
    fixtures: Mapping[str, Fixture],
    baseline: pl.DataFrame,
    missing: Iterable[str] = (),
) -> list[Verdict]:
    """Compare readings with the accepted ones.

    Args:
        readings: Readings of all decoders on all fixtures.
        fixtures: The fixtures by name.
        baseline: The accepted predictions.
        missing: Decoders of the baseline that should be measured but are not registered.
    """
    verdicts = [
        Verdict(
            decoder=name,
            fixture="-",
            outcome="missing",
            message=f"in the baseline, but not registered; {accepting(name)} drops it",
        )
        for name in missing
    ]
    for decoder, own in _grouped(readings, "decoder"):
        accepted = baseline.filter(pl.col("decoder") == decoder)
        verdicts += _of_decoder(decoder, own, fixtures, accepted)
    return sorted(verdicts, key=lambda verdict: (verdict.decoder, verdict.fixture))


def _of_decoder(
    decoder: str, own: list[FixtureReading], fixtures: Mapping[str, Fixture], accepted: pl.DataFrame
) -> Iterator[Verdict]:
    comparisons = []
    for name, found in _grouped(own, "fixture"):
        if fixtures[name].null:
            yield _null(decoder, fixtures[name], found)
            continue
        rows = accepted.filter(pl.col("fixture") == name)
        match _compare(decoder, fixtures[name], found, rows):
            case Comparison() as comparison:
                comparisons.append(comparison)
            case Verdict() as verdict:
                yield verdict
    yield from judge(comparisons)
    for name in sorted(set(accepted["fixture"]) - fixtures.keys()):
        message = f"the fixture is not there; get it, or {accepting(decoder)}"
        yield Verdict(decoder=decoder, fixture=name, outcome="missing", message=message)


def _grouped(
    readings: Iterable[FixtureReading], key: str
) -> Iterator[tuple[str, list[FixtureReading]]]:
    ordered = sorted(readings, key=lambda reading: str(getattr(reading, key)))
    for name, group in groupby(ordered, key=lambda reading: str(getattr(reading, key))):
        yield name, list(group)


def _compare(
    decoder: str, fixture: Fixture, found: Sequence[FixtureReading], rows: pl.DataFrame
) -> Comparison | Verdict:
    """Return the comparison to judge, or a verdict where nothing can be compared."""

    def verdict(outcome: str, message: str) -> Verdict:
        return Verdict(decoder=decoder, fixture=fixture.name, outcome=outcome, message=message)

    if rows.is_empty():
        return verdict("new", f"not in the baseline; {accepting(decoder)}")
    if set(rows["fixture_sha256"]) != {fixture.sha256}:
        return verdict("missing", f"accepted on another fixture of this name; {accepting(decoder)}")
    then = {row["layer"]: row for row in rows.iter_rows(named=True)}
    now = {reading.layer: reading for reading in found}
    if then.keys() != now.keys():
        return verdict("missing", f"accepted on other layers; {accepting(decoder)}")
    ended = [
        reading
        for layer, reading in now.items()
        if reading.status != "ok" and then[layer]["status"] == "ok"
    ]
    if ended:
        return verdict("regression", f"no prediction on layer {ended[0].layer}: {ended[0].message}")
    both = [layer for layer in now if then[layer]["status"] == now[layer].status == "ok"]
    if not both:
        return verdict("skipped", next(iter(now.values())).message or "")
    return Comparison(
        decoder=decoder,
        fixture=fixture.name,
        layers=tuple(both),
        before=np.array([then[layer]["predicted"] for layer in both]),
        after=np.array([now[layer].predicted for layer in both]),
        truth=fixture.test_labels,
    )


def _null(decoder: str, fixture: Fixture, found: Sequence[FixtureReading]) -> Verdict:
    for reading in found:
        if reading.test_accuracy is None:
            outcome = "skipped" if reading.status == "skipped" else "regression"
            message = reading.message or ""
            return Verdict(decoder=decoder, fixture=fixture.name, outcome=outcome, message=message)
    draws = sorted(found, key=lambda reading: reading.draw)
    layers = len({reading.layer for reading in found})
    accuracies = np.array([reading.test_accuracy for reading in draws])
    mean = accuracies.reshape(-1, layers).mean(axis=1)
    return judge_null(decoder, fixture.name, mean, fixture.num_classes)
