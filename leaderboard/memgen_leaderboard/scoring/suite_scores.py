"""The scores of a suite as frames, read from a results folder."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

from memgen_bench.errors import StoreError, UsageError
from memgen_bench.files.places import named_path
from memgen_bench.plugin.composition import split_points
from memgen_bench.protocol import READOUT
from memgen_bench.results.shortfalls import READING_COLUMNS
from memgen_bench.results.snapshot import Snapshot
from memgen_bench.results.store import read_frame
from memgen_leaderboard.scoring.cells import cells, mean_headroom, sources
from memgen_leaderboard.scoring.contrasts import contrast
from memgen_leaderboard.scoring.controls import REFERENCES, control_readings
from memgen_leaderboard.scoring.critical_difference import (
    CriticalDifference,
    block_means,
    critical_difference,
)
from memgen_leaderboard.scoring.decoder_choice import chosen_units
from memgen_leaderboard.scoring.gain import IS_BESIDE, gains
from memgen_leaderboard.scoring.layer_choice import UNIT
from memgen_leaderboard.scoring.ranking import Ranking, by_rate, rank
from memgen_leaderboard.scoring.units import (
    COLUMNS,
    NAMES,
    UNMEMORIZED,
    UNMEMORIZED_CLEAN,
    at_checkpoints,
    by_outcome,
    current,
    planned_networks,
    units,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from memgen_bench.plan.suite import FittedOn, Labels
    from memgen_leaderboard.scoring.units import ShownKind


@dataclass(frozen=True, kw_only=True)
class View:
    """The part of a suite to show; an empty field selects everything.

    Attributes:
        rates: Shuffle rates.
        datasets: Names of data sets.
        models: Names of models.
        noises: Names of noises.
        decoders: Names of decoders, of which alone boards are then; controls and what is chosen on
            validation are still those of all.
        kind: The networks to decode; `unmemorized` are those that were trained on noisy labels and
            did not memorize them, `unmemorized-clean` likewise those trained on true labels.
        labels: The labels that decoders are fitted on.
        fitted_on: The points that decoders are fitted on: those that the network was trained on,
            held-out ones with labels as noisy, or both.
    """

    rates: tuple[float, ...] = ()
    datasets: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    noises: tuple[str, ...] = ()
    decoders: tuple[str, ...] = ()
    kind: ShownKind = "memorized"
    labels: Labels = "corrupted"
    fitted_on: FittedOn = "training"

    @property
    def is_ranked(self) -> bool:
        """Whether decoders are ranked: only on corrupted labels of memorized networks."""
        return (self.kind, self.labels) == ("memorized", "corrupted")

    @property
    def condition(self) -> dict[str, Any]:
        """Kind, labels and points: what parts of a board share."""
        return {"kind": self.kind, "labels": self.labels, "fitted_on": self.fitted_on}

    @property
    def axes(self) -> dict[str, tuple[Any, ...]]:
        """The columns to select by, with their selected values."""
        axes = {
            **{"rate": self.rates, "dataset": self.datasets, "model": self.models},
            **{"noise": self.noises, "decoder": self.decoders},
        }
        return {name: values for name, values in axes.items() if values}

    def select(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Keep the rows of a frame that this view selects, by those columns that it has."""
        for name, values in self.axes.items():
            if name in frame.columns:
                frame = frame.filter(pl.col(name).is_in(values))
        return frame


@dataclass(frozen=True, kw_only=True)
class Scores:
    """The scores of one suite, as frames that are computed on first use.

    Attributes:
        suite: Its name.
        version: Its version.
        view: Which part is shown.
        snapshot: The results, each part of which is checked once.
        readings: Its readings that count: of all kinds and labels, failed ones included.
        beside: Likewise those of decoders that had features beside each layer, which no score but
            the conditional gain counts.
        checkpoints: Likewise those at checkpoints of trainings, which no score counts.
        missing: How many planned readings of the suite were not run.
        outdated: How many readings of it are left out, being of an older protocol.
    """

    suite: str
    version: int
    view: View
    snapshot: Snapshot = field(repr=False)
    readings: pl.DataFrame = field(repr=False)
    beside: pl.DataFrame = field(repr=False)
    checkpoints: pl.DataFrame = field(repr=False)
    missing: int
    outdated: int

    @property
    def folder(self) -> Path:
        """The results folder."""
        return self.snapshot.folder

    @property
    def newest(self) -> float:
        """When its newest reading was made, in seconds since 1970."""
        made: Any = self.readings["created"].max()
        return made.timestamp() if made else 0.0

    @property
    def title(self) -> str:
        """Name and version of the suite."""
        return f"{self.suite} v{self.version}"

    @cached_property
    def units(self) -> pl.DataFrame:
        """One row for each decoder and network; see `memgen_leaderboard.scoring.units`."""
        return self.view.select(self._of_all_decoders)

    @cached_property
    def _of_all_decoders(self) -> pl.DataFrame:
        view = self.view
        found = units(self.readings, view.kind, view.labels, view.fitted_on)
        return replace(view, decoders=()).select(found)

    @cached_property
    def controls(self) -> pl.DataFrame:
        """The control of each unit, of each source; see `control_readings`."""
        readings = by_outcome(self.readings.filter(pl.col("status") == "ok"))
        rankable = self._of_all_decoders.filter("rankable")
        return control_readings(readings, rankable, self.view.labels, self.view.fitted_on)

    @cached_property
    def ranking(self) -> Ranking:
        """The ranking of the decoders."""
        return rank(self.units, planned=self.planned, ranked=self.view.is_ranked)

    @cached_property
    def chosen(self) -> pl.DataFrame:
        """The reading that each compared network gives its user; see `chosen_units`."""
        compared, units = self.ranking.compared.select(UNIT).unique(), self._of_all_decoders
        return chosen_units(units.join(compared, on=list(UNIT), how="semi", nulls_equal=True))

    @cached_property
    def chosen_board(self) -> pl.DataFrame:
        """The scores of `chosen`: one row without a rank, or none."""
        return rank(self.chosen, planned=self.planned, ranked=False).board

    @cached_property
    def gains(self) -> pl.DataFrame:
        """The conditional gain of layers of memorized networks and of controls; see `gains`."""
        rows = by_outcome(pl.concat([self.readings, self.beside]))
        return self.view.select(gains(rows, self.view.labels, self.view.fitted_on))

    @cached_property
    def cells(self) -> pl.DataFrame:
        """One row for each cell: control, readout, ceiling, references; see `cells.cells`."""
        return cells(self._counted, self.controls)

    @cached_property
    def sources(self) -> pl.DataFrame:
        """One row for each cell and source: the control of it alone; see `cells.sources`."""
        return sources(self._counted, self.controls)

    @cached_property
    def planned(self) -> int:
        """The number of planned networks that are of this kind."""
        view = self.view
        planned = planned_networks(self.readings, view.kind, view.labels, view.fitted_on)
        return view.select(planned).height

    @property
    def _counted(self) -> pl.DataFrame:
        """The units that means are over, with the references on the same networks."""
        rankable, compared = self.units.filter("rankable"), self.ranking.compared
        if compared.is_empty():
            return rankable
        beside = self._of_all_decoders.filter("rankable").filter(
            pl.col("decoder").is_in(REFERENCES)
        )
        same = beside.join(compared, on=list(UNIT), how="semi", nulls_equal=True)
        return pl.concat([compared, same])

    @cached_property
    def suite_headroom(self) -> float | None:
        """The mean headroom of all cells of the suite, whatever part of it is shown."""
        view = replace(View(), **self.view.condition)
        return mean_headroom((self if view == self.view else replace(self, view=view)).cells)

    @cached_property
    def of_pairs(self) -> list[Scores]:
        """The scores of each model on each data set, and of each noise where there are several.

        Boards are shown for each of them: nothing is averaged over noises.
        """
        axes = ["dataset", "model", *(["noise"] if self._has_noises else [])]
        named = self.units.select(axes).drop_nulls().unique().sort(axes)
        parts = []
        for row in named.iter_rows(named=True):
            selected: dict[str, Any] = {f"{axis}s": (row[axis],) for axis in axes}
            parts.append(self.narrowed(replace(self.view, **selected)))
        return parts

    @property
    def _has_noises(self) -> bool:
        return self.units["noise"].drop_nulls().n_unique() > 1

    @property
    def pair(self) -> str:
        """The name of its models and data sets, and of the noise where the view names one."""
        pairs = self.units.select("model", "dataset").unique().sort("dataset", "model")
        names = ", ".join(f"{model} on {dataset}" for model, dataset in pairs.iter_rows())
        return ", noise ".join([names, *self.view.noises])

    @cached_property
    def summary(self) -> pl.DataFrame:
        """The boards of all pairs, one below the other, with columns `dataset`, `model`, `noise`.

        `noise` is null where there is only one.
        """
        return self._of_all_pairs([one.board for one in self.of_pairs])

    @cached_property
    def chosen_summary(self) -> pl.DataFrame:
        """Likewise what is chosen on validation: `chosen_board` of each pair."""
        return self._of_all_pairs([one.chosen_board for one in self.of_pairs])

    def _of_all_pairs(self, boards: Sequence[pl.DataFrame]) -> pl.DataFrame:
        named = [
            board.select(
                *(
                    pl.lit(one.view.axes.get(axis, [None])[0], pl.String).alias(axis)
                    for axis in ("dataset", "model", "noise")
                ),
                pl.all(),
            )
            for one, board in zip(self.of_pairs, boards, strict=True)
        ]
        return pl.concat(named)

    @property
    def board(self) -> pl.DataFrame:
        """One row for each decoder, the best first; see `Ranking`."""
        return self.ranking.board

    @property
    def differences(self) -> pl.DataFrame:
        """One row for every two ranked decoders; see `Ranking`."""
        return self.ranking.differences

    @cached_property
    def rates(self) -> pl.DataFrame:
        """Mean accuracies for each decoder, noise and rate, on the networks of the board."""
        compared = self.ranking.compared
        same = pl.col("decoder").is_in(compared["decoder"].unique().implode())
        others = self.units.filter(~(same & pl.col("rankable")))
        return by_rate(pl.concat([compared, others]))

    @cached_property
    def networks(self) -> pl.DataFrame:
        """The suite's networks with their certificates and training curves, as stored."""
        return self.view.select(self._networks)

    @cached_property
    def lost(self) -> pl.DataFrame:
        """The rows of networks that did not memorize their labels, of rate 0 at any rate shown.

        Those that were trained on random labels are none of them: nobody asks it of them.
        """
        everywhere = replace(self.view, rates=())
        own = self.view.select(self._networks), everywhere.select(self._networks)
        noisy, clean = (
            rows.filter(~pl.col("memorized"), kind=kind)
            for rows, kind in zip(own, ("memorized", "clean"), strict=True)
        )
        return pl.concat([clean, noisy])

    @cached_property
    def _networks(self) -> pl.DataFrame:
        own = self.readings["network_id"].cast(pl.String).unique()
        networks = read_frame(self.snapshot, "networks")
        return networks.filter(pl.col("network_id").is_in(own.implode()))

    @cached_property
    def failures(self) -> pl.DataFrame:
        """The failed readings of this view, with the columns of `shortfalls` if there are any."""
        failed = self.view.select(self.readings).filter(status="failed")
        if failed.is_empty():
            return failed  # most boards have none, and to read all parts again takes long
        return read_frame(self.snapshot, "readings", READING_COLUMNS).filter(
            pl.col("key").is_in(failed["key"].implode())
        )

    @cached_property
    def unread(self) -> list[str]:
        """The decoders that were planned for these networks and have no fine reading."""
        view = self.view
        planned = planned_networks(self.readings, view.kind, view.labels, view.fitted_on)
        own = self.view.select(planned)["network_id"].implode()
        tried = view.select(self.readings).filter(
            pl.col("network_id").is_in(own),
            *[pl.col("status") == "failed", pl.col("labels") == view.labels],
            pl.col("fitted_on") == view.fitted_on,
        )
        return sorted(set(tried["decoder"].cast(pl.String)) - set(self.units["decoder"]))

    @cached_property
    def critical_difference(self) -> CriticalDifference | None:
        """Mean ranks over data sets; None where there are too few."""
        return critical_difference(block_means(self.ranking.compared))

    def narrowed(self, view: View) -> Scores:
        """Return the scores for a narrower view, of the same kind and labels."""
        part = replace(self, view=view)
        # The caches of properties: a part has the controls and the headroom of the whole.
        vars(part)["units"] = view.select(self.units)
        vars(part)["_of_all_decoders"] = replace(view, decoders=()).select(self._of_all_decoders)
        vars(part)["controls"] = view.select(self.controls)
        vars(part)["suite_headroom"] = self.suite_headroom
        vars(part)["_networks"] = self._networks
        return part

    def difference(self, decoder: str, other: str, by: Sequence[str] = ()) -> pl.DataFrame:
        """Return how much more of the test images one decoder has right than another.

        They are compared on the networks that both were read from, each at its chosen layer, image
        by image; rates that cannot be ranked are left out.

        Args:
            decoder: A decoder of the board, or of another board by its points, `lda-shrunk@both`.
            other: Another one.
            by: Columns that make groups, such as `model` and `rate`; one row for all by default.

        Returns:
            Columns `by`, `difference` and `half_width` of its 95 % interval, both in accuracy, and
            `networks`; see `memgen_leaderboard.scoring.contrasts.contrast`.

        Raises:
            UsageError: A decoder has no reading here, or there is no such column.
        """
        _check_groups(by, UNIT)
        of_one, of_other = (
            self.units_of(name).select(*UNIT, bits="decoded_bits") for name in (decoder, other)
        )
        return contrast(of_one, of_other, by)

    def units_of(self, decoder: str) -> pl.DataFrame:
        """Return the units of a decoder; rates that cannot be ranked are left out.

        Args:
            decoder: A decoder of the board, or of another board by its points, `lda-shrunk@both`.

        Raises:
            UsageError: It has no reading here.
        """
        try:
            name, points = split_points(decoder)
        except KeyError as error:
            raise UsageError(str(error.args[0])) from None
        view = replace(self.view, fitted_on=points or self.view.fitted_on)
        scores = self if view == self.view else replace(self, view=view)
        rankable = scores.units.filter("rankable")
        if name not in (known := set(rankable["decoder"])):
            there = ", ".join(sorted(known)) or "none"
            raise UsageError(f"no decoder {decoder} in {self.title}; there are {there}")
        return rankable.filter(decoder=name)

    def by(self, *columns: str) -> pl.DataFrame:
        """Return a board without ranks for each group of units, such as `noise` and `rate`.

        Raises:
            UsageError: There is no such column.
        """
        _check_groups(columns, self.units.columns)
        boards = []
        for values, part in self.units.group_by(columns, maintain_order=True):
            group = zip(columns, values, strict=True)
            named = [pl.lit(value).alias(name) for name, value in group]
            boards.append(rank(part, ranked=False).board.select(*named, pl.all()))
        return pl.concat(boards)


def _check_groups(by: Sequence[str], columns: Sequence[str]) -> None:
    """Refuse columns that units do not have."""
    if isinstance(by, str):
        raise UsageError(f"by takes a list, such as by=[{by!r}]")
    for name in by:
        if name not in columns:
            close = get_close_matches(name, columns, n=1) or UNIT
            raise UsageError(f"there is no column {name!r} to group by; take {', '.join(close)}")


def all_scores(results: str | Path | Snapshot, views: Sequence[View] = (View(),)) -> list[Scores]:
    """Return the scores of each suite and view that has something to show; see `all_suites`."""
    return [scores for scores in all_suites(results, views) if scores.units.height]


def require_scores(
    results: str | Path, views: Sequence[View], suite: str | None = None
) -> list[Scores]:
    """Return the scores of each suite and view that can be scored, at least one.

    Args:
        results: A results folder, or a folder of such.
        views: What to show of each suite.
        suite: A suite's name, or its name and version (`core v1`); all by default.

    Raises:
        StoreError: There is no such folder, it is damaged, or nothing can be scored.
        UsageError: There is no such suite, or a view names something that no suite has.
    """
    suites = all_suites(results, views)
    if suite is not None:
        there = ", ".join(dict.fromkeys(one.title for one in suites)) or "none"
        suites = [one for one in suites if suite in (one.suite, one.title)]
        if not suites:
            raise UsageError(f"{results}: there is no suite {suite!r}; there are {there}")
    found = [scores for scores in suites if scores.units.height]
    if not found:
        raise StoreError(f"{results}: {_nothing(suites, views)}")
    return found


def _nothing(suites: Sequence[Scores], views: Sequence[View]) -> str:
    """Say that nothing can be scored, with the networks that are there and a way out."""
    wanted = " and ".join(_networks_on(view.kind, view.labels) for view in views)
    there = _there(suites)
    only = f"there are only {', '.join(_networks_on(*each) for each in there)}"
    said = only if there else "no reading of a decoder is fine"
    return f"nothing to score of {wanted}; {said}; {_way_out(there, views)}"


def _networks_on(kind: str, labels: str) -> str:
    return f"{kind} networks on {labels} labels"


def _there(suites: Sequence[Scores]) -> list[tuple[str, str]]:
    """Return the kinds of networks of which decoders were read, with the labels, in order."""
    fine = (
        by_outcome(suite.readings).filter(_IS_FINE).select("kind", "labels") for suite in suites
    )
    return sorted({(kind, labels) for rows in fine for kind, labels in rows.unique().iter_rows()})


_IS_FINE = (pl.col("status") == "ok") & (pl.col("decoder") != READOUT)


def _way_out(there: Sequence[tuple[str, str]], views: Sequence[View]) -> str:
    kinds = dict.fromkeys(kind for kind, _ in there)
    others = [kind for kind in kinds if kind not in {view.kind for view in views}]
    if {UNMEMORIZED, UNMEMORIZED_CLEAN} & set(others):
        return f"--kind {UNMEMORIZED} shows those that did not memorize"
    shows = f"--kind {others[0]} shows such, " if others else ""
    return f"{shows}memgen-bench run makes what is missing"


def all_suites(results: str | Path | Snapshot, views: Sequence[View] = (View(),)) -> list[Scores]:
    """Return the scores of each suite and view, those too in which nothing can be scored.

    Suites whose readings are the newest come first.

    Args:
        results: A results folder, a folder of such, or what was already checked of one.
        views: What to show of each suite.

    Raises:
        StoreError: There is no such folder, or it is damaged.
        UsageError: A view names a rate, data set, model, kind, labels or points that no suite has.
    """
    suites = [suite for snapshot in _snapshots(results) for suite in _suites(snapshot)]
    suites.sort(key=lambda suite: suite.newest, reverse=True)
    for view in views if suites else ():
        _check(view, [suite.readings for suite in suites])
    return [replace(suite, view=view) for suite in suites for view in views]


def results_folders(path: Path) -> list[Path]:
    """Return a results folder itself, or the results folders inside a folder."""
    inner = [child for child in sorted(path.glob("*/")) if (child / "readings").is_dir()]
    return inner if inner and not (path / "readings").is_dir() else [path]


def _snapshots(results: str | Path | Snapshot) -> list[Snapshot]:
    if isinstance(results, Snapshot):
        return [results]
    return [Snapshot(folder) for folder in results_folders(named_path(results))]


def _suites(snapshot: Snapshot) -> Iterator[Scores]:
    readings = read_frame(snapshot, "readings", ["key", *COLUMNS])
    readings = readings.with_columns(pl.col(NAMES).cast(pl.Categorical))
    plans = read_frame(snapshot, "plans")
    if plans.is_empty() and readings.height:
        raise StoreError(f"{snapshot.folder}: lacks plans/, which says what belongs to which suite")
    for (suite, version), plan in sorted(plans.group_by("suite", "suite_version")):
        rows = readings.join(plan, on="key", how="semi")
        newest, now = pl.col("protocol_version").max(), current(rows)
        yield Scores(
            suite=str(suite),
            version=int(str(version)),
            view=View(),
            snapshot=snapshot,
            readings=now.filter(~IS_BESIDE),
            beside=now.filter(IS_BESIDE),
            checkpoints=at_checkpoints(rows).filter(~IS_BESIDE),
            missing=plan.height - rows.height,
            outdated=rows.filter(pl.col("protocol_version") < newest).height,
        )


def _check(view: View, readings: Sequence[pl.DataFrame]) -> None:
    asked = dict(view.axes)
    if not view.is_ranked:
        asked |= {"kind": (view.kind,), "labels": (view.labels,)}
    if view.fitted_on != "training":
        asked["fitted_on"] = (view.fitted_on,)
    for name, values in asked.items():
        there = pl.concat([by_outcome(frame).select(name).unique() for frame in readings])[name]
        known = sorted({value for value in there.cast(pl.String) if value is not None})
        lost = {UNMEMORIZED, UNMEMORIZED_CLEAN}  # who asks for one of them asks for both
        for value in values:
            if str(value) not in known and not (value in lost and lost & set(known)):
                raise UsageError(f"no {name} {value} in the results; there are {', '.join(known)}")


def decoder_order(scores: Scores) -> list[str]:
    """Return the decoders, the best first; their places in this order decide their styles."""
    shown = scores.board["decoder"].to_list()
    return [*shown, *sorted(set(scores.units["decoder"]) - set(shown))]
