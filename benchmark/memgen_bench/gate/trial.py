"""A quick trial of any classifier on the shipped fixtures, ranked among the shipped decoders."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import polars as pl
from sklearn.base import clone

from memgen_bench.compute import threads
from memgen_bench.errors import FixtureError
from memgen_bench.fixtures.fixture import load_fixtures
from memgen_bench.gate.baseline import SHIPPED, read_baseline
from memgen_bench.gate.readings import read_fixtures
from memgen_bench.plugin.specs import DecoderSpec
from memgen_bench.protocol import INPUT, READOUT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memgen_bench.fixtures.fixture import Fixture
    from memgen_bench.gate.readings import FixtureReading

_COLUMNS = ("decoder", "fixture", "layer", "validation_accuracy", "test_accuracy")


def try_decoder(estimator: Any, name: str = "mine") -> pl.DataFrame:
    """Score a classifier on the shipped fixtures, and print it among the shipped decoders.

    It is fitted on each layer of each fixture, on corrupted labels, on one thread. As on the
    leaderboard the layer is chosen on noisy validation labels, among the network's own layers.

    Args:
        estimator: A classifier with scikit-learn's `fit` and `predict`; it is not changed.
        name: The classifier's name in the ranking.

    Returns:
        A row for each decoder, the best first: `decoder`, `accuracy` (mean test accuracy over the
        fixtures, in [0, 1]), and a column for each fixture.

    Raises:
        FixtureError: It fails on a fixture, or the fixtures or their baseline are unusable.

    Examples:
        >>> import memgen_bench
        >>> from sklearn.neighbors import NearestCentroid
        >>> ranking = memgen_bench.try_decoder(NearestCentroid())  # doctest: +ELLIPSIS
         #  decoder ...
        >>> ranking.columns[:2]
        ['decoder', 'accuracy']
    """
    fixtures = [fixture for fixture in load_fixtures() if not fixture.null]
    spec = DecoderSpec(name=name, summary="", build=lambda: _fresh(estimator))
    with threads(1):
        readings = list(read_fixtures([spec], fixtures))
    for reading in readings:
        if reading.status != "ok":
            where = f"{reading.fixture}, layer {reading.layer}"
            raise FixtureError(f"{name} {reading.status} on {where}: {reading.message}")
    ranking = rank(readings, fixtures, read_baseline(SHIPPED))
    _show(ranking, name)
    return ranking


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
    chosen = (
        pl.concat([own, others.select(_COLUMNS)])
        .filter(pl.col("layer") != INPUT)
        .sort("validation_accuracy", descending=True, maintain_order=True)
        .unique(["decoder", "fixture"], keep="first", maintain_order=True)
        .select("decoder", "fixture", "test_accuracy")
    )
    readouts = [
        {"decoder": READOUT, "fixture": each.name, "test_accuracy": each.about["readout"]}
        for each in fixtures
    ]
    return (
        pl.concat([chosen, pl.DataFrame(readouts)])
        .pivot("fixture", index="decoder", values="test_accuracy")
        .drop_nulls()
        .select("decoder", pl.mean_horizontal(names).alias("accuracy"), *names)
        .sort("accuracy", "decoder", descending=[True, False])
    )


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
        cells = [f"{place}", decoder, *(f"{100 * accuracy:.1f}" for accuracy in accuracies)]
        table.add_row(*(Text(cell, style=style) for cell in cells))
    console = Console(highlight=False)
    if not console.is_terminal and not console.is_jupyter:
        console.width = 140  # a pipe or a file has no width
    console.print(table)
