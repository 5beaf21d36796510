"""Scores as tables of text, to be shown in a terminal, in Markdown or on a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from memgen_bench.protocol import ALL_LAYERS
from memgen_bench.results.shortfalls import why_unmemorized
from memgen_bench.wording import counted
from memgen_leaderboard.scoring.controls import REFERENCES
from memgen_leaderboard.scoring.decoder_choice import CHOSEN
from memgen_leaderboard.scoring.gain import KINDS
from memgen_leaderboard.scoring.layer_choice import CELL
from memgen_leaderboard.scoring.published import best_layers, compare, read_published, references
from memgen_leaderboard.scoring.ranking import by_rate, scored
from memgen_leaderboard.scoring.suite_scores import decoder_order
from memgen_leaderboard.tables.verified import MARK, verified, verified_note
from memgen_leaderboard.text import (
    FITTED_ON,
    NOTHING,
    SURE,
    control_name,
    covered,
    percent,
    points,
    spread,
    table,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from memgen_leaderboard.scoring.suite_scores import Scores
    from memgen_leaderboard.text import Table

# the board


def main_table(scores: Scores, notes: Iterable[str] = ()) -> Table:
    """Return the board: readout, control, what is chosen, references, decoders, published."""
    columns = (
        "rank",
        "decoder",
        "X",
        "E",
        "recovery",
        "accuracy",
        "clean net",
        "oracle",
        "layer",
        "s",
        "ok",
    )
    layers, known = _chosen_layers(scores), verified(scores.folder)
    references = scores.board.filter(pl.col("decoder").is_in(REFERENCES))
    decoders = scores.board.filter(~pl.col("decoder").is_in(REFERENCES))
    rows = [
        *_shared_rows(scores.cells),
        *(("", *_board_row(row, layers)[1:]) for row in scores.chosen_board.iter_rows(named=True)),
        *(("", *_board_row(row, layers)[1:]) for row in references.iter_rows(named=True)),
        *(_board_row(row, layers) for row in decoders.iter_rows(named=True)),
        *_unread_rows(scores, len(columns)),
    ]
    rows = [(*row[:-1], f"{row[-1]} {MARK}") if row[1] in known else row for row in rows]
    here = {name: count for name, count in known.items() if name in {row[1] for row in rows}}
    published = published_rows(scores) if len(scores.of_pairs) == 1 else pl.DataFrame()
    rows += [_reference_row(row) for row in published.iter_rows(named=True)]
    below = [*notes, *verified_note(here), *_on_published(published)]
    return table(title(scores), columns, rows, below)


def title(scores: Scores) -> str:
    """Return the board's title: the suite and its axes."""
    units, view = scores.units, scores.view
    names = {
        axis: ", ".join(sorted(set(units[axis].drop_nulls())))
        for axis in ("dataset", "model", "noise")
    }
    parts = [f"{scores.title}: {names['dataset']} × {names['model']}"]
    parts += [f"noise {names['noise']}"] * bool(names["noise"])
    parts += [", ".join(f"ρ {rate:g}" for rate in view.rates)] * bool(view.rates)
    parts += [counted(units["seed"].n_unique(), "seed")]
    parts += [f"{view.kind} networks, {view.labels} labels"] * (not view.is_ranked)
    parts += [f"fitted on {FITTED_ON[view.fitted_on]}"] * (view.fitted_on != "training")
    return ", ".join(parts)


def _shared_rows(cells: pl.DataFrame) -> Iterator[tuple[str, ...]]:
    """Yield the rows of the networks' own readout and of the control: means over cells."""
    for name in ("readout", "control"):
        accuracy: Any = cells[name].mean()
        if accuracy is not None:
            scores = scored(cells.select(pl.lit(0), pl.all(), decoded=name), ["literal"])
            (row,) = scores.iter_rows(named=True)
            shares = (percent(row["share"]), percent(row["recovery"]))
            yield ("", name, points(row["excess"]), *shares, percent(accuracy), *[""] * 5)


def _chosen_layers(scores: Scores) -> dict[str, str]:
    """Return the layer that each decoder is mostly read at, and how often if not always."""
    units = pl.concat([scores.units, scores.chosen.select(scores.units.columns)])
    counts = units.filter("rankable").group_by("decoder", "layer").len()
    counts = counts.with_columns(of=pl.col("len").sum().over("decoder"))
    order = pl.col("len").cast(pl.Int64)
    first = counts.sort(-order, "layer").unique("decoder", keep="first", maintain_order=True)
    return {
        decoder: covered({ALL_LAYERS: "all"}.get(layer, layer), count, networks)
        for decoder, layer, count, networks in first.iter_rows()
    }


def _unread_rows(scores: Scores, columns: int) -> Iterator[tuple[str, ...]]:
    """Yield a row for each decoder that has no fine reading."""
    for name in scores.unread:
        yield (NOTHING, name, *[NOTHING] * (columns - 3), f"0/{scores.planned}")


def _board_row(row: dict[str, Any], layers: Mapping[str, str]) -> tuple[str, ...]:
    return (
        _ranks(row["rank"], row["last_rank"]),
        row["decoder"],
        points(row["excess"], row["excess_half_width"]),
        percent(row["share"]),
        percent(row["recovery"]),
        percent(row["decoded"]),
        percent(row["clean"]),
        percent(row["oracle"]),
        layers.get(row["decoder"], NOTHING),
        NOTHING if row["seconds"] is None else f"{row['seconds']:.2g}",
        f"{row['ok']}/{row['planned']}",
    )


def _ranks(first: int | None, last: int | None) -> str:
    if first is None:
        return NOTHING
    return f"{first}" if first == last else f"{first}–{last}"


def _reference_row(row: dict[str, Any]) -> tuple[str, ...]:
    recovery, oracle = percent(row["recovery"]), percent(row["oracle"])
    return ("", _published(row["decoder"]), "", "", recovery, "", "", oracle, "", "", "")


def _published(decoder: str) -> str:
    return f"{decoder} (published)"


def _on_published(rows: pl.DataFrame) -> list[str]:
    note = (
        "What is marked as published is of other networks, at layers chosen on test and without "
        "controls, and never ranked: leaderboard/published/README.md."
    )
    return [note] * (not rows.is_empty())


def published_rows(scores: Scores) -> pl.DataFrame:
    """Return published references for the models and data sets of a ranked board."""
    ranked = scores.units.filter("rankable")
    rates, noises = ranked["rate"].unique(), set(ranked["noise"])
    best = best_layers(read_published()).filter(pl.col("noise").is_in(noises))
    if not scores.view.is_ranked or len(noises) != 1:
        best = best.clear()
    found = references(best, rates)
    return found.join(scores.units, on=["model", "dataset"], how="semi")


# parts of the board


def rates_table(scores: Scores) -> Table:
    """Return mean accuracies by rate, in the board's order."""
    found: dict[tuple[str, str, float], str] = {}
    readouts: dict[tuple[str, float], float | None] = {}
    of_chosen = by_rate(scores.chosen)
    for row in (*of_chosen.iter_rows(named=True), *scores.rates.sort("ok").iter_rows(named=True)):
        draw = (row["noise"] or "", row["rate"])
        found[row["decoder"], *draw] = covered(percent(row["decoded"]), row["ok"], row["planned"])
        readouts[draw] = row["readout"]  # the last row is of a decoder with all networks
    draws = sorted(readouts)
    for noise, rate, readout in _of_draws(scores.cells, "readout"):
        readouts[noise, rate] = readout  # of the networks of the board
    several = len({noise for noise, _ in draws}) > 1
    headings = [f"{f'{noise} ' if several else ''}ρ {rate:g}" for noise, rate in draws]
    controls = {
        (noise, rate): control for noise, rate, control in _of_draws(scores.cells, "control")
    }
    rows = [("readout", *(percent(readouts[draw]) for draw in draws))]
    if any(control is not None for control in controls.values()):
        rows.append(("control", *(percent(controls.get(draw)) for draw in draws)))
    rows += [
        (name, *(found.get((name, *draw), NOTHING) for draw in draws))
        for name in (*of_chosen["decoder"].unique(), *decoder_order(scores))
    ]
    return table("Accuracy by rate", ("decoder", *headings), rows)


def _of_draws(cells: pl.DataFrame, name: str) -> Iterator[tuple[str, float, float | None]]:
    """Yield noise, rate and the mean of a column over the cells."""
    means = cells.group_by("noise", "rate").agg(pl.col(name).mean())
    return ((noise or "", rate, mean) for noise, rate, mean in means.iter_rows())


def cells_table(scores: Scores) -> Table:
    """Return the cells: the control with its name, headroom, and the references."""
    cells = scores.cells
    several = cells.select("dataset", "model").n_unique() > 1
    references = [name for name in REFERENCES if cells[name].count()]
    columns = (
        *(("model", "data set") if several else ()),
        *("noise", "ρ", "readout", "control", "ceiling", "headroom", *references),
        *("networks", "what the control is"),
    )
    rows = [
        (
            *((row["model"], row["dataset"]) if several else ()),
            *(row["noise"] or NOTHING, f"{row['rate']:g}"),
            *(percent(row[name]) for name in ("readout", "control", "ceiling")),
            f"{points(row['headroom'])}{' void' if row['is_void'] else ''}",
            *(percent(row[name]) for name in references),
            *(f"{row['networks']}", control_name(row)),
        )
        for row in cells.iter_rows(named=True)
    ]
    return table("Controls, ceilings and early stopping", columns, rows)


def sources_table(scores: Scores) -> Table:
    """Return the control of each source alone, beside the best decoder of the network."""
    found = scores.sources
    columns = ("model", "data set", "noise", "ρ", "accuracy", "best of", "what the control is")
    rows = [
        (
            *(row["model"], row["dataset"], row["noise"] or NOTHING, f"{row['rate']:g}"),
            *(percent(row["control"]), f"{row['among']}", control_name(row)),
        )
        for row in found.iter_rows(named=True)
    ]
    notes = (
        "Each is the reading with the best accuracy on noisy validation labels, averaged over the "
        "seeds; best of how many is said beside it.",
    )
    return table("The control of each source alone", columns, rows, notes)


def summary_table(scores: Scores) -> Table:
    """Return X and E of each decoder on each model and data set, with the spread of X.

    First stands what is chosen on validation.
    """
    summary = pl.concat([scores.chosen_summary, scores.summary])
    axes = ["model", "dataset", "noise"]
    pairs = summary.select(axes).unique(maintain_order=True).rows()
    found = {
        (row["decoder"], *(row[axis] for axis in axes)): row
        for row in summary.iter_rows(named=True)
    }
    spreads = (
        summary.group_by("decoder")
        .agg(
            mean=pl.col("excess").mean(),
            low=pl.col("excess").min(),
            high=pl.col("excess").max(),
            pairs=pl.col("excess").count(),
        )
        .sort(
            *(pl.col("decoder") != CHOSEN, pl.col("pairs") < len(pairs)),
            *(-pl.col("mean"), "decoder"),
            nulls_last=True,
        )
    )
    rows = []
    for row in spreads.iter_rows(named=True):
        of_pairs = [found.get((row["decoder"], *pair)) for pair in pairs]
        rows.append(
            (
                row["decoder"],
                f"{points(row['low'])} to {points(row['high'])}" if row["pairs"] else NOTHING,
                points(row["mean"]),
                *(_pair_cell(of_pair) for of_pair in of_pairs),
            )
        )
    names = (
        f"{model} on {dataset}{f', noise {noise}' if noise else ''}"
        for model, dataset, noise in pairs
    )
    columns = ("decoder", "X from pair to pair", "their mean", *names)
    notes = (
        "For each pair of model and data set: X ± half its interval, in brackets E. The mean over "
        "pairs hides their differences; read it with the spread.",
    )
    return table(f"{scores.title}: all pairs", columns, rows, notes)


def _pair_cell(row: dict[str, Any] | None) -> str:
    if row is None or row["excess"] is None:
        return NOTHING
    excess = points(row["excess"], row["excess_half_width"])
    share = "" if row["share"] is None else f" ({percent(row['share'])})"
    return covered(f"{excess}{share}", row["ok"], row["planned"])


def gains_table(scores: Scores) -> Table:
    """Return the conditional gain of the network's layers, beside that of the controls' layers."""
    found = scores.gains if scores.view.is_ranked else scores.gains.clear()
    shared = [*CELL, "decoder", "features"]
    rows = []
    for _, part in found.group_by(shared, maintain_order=True):
        of_kinds = {row["kind"]: row for row in part.iter_rows(named=True)}
        first = part.row(0, named=True)
        rows.append(
            (
                *(first["decoder"], f"{first['noise']}", f"{first['rate']:g}", first["features"]),
                percent(first["alone"]),
                *(_gain(of_kinds.get(kind)) for kind in KINDS),
                f"{max(row['networks'] for row in of_kinds.values())}",
            )
        )
    columns = ("decoder", "noise", "ρ", "features", "alone", *KINDS, "networks")
    notes = (
        "Alone is the accuracy on label-free features of the images. The others are the points "
        "that it gains with a layer beside them: of the memorized network, the untrained one, and "
        "that of random labels, each at the layer that its own noisy validation labels choose. "
        "Networks hold something for this decoder where their gain is above that of the other two. "
        "Decoders with features beside a layer are never ranked, and are no controls.",
    )
    return table("Conditional gain", columns, rows, notes)


def _gain(row: dict[str, Any] | None) -> str:
    return NOTHING if row is None else points(row["gain"], row["half_width"])


def leaders_table(scores: Scores) -> Table:
    """Return the distance of each ranked decoder from the first, with intervals and p values."""
    first = scores.differences.join(scores.board.head(1), on="decoder", how="semi")
    columns = ("decoder", "other", "accuracy", "p (Holm)")
    rows = [
        (
            row["decoder"],
            row["other"],
            points(row["difference"], row["half_width"]),
            "< 0.001" if row["p_holm"] < 0.001 else f"{row['p_holm']:.3f}",
        )
        for row in first.iter_rows(named=True)
    ]
    return table(
        "The first against the others, on the same networks and test images",
        columns,
        rows,
        (f"± is a {SURE} interval of one comparison; p values are corrected for all of them.",),
    )


def unranked_table(scores: Scores) -> Table:
    """Return the accuracies that are never ranked: at layers chosen on test, and on true labels."""
    columns = ("decoder", "chosen layer", "oracle layer", "true labels")
    rows = [
        (row["decoder"], *(percent(row[name]) for name in ("decoded", "oracle", "true_labels")))
        for row in scores.board.iter_rows(named=True)
    ]
    return table("Shown, never ranked", columns, rows)


def mean_ranks_table(scores: Scores) -> Table | None:
    """Return mean ranks over data sets; None where there are too few."""
    found = scores.critical_difference
    if found is None:
        return None
    rows = [(name, f"{rank:.2f}") for name, rank in found.ranks.iter_rows()]
    notes = (
        f"Over {found.blocks} data sets; Friedman χ² = {found.statistic:.1f}, "
        f"p = {found.p_value:.2g}. Mean ranks that are less than {found.difference:.2f} apart "
        f"(Nemenyi, {SURE}) cannot be told apart.",
    )
    return table("Mean ranks over data sets", ("decoder", "mean rank"), rows, notes)


def lost_table(scores: Scores) -> Table:
    """Return the networks that did not memorize and are left out of all other tables."""
    group = ["model", "dataset", "kind", "noise", "rate"]
    planned = {row[:-1]: row[-1] for row in scores.networks.group_by(group).len().iter_rows()}
    lost = scores.lost.sort("dataset", "model", "kind", "rate", "seed")
    rows = []
    for key, part in lost.group_by(group, maintain_order=True):
        model, dataset, kind, noise, rate = key
        given, epochs = part["accuracy_given"].drop_nulls(), part["epochs"].drop_nulls()
        rows.append(
            (
                *(f"{model}", f"{dataset}", f"{kind}", f"{noise or NOTHING}", f"{rate:g}"),
                f"{part.height}/{max(planned.get(key, 0), part.height)}",
                _from_to([percent(share) for share in given.sort()]),
                _from_to([f"{epoch}" for epoch in epochs.sort()]),
                ", ".join(part["stop_reason"].drop_nulls().unique().sort()),
            )
        )
    columns = (
        *("model", "data set", "kind", "noise", "ρ", "networks", "labels right", "epochs"),
        "stopped by",
    )
    boards = scores.units.select("model", "dataset").unique()
    without = scores.lost.join(boards, on=["model", "dataset"], how="anti")
    pairs = without.select("model", "dataset").unique().sort("dataset", "model").iter_rows()
    names = ", ".join(f"{model} on {dataset}" for model, dataset in pairs)
    notes = [f"Without a board, as no network memorized: {names}."] * bool(names)
    notes += [f"{line}." for line in why_unmemorized(without)]
    return table("Networks that did not memorize, left out", columns, rows, notes)


def _from_to(texts: list[str]) -> str:
    """Return the first and the last of some texts."""
    return "–".join(dict.fromkeys([texts[0], texts[-1]])) if texts else NOTHING


def comparison_table(scores: Scores) -> Table:
    """Return own and published accuracies side by side, of networks of all kinds."""
    readings = scores.view.select(scores.readings)
    columns = (
        *("model", "data set", "ρ", "kind", "decoder", "own", "seeds", "memorized", "published"),
        *("runs", "difference", "inside", "images"),
    )
    inside = {True: "yes", False: "no", None: NOTHING}
    rows = [
        (
            *(row["model"], row["dataset"], f"{row['rate']:g}", row["kind"], row["decoder"]),
            spread(row["own"], row["own_low"], row["own_high"]),
            f"{row['seeds']}",
            NOTHING if row["memorized"] is None else f"{row['memorized']}",
            spread(row["published"], row["published_low"], row["published_high"]),
            f"{row['runs']}",
            points(row["difference"]),
            inside[row["inside"]],
            f"{row['train_count']:,}",
        )
        for row in compare(readings, best_layers(read_published())).iter_rows(named=True)
    ]
    notes = (
        "Accuracies in % at layers chosen on test, the input left out; in brackets the lowest and "
        "the highest seed or run. Memorized: how many of the seeds did. Inside: the published mean "
        "lies between the own seeds. Images: what own networks are trained on.",
        "What to know of the published numbers is in leaderboard/published/README.md.",
    )
    return table(f"{scores.title}: own and published", columns, rows, notes)
