"""A quick trial of any classifier on the shipped fixtures, ranked among the shipped decoders."""

from __future__ import annotations

import copy
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
from sklearn.base import clone

from memgen_bench.compute import threads
from memgen_bench.errors import FixtureError, UsageError
from memgen_bench.files.places import named_path
from memgen_bench.fixtures.fixture import Fixture, load_fixtures
from memgen_bench.gate.baseline import SHIPPED, read_baseline
from memgen_bench.gate.readings import read_fixtures
from memgen_bench.plugin.registry import load_registry
from memgen_bench.plugin.specs import DecoderSpec
from memgen_bench.protocol import INPUT, READOUT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memgen_bench.gate.readings import FixtureReading

CONTROL = "control: raw input"
AGAINST = ("masc", "ncm", "rda-50", "knn-50", "ridge-tuned")

_COLUMNS = ("decoder", "fixture", "layer", "validation_accuracy", "test_accuracy")


def try_decoder(
    estimator: Any,
    name: str = "mine",
    *,
    fixtures: str | Path | Sequence[Fixture] | None = None,
    against: Sequence[str] = AGAINST,
) -> pl.DataFrame:
    """Score a classifier on frozen activations, and print it among decoders that ship.

    It is fitted on each layer of each fixture, on corrupted labels, on one thread. As on the
    leaderboard the layer is chosen on noisy validation labels, among the network's own layers. A
    layer on which it fails is left out with a warning.

    Args:
        estimator: A classifier with scikit-learn's `fit` and `predict`; it is not changed.
        name: The classifier's name in the ranking.
        fixtures: Fixtures, such as those of `own_fixture`, or a folder of them, written by
            `memgen-bench export-activations`; by default those that ship, with the accuracies of
            all decoders that ship.
        against: With `fixtures`, the decoders to fit beside it.

    Returns:
        A row for each decoder, the best first: `decoder`, `accuracy` (mean test accuracy over the
        fixtures, in [0, 1]), and a column for each fixture. `readout` is the network's own. The
        last row, without a mean, is the control: the decoder that is best on noisy validation
        labels of the raw input, where a fixture has it.

    Raises:
        FixtureError: It fails on all layers of a fixture, or fixtures or baseline are unusable.
        UsageError: It is no classifier, or there is no decoder of a name in `against`.

    Examples:
        >>> import memgen_bench
        >>> from sklearn.neighbors import NearestCentroid
        >>> ranking = memgen_bench.try_decoder(NearestCentroid())  # doctest: +ELLIPSIS
         #  decoder ...
        >>> ranking.columns[:2]
        ['decoder', 'accuracy']
    """
    _check_classifier(estimator)
    found = _fixtures(fixtures)
    spec = DecoderSpec(name=name, summary="", build=lambda: _fresh(estimator))
    with threads(1):
        readings = list(read_fixtures([spec], found))
        fine = _fine(name, readings)
        others = read_baseline(SHIPPED) if fixtures is None else _frame(_read(against, found))
    ranking = rank(fine, found, others)
    _show(ranking, name)
    return ranking


def _check_classifier(estimator: Any) -> None:
    """Refuse a class or the name of a decoder in place of a classifier."""
    if isinstance(estimator, type):
        raise UsageError(f"{estimator.__name__} is a class; give an object, {estimator.__name__}()")
    if isinstance(estimator, str):
        raise UsageError(f"{estimator!r} is a name; give memgen_bench.build_decoder({estimator!r})")
    if missing := [each for each in ("fit", "predict") if not hasattr(estimator, each)]:
        raise UsageError(f"{type(estimator).__name__} has no {' and no '.join(missing)}")


def _fixtures(named: str | Path | Sequence[Fixture] | None) -> list[Fixture]:
    if named is None:
        named = load_fixtures()
    elif isinstance(named, str | Path):
        named = load_fixtures(named_path(named))
    elif isinstance(named, Fixture):
        raise UsageError("fixtures takes a list, such as fixtures=[own]")
    found = [fixture for fixture in named if not fixture.null]
    if not found:
        raise FixtureError("there is no fixture to try it on; null ones, of rate 1, are none")
    return found


def _read(names: Sequence[str], fixtures: Sequence[Fixture]) -> list[FixtureReading]:
    catalogue = load_registry().decoders
    return list(read_fixtures([catalogue.find(name) for name in names], fixtures))


def _fine(name: str, readings: Sequence[FixtureReading]) -> list[FixtureReading]:
    """Return the readings that are fine; warn of others, and raise where a fixture has none."""
    fine = [reading for reading in readings if reading.status == "ok"]
    bad = [reading for reading in readings if reading.status != "ok"]
    read = {reading.fixture for reading in fine if reading.layer != INPUT}
    for reading in bad:
        where = f"{reading.fixture}, layer {reading.layer}"
        said = f"{name} {reading.status} on {where}: {reading.message}"
        if reading.fixture not in read:
            raise FixtureError(said)
        warnings.warn(f"{said}; that layer is left out", stacklevel=3)
    return fine


def _frame(readings: Sequence[FixtureReading]) -> pl.DataFrame:
    columns = (*_COLUMNS, "status")
    return pl.DataFrame([{c: getattr(reading, c) for c in columns} for reading in readings])


def rank(
    readings: Sequence[FixtureReading], fixtures: Sequence[Fixture], baseline: pl.DataFrame
) -> pl.DataFrame:
    """Rank one decoder's readings among those of a baseline and the networks' readouts."""
    own = pl.DataFrame([{c: getattr(reading, c) for c in _COLUMNS} for reading in readings])
    names = [fixture.name for fixture in fixtures]
    others = baseline.filter(
        pl.col("status") == "ok",
        pl.col("fixture").is_in(names),
        ~pl.col("decoder").is_in(own["decoder"].implode()),
    )
    every = pl.concat([own, others.select(_COLUMNS)])
    chosen = (
        every.filter(pl.col("layer") != INPUT)
        .sort("validation_accuracy", descending=True, maintain_order=True)
        .unique(["decoder", "fixture"], keep="first", maintain_order=True)
        .select("decoder", "fixture", "test_accuracy")
    )
    readouts = [
        {"decoder": READOUT, "fixture": each.name, "test_accuracy": each.about["readout"]}
        for each in fixtures
        if "readout" in each.about
    ]
    named = pl.DataFrame(readouts, schema=chosen.schema)
    ranking = (
        pl.concat([chosen, named])
        .pivot("fixture", index="decoder", values="test_accuracy")
        .drop_nulls()
        .select("decoder", pl.mean_horizontal(names).alias("accuracy"), *names)
        .sort("accuracy", "decoder", descending=[True, False])
    )
    return pl.concat([ranking, _control(every, names)], how="diagonal")


def _control(readings: pl.DataFrame, fixtures: Sequence[str]) -> pl.DataFrame:
    """Return a row with the best reading of each fixture's raw input on validation labels."""
    best = (
        readings.filter(pl.col("layer") == INPUT)
        .sort(-pl.col("validation_accuracy"), "decoder", nulls_last=True)
        .unique("fixture", keep="first", maintain_order=True)
    )
    found = dict(best.select("fixture", "test_accuracy").iter_rows())
    row = {"decoder": CONTROL, **{name: found.get(name) for name in fixtures}}
    schema = {"decoder": pl.String, **dict.fromkeys(fixtures, pl.Float64)}
    return pl.DataFrame([row] if found else [], schema=schema)


def _fresh(estimator: Any) -> Any:
    return clone(estimator) if hasattr(estimator, "get_params") else copy.deepcopy(estimator)


def _show(ranking: pl.DataFrame, name: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    table.add_column("#", justify="right")
    for column in ranking.columns:
        heading = column.replace("-uniform-", " ").replace("-", " ")  # so that lines can break
        table.add_column(heading, justify="left" if column == "decoder" else "right")
    for place, (decoder, *accuracies) in enumerate(ranking.iter_rows(), start=1):
        style = "bold" if decoder == name else ""
        shown = ("" if each is None else f"{100 * each:.1f}" for each in accuracies)
        cells = ["" if decoder == CONTROL else f"{place}", decoder, *shown]
        table.add_row(*(Text(cell, style=style) for cell in cells))
    console = Console(highlight=False)
    if not console.is_terminal and not console.is_jupyter:
        console.width = 140  # a pipe or a file has no width
    console.print(table)
