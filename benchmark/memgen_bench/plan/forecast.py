"""Estimates of a run's time and disk space, from timings of earlier runs or a reference; pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from memgen_bench.plan.plan import PlannedNetwork

    Means = dict[tuple[object, ...], float]

# The columns of the two tables that hold timings and sizes.
NETWORK_COLUMNS = (
    *("model", "dataset", "kind", "rate", "train_count"),
    *("train_seconds", "parameter_count"),
)
READING_COLUMNS = (
    *("model", "dataset", "decoder", "train_count"),
    *("fit_seconds", "predict_seconds"),
)
_BYTES_A_READING = 500  # compressed, as measured on this project's own results
_BYTES_A_WEIGHT = 4
_OWN = 0.6  # of a decoder's seconds; the rest is shared by all, as measured on `core`


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
    """Mean seconds of trainings and readings, for each training point.

    The most specific known mean counts: for trainings that of the same model, data set, kind and
    rate, else of the same model, data set and kind, and so on; for readings that of the same
    decoder on the same model and data set, else of the same decoder, else of the others. Where
    there is no mean from this machine, that of the reference counts, at this machine's speed.

    Args:
        networks: Rows with `NETWORK_COLUMNS`; None: no timings of trainings.
        readings: Rows with `READING_COLUMNS`; None: no timings of readings.
        reference: Timings of another machine; None: of no other.
    """

    def __init__(
        self,
        networks: pl.DataFrame | None = None,
        readings: pl.DataFrame | None = None,
        reference: Timings | None = None,
    ) -> None:
        networks = _empty(NETWORK_COLUMNS) if networks is None else networks
        readings = _empty(READING_COLUMNS) if readings is None else readings
        points = pl.col("train_count")
        trained = networks.drop_nulls(["train_seconds", "train_count"])
        columns = ["model", "dataset", "kind", "rate"]
        self._trainings: list[Means] = [
            _means(trained, columns[:n], pl.col("train_seconds") / points) for n in (4, 3, 2, 1)
        ]
        spent = (pl.col("fit_seconds") + pl.col("predict_seconds")) / points
        read = readings.drop_nulls(["fit_seconds", "predict_seconds", "train_count"])
        self._readings: list[Means] = [
            _means(read, names, spent) for names in (["decoder", "model", "dataset"], ["decoder"])
        ]
        self._of_any = _overall(trained, pl.col("train_seconds") / points), _overall(read, spent)
        self._sizes = dict(networks.select("model", "parameter_count").drop_nulls().iter_rows())
        if reference is not None:
            self._add(reference)

    def _add(self, reference: Timings) -> None:
        """Fill in from a reference, at this machine's speed, what was not timed here."""
        slower = _ratio([self._trainings[0], self._readings[0]], reference)
        for own, other in (
            (self._trainings, reference._trainings),
            (self._readings, reference._readings),
        ):
            for mine, theirs in zip(own, other, strict=True):
                mine.update({k: slower * v for k, v in theirs.items() if k not in mine})
        self._sizes = reference._sizes | self._sizes

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
        seconds = (
            _points(network) * (network.is_trained * training + len(keys) * reading)
            for network, keys in missing_work
        )
        return sum(seconds) / len(missing_work)

    def _seconds(
        self, network: PlannedNetwork, keys: frozenset[str], *, trained: bool
    ) -> float | None:
        training: float | None = 0.0
        if network.is_trained and not trained:
            rate = network.draw.rate if network.draw else 0.0
            names = (network.model, network.data.name, network.kind, rate)
            training = _first([(names[: 4 - i], means) for i, means in enumerate(self._trainings)])
        of_each = Counter(
            reading.decoding.decoder
            for reading in network.readings
            if reading.key in keys and reading.decoding.decoder
        )
        decoding = self._decoding(network, of_each)
        if training is None or decoding is None:
            return None
        return _points(network) * (training + decoding)

    def _decoding(self, network: PlannedNetwork, of_each: Mapping[str, int]) -> float | None:
        """Estimate readings; a decoder without a timing takes as long as the others do."""
        known, count = 0.0, 0
        for decoder, readings in of_each.items():
            pair = (decoder, network.model, network.data.name)
            each = _first(list(zip((pair, pair[:1]), self._readings, strict=False)))
            if each is not None:
                known, count = known + readings * each, count + readings
        if not count:
            return None if of_each else 0.0
        return _alone(len(of_each)) * known / count * sum(of_each.values())


def _points(network: PlannedNetwork) -> int:
    """Return the number of points that a network is trained on."""
    rest = 1 - network.validation_fraction - network.held_out_fraction
    return round(network.train_size * rest)


def _alone(decoders: int) -> float:
    """Return the share of their charged seconds that decoders of one network take together.

    Each is charged all that it would have spent alone, with what they share.
    """
    return _OWN + (1 - _OWN) / max(decoders, 1)


def _ratio(own: Sequence[Means], reference: Timings) -> float:
    """Return how many times as long as the reference this machine takes; 1 if that is unknown."""
    pairs = list(zip(own, (reference._trainings[0], reference._readings[0]), strict=True))
    here = sum(mean for mine, theirs in pairs for key, mean in mine.items() if key in theirs)
    there = sum(theirs[key] for mine, theirs in pairs for key in mine if key in theirs)
    return here / there if here and there else 1.0


def _empty(columns: Sequence[str]) -> pl.DataFrame:
    return pl.DataFrame(schema=dict.fromkeys(columns, pl.Float64))


def _means(rows: pl.DataFrame, names: Sequence[str], value: pl.Expr) -> Means:
    means = rows.group_by(names).agg(value.mean().alias("mean"))
    return {tuple(row[:-1]): row[-1] for row in means.iter_rows()}


def _overall(rows: pl.DataFrame, value: pl.Expr) -> float | None:
    mean: float | None = rows.select(value).to_series().mean()  # type: ignore[assignment]
    return mean


def _first(levels: Sequence[tuple[tuple[object, ...], Means]]) -> float | None:
    return next((means[names] for names, means in levels if names in means), None)
