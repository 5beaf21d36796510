"""Estimates of a run's time and disk space, from the timings of earlier runs; pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from memgen_bench.plan.plan import PlannedNetwork

    Means = dict[tuple[object, ...], float]

# The columns of the two tables that hold timings and sizes.
NETWORK_COLUMNS = ("model", "dataset", "kind", "rate", "train_seconds", "parameter_count")
READING_COLUMNS = ("model", "dataset", "decoder", "fit_seconds", "predict_seconds")
_BYTES_A_READING = 500  # compressed, as measured on this project's own results
_BYTES_A_WEIGHT = 4


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """The estimated cost of some networks.

    Attributes:
        seconds: Seconds of computing for each network; None where no timing is known.
        bytes: Disk space of readings, and of the weights of networks of known size.
        typical: Seconds of a network of any other model; None where no timing is known at all.
    """

    seconds: tuple[float | None, ...]
    bytes: int
    typical: float | None = None

    @property
    def weights(self) -> tuple[float, ...]:
        """The seconds of each network, with the mean in place of unknown ones.

        Where all are unknown, those of other models stand for them.
        """
        known = [seconds for seconds in self.seconds if seconds is not None]
        mean = sum(known) / len(known) if known else self.typical or 1.0
        return tuple(mean if seconds is None else seconds for seconds in self.seconds)

    @property
    def unknown(self) -> int:
        """The number of networks without a timing."""
        return self.seconds.count(None)


class Timings:
    """Mean seconds of trainings and readings.

    The most specific known mean counts: for trainings that of the same model, data set, kind and
    rate, else of the same model, data set and kind, and so on; for readings that of the same
    decoder on the same model and data set, else of the same decoder.

    Args:
        networks: Rows with `NETWORK_COLUMNS`; None: no timings of trainings.
        readings: Rows with `READING_COLUMNS`; None: no timings of readings.
    """

    def __init__(
        self, networks: pl.DataFrame | None = None, readings: pl.DataFrame | None = None
    ) -> None:
        networks = _empty(NETWORK_COLUMNS) if networks is None else networks
        readings = _empty(READING_COLUMNS) if readings is None else readings
        trained = networks.drop_nulls("train_seconds")
        columns = ["model", "dataset", "kind", "rate"]
        self._trainings: list[Means] = [
            _means(trained, columns[:n], pl.col("train_seconds")) for n in (4, 3, 2, 1)
        ]
        spent = pl.col("fit_seconds") + pl.col("predict_seconds")
        read = readings.drop_nulls(["fit_seconds", "predict_seconds"])
        self._readings: list[Means] = [
            _means(read, names, spent) for names in (["decoder", "model", "dataset"], ["decoder"])
        ]
        self._of_any = _overall(trained, "train_seconds"), _overall(read, spent)
        self._sizes = dict(networks.select("model", "parameter_count").drop_nulls().iter_rows())

    def estimate(
        self,
        missing_work: Sequence[tuple[PlannedNetwork, frozenset[str]]],
        cached: Iterable[str] = (),
    ) -> Estimate:
        """Estimate the cost of networks and their missing readings; cached ones are not trained."""
        there = set(cached)
        seconds, size = [], 0
        for network, keys in missing_work:
            seconds.append(self._seconds(network, keys, trained=network.network_id in there))
            size += _BYTES_A_READING * len(keys)
            if network.is_trained and network.network_id not in there:
                size += _BYTES_A_WEIGHT * self._sizes.get(network.model, 0)
        return Estimate(seconds=tuple(seconds), bytes=size, typical=self._typical(missing_work))

    def _typical(
        self, missing_work: Sequence[tuple[PlannedNetwork, frozenset[str]]]
    ) -> float | None:
        training, reading = self._of_any
        if training is None or reading is None or not missing_work:
            return None
        trained = sum(network.is_trained for network, _ in missing_work)
        readings = sum(len(keys) for _, keys in missing_work)
        return (trained * training + readings * reading) / len(missing_work)

    def _seconds(
        self, network: PlannedNetwork, keys: frozenset[str], *, trained: bool
    ) -> float | None:
        total: float | None = 0.0
        if network.is_trained and not trained:
            rate = network.draw.rate if network.draw else 0.0
            names = (network.model, network.data.name, network.kind, rate)
            total = _first([(names[: 4 - i], means) for i, means in enumerate(self._trainings)])
        of_each = Counter(
            reading.decoding.decoder
            for reading in network.readings
            if reading.key in keys and reading.decoding.decoder
        )
        for decoder, count in of_each.items():
            pair = (decoder, network.model, network.data.name)
            each = _first(list(zip((pair, pair[:1]), self._readings, strict=False)))
            total = None if total is None or each is None else total + count * each
        return total


def _empty(columns: Sequence[str]) -> pl.DataFrame:
    return pl.DataFrame(schema=dict.fromkeys(columns, pl.Float64))


def _means(rows: pl.DataFrame, names: Sequence[str], value: pl.Expr) -> Means:
    means = rows.group_by(names).agg(value.mean().alias("mean"))
    return {tuple(row[:-1]): row[-1] for row in means.iter_rows()}


def _overall(rows: pl.DataFrame, value: pl.Expr | str) -> float | None:
    mean: float | None = rows.select(value).to_series().mean()  # type: ignore[assignment]
    return mean


def _first(levels: Sequence[tuple[tuple[object, ...], Means]]) -> float | None:
    return next((means[names] for names, means in levels if names in means), None)
