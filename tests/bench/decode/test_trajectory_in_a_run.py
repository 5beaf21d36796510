"""A decoder gets the trajectory of its own points and labels, or is skipped for a reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

import memgen_bench

if TYPE_CHECKING:
    from pathlib import Path

SEES = """
import numpy as np
from memgen_bench import DecoderSpec, hookimpl


class Sees:
    def fit(self, X, y, trajectory):
        self.label = int(np.bincount(y).argmax())
        numbers = {name: float(values.mean()) for name, values in vars(trajectory).items()}
        self.chosen_ = {"points": [len(X), len(trajectory.margin)], **numbers}
        trajectory.margin[:] = np.nan  # its own copy
        return self

    def predict(self, X):
        return np.full(len(X), self.label)


@hookimpl
def register_decoders():
    return [DecoderSpec(name="sees", summary="s", build=Sees, needs=("trajectory",))]
"""


def rows(folder: Path, results: str, *, fresh: bool = False) -> pl.DataFrame:
    plugin = folder / "sees.py"
    plugin.write_text(SEES)
    memgen_bench.run(
        "smoke",
        plugins=[plugin],
        decoders=["sees"],
        kinds=["memorized", "untrained", "random"],
        rates=[0.0, 0.4],
        labels=["corrupted"],
        train_size=120,
        held_out_fraction=0.25,
        fitted_on=["training", "both"],
        engine="serial",
        fresh=fresh,
        results=folder / results,
        cache_dir=folder / "cache",
    )
    found = pl.from_arrow(memgen_bench.read_results(folder / results))
    assert isinstance(found, pl.DataFrame)
    return found.filter(decoder="sees")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("trajectories")


@pytest.fixture(scope="module")
def first(place: Path) -> pl.DataFrame:
    return rows(place, "first")


def test_a_trained_network_shows_how_it_learned_the_points_and_labels_it_was_trained_on(
    first: pl.DataFrame,
) -> None:
    own = first.filter(pl.col("kind").is_in(["memorized", "clean"]), fitted_on="training")
    assert set(own["status"]) == {"ok"}
    assert set(own["kind"]) == {"memorized", "clean"}
    numbers, points = (
        own["chosen"].str.json_path_match(f"$.points[{place}]").to_list() for place in (0, 1)
    )
    assert numbers == points
    assert None not in points
    assert own.group_by("network_id").agg(pl.col("chosen").n_unique())["chosen"].to_list() == [1, 1]


def test_where_there_is_none_the_reading_is_skipped_and_says_why(first: pl.DataFrame) -> None:
    others = first.filter(pl.col("status") != "ok")
    assert set(others["status"]) == {"skipped"}
    said = {
        (kind, points): message.partition(",")[0]
        for kind, points, message in others.select("kind", "fitted_on", "message").iter_rows()
    }
    untrained = "there is no trajectory where nothing was trained"
    assert said == {
        ("untrained", "training"): untrained,
        ("untrained", "both"): untrained,
        ("memorized", "both"): "held-out points have no trajectory",
        ("clean", "both"): "held-out points have no trajectory",
        ("random", "training"): "the trajectory is that of other labels",
        ("random", "both"): "held-out points have no trajectory",
    }


def test_a_network_that_was_cached_without_one_is_read_and_says_how_to_get_it(
    place: Path, first: pl.DataFrame
) -> None:
    for path in (place / "cache/networks").glob("*.trajectory"):
        path.unlink()
    weights = {p.name: p.read_bytes() for p in (place / "cache/networks").glob("*.safetensors")}
    found = rows(place, "again")
    own = found.filter(kind="memorized", fitted_on="training")
    assert set(own["status"]) == {"skipped"}
    assert set(own["message"]) == {
        "the cached network has no trajectory: run with --fresh to train it with one"
    }
    anew = rows(place, "anew", fresh=True)
    same = ["key", "status", "chosen", "network_id"]
    assert anew.select(same).sort("key").equals(first.select(same).sort("key"))
    after = {p.name: p.read_bytes() for p in (place / "cache/networks").glob("*.safetensors")}
    assert after == weights
