"""Readings made by hand: networks of a few layers whose accuracies a test chooses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import polars as pl

from memgen_bench.results import schemas, store
from memgen_leaderboard.scoring import units
from memgen_leaderboard.scoring.layer_choice import choose_layers
from memgen_leaderboard.scoring.older_protocol import in_newer_form
from memgen_leaderboard.scoring.ranking import rank

if TYPE_CHECKING:
    from pathlib import Path

Row = dict[str, Any]
# layer to (noisy validation accuracy, test accuracy)
Profile = Mapping[str, tuple[float | None, float | None]]

DEPTHS = {"fc1": 0.25, "fc2": 0.5, "fc3": 0.75, "logits": 1.0}
LATER = datetime(2026, 6, 1, tzinfo=UTC)
FLAT: Profile = dict.fromkeys(DEPTHS, (0.5, 0.5))


def stored_frame(rows: Iterable[Row]) -> pl.DataFrame:
    """Return rows as they are stored."""
    found = pl.from_arrow(store.table("readings", rows))
    assert isinstance(found, pl.DataFrame)
    return found


def frame(rows: Iterable[Row]) -> pl.DataFrame:
    """Return rows in the form that scores are computed from."""
    return in_newer_form(stored_frame(rows))


class Bench:
    """Writes the readings of networks; a decoder's profile is its accuracies layer by layer."""

    def __init__(self, make_reading: Callable[..., Row]) -> None:
        self.make, self.rows = partial(make_reading, protocol_version=2), list[Row]()

    def decode(self, profile: Profile, **columns: Any) -> Bench:
        for layer, (validation, test) in profile.items():
            place = {
                "layer": layer,
                "layer_index": 1 + list(DEPTHS).index(layer) if layer in DEPTHS else None,
                "layer_depth": DEPTHS.get(layer),
            }
            accuracies = {"validation_accuracy": validation, "test_accuracy": test}
            self.rows.append(self.make(**place, **accuracies, **columns))
        return self

    def readout(self, accuracy: float, **columns: Any) -> Bench:
        return self.decode(
            {"logits": (0.5, accuracy)}, **{"decoder": "readout", "labels": None, **columns}
        )

    def clean_readout(self, accuracy: float, **columns: Any) -> Bench:
        """Add the ceiling: the readout of a network trained on true labels."""
        at_zero = {"kind": "clean", "noise": None, "rate": 0.0, "noise_seed": None}
        return self.readout(accuracy, **{**at_zero, **columns})

    def features(self, accuracy: float, validation: float = 0.5, **columns: Any) -> Bench:
        """Add a reading of features of the images, which no network decides."""
        none = {"kind": "features", "memorized": None, "init_seed": None, "order_seed": None}
        return self.decode(
            {"features": (validation, accuracy)}, **{"model": "pixels", **none, **columns}
        )

    def cell(
        self,
        decoded: float,
        readout: float,
        ceiling: float,
        *,
        control: float | None = None,
        **columns: Any,
    ) -> Bench:
        """Add a memorized network that one layer is decoded of, its readout and its ceiling.

        The control is a reading of raw pixels; by default it is as good as the readout.
        """
        seeds = {name: columns[name] for name in ("seed", "model", "dataset") if name in columns}
        own = {name: value for name, value in columns.items() if name != "decoder"}
        of_data = {
            name: value
            for name, value in own.items()
            if name not in ("model", "memorized", "network_id", "order_seed", "init_seed")
        }
        self.decode({"fc1": (0.5, decoded)}, **columns)
        self.readout(readout, **own).clean_readout(ceiling, **seeds)
        return self.features(readout if control is None else control, **of_data)

    def units(self, **view: Any) -> pl.DataFrame:
        return units.units(units.current(frame(self.rows)), **view)

    def board(self) -> dict[str, Row]:
        board = rank(self.units()).board
        return {row["decoder"]: row for row in board.iter_rows(named=True)}

    def chosen(self) -> list[tuple[str, str]]:
        return choose_layers(frame(self.rows)).select("layer", "chosen_by").rows()

    def stored(self, folder: Path, suite: str = "toy", version: int = 1) -> Path:
        """Write the rows, and a plan that names them."""
        store.write_part(folder, "readings", "net", store.table("readings", self.rows))
        return planned(self.rows, folder, suite, version)


def planned(rows: Iterable[Row], folder: Path, suite: str = "toy", version: int = 1) -> Path:
    """Write a plan that names some rows."""
    plan = [{"suite": suite, "suite_version": version, "key": row["key"]} for row in rows]
    store.write_part(folder, "plans", suite, store.table("plans", plan))
    return folder


def older_part(rows: Iterable[Row], folder: Path, version: int = 3) -> Path:
    """Write readings as an older version did, without the columns that were added since."""
    fields = schemas.schema_of("readings", version)
    metadata = {schemas.VERSION_KEY: str(version)}
    part = store.table("readings", rows).select(fields.names).replace_schema_metadata(metadata)
    return store.write_part(folder, "readings", "old", part)
