"""Scores as tables of text, to be shown in a terminal, in Markdown or on a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from memgen_leaderboard.scoring.published import best_layers, compare, read_published, references
from memgen_leaderboard.scoring.ranking import best_decoders
from memgen_leaderboard.scoring.suite_scores import decoder_order
from memgen_leaderboard.text import (
    NOTHING,
    PLACES,
    SURE,
    covered,
    percent,
    points,
    spread,
    table,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from memgen_leaderboard.scoring.suite_scores import Scores
    from memgen_leaderboard.text import Table

# the board


def main_table(scores: Scores, notes: Iterable[str] = ()) -> Table:
    """Return the board: the readout, ranked decoders, the others, and published references."""
    columns = (
        *("rank", "decoder", "recovery", "accuracy", "vs untrained", "vs pixels", "clean net"),
        *("oracle", "s", "ok"),
    )
    readout = percent(scores.board["readout"].drop_nulls().first())  # type: ignore[arg-type]
    recovery = percent(0.0) if scores.board["recovery"].is_not_null().any() else ""
    rows = [("", "readout", recovery, readout, *[""] * 6)]
    rows += [_board_row(row) for row in scores.board.iter_rows(named=True)]
    published = published_rows(scores) if len(_pairs(scores)) == 1 else pl.DataFrame()
    rows += [_reference_row(row) for row in published.iter_rows(named=True)]
    return table(title(scores), columns, rows, [*notes, *_on_published(published)])


def title(scores: Scores) -> str:
    """Return the board's title: the suite and its axes."""
    units, view = scores.units, scores.view
    names = {
        axis: ", ".join(sorted(set(units[axis].drop_nulls())))
        for axis in ("dataset", "model", "noise")
    }
    seeds = units["seed"].n_unique()
    parts = [f"{scores.title}: {names['dataset']} × {names['model']}"]
    parts += [f"noise {names['noise']}"] * bool(names["noise"])
    parts += [f"{seeds} seed{'s' * (seeds > 1)}"]
    parts += [f"{view.kind} networks, {view.labels} labels"] * (not view.is_ranked)
    return ", ".join(parts)


def _board_row(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        _ranks(row["rank"], row["last_rank"]),
        row["decoder"],
        percent(row["recovery"], row["recovery_half_width"]),
        percent(row["decoded"]),
        points(row["gain_untrained"], row["gain_untrained_half_width"]),
        points(row["gain_pixels"], row["gain_pixels_half_width"]),
        percent(row["clean"]),
        percent(row["oracle"]),
        NOTHING if row["seconds"] is None else f"{row['seconds']:.2g}",
        f"{row['ok']}/{row['planned']}",
    )


def _ranks(first: int | None, last: int | None) -> str:
    if first is None:
        return NOTHING
    return f"{first}" if first == last else f"{first}–{last}"


def _reference_row(row: dict[str, Any]) -> tuple[str, ...]:
    recovery, oracle = percent(row["recovery"]), percent(row["oracle"])
    return ("", _published(row["decoder"]), recovery, *[""] * 4, oracle, "", "")


def _published(decoder: str) -> str:
    return f"{decoder} (published)"


def _on_published(rows: pl.DataFrame) -> list[str]:
    note = (
        "What is marked as published is of other networks, at layers chosen on test, and never "
        "ranked: leaderboard/published/README.md."
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


def _pairs(scores: Scores) -> list[tuple[str, str]]:
    pairs = scores.units.select("model", "dataset").unique()
    return sorted(pairs.iter_rows())


# parts of the board


def rates_table(scores: Scores) -> Table:
    """Return mean accuracies by rate, in the board's order."""
    found: dict[tuple[str, str, float], str] = {}
    readouts: dict[tuple[str, float], float | None] = {}
    for row in scores.rates.sort("ok").iter_rows(named=True):
        draw = (row["noise"] or "", row["rate"])
        found[row["decoder"], *draw] = covered(percent(row["decoded"]), row["ok"], row["planned"])
        readouts[draw] = row["readout"]  # the last row is of a decoder with all networks
    draws = sorted(readouts)
    several = len({noise for noise, _ in draws}) > 1
    headings = [f"{f'{noise} ' if several else ''}ρ {rate:g}" for noise, rate in draws]
    rows = [("readout", *(percent(readouts[draw]) for draw in draws))]
    rows += [
        (name, *(found.get((name, *draw), NOTHING) for draw in draws))
        for name in decoder_order(scores)
    ]
    return table("Accuracy by rate", ("decoder", *headings), rows)


def blocks_table(scores: Scores) -> Table:
    """Return recovery by model and data set, in the board's order, with published references."""
    pairs, names = _pairs(scores), decoder_order(scores)
    found: dict[tuple[str, str, str], str] = {}
    for row in scores.by("model", "dataset").iter_rows(named=True):
        recovery = percent(row["recovery"], row["recovery_half_width"])
        place = (row["decoder"], row["model"], row["dataset"])
        found[place] = covered(recovery, row["ok"], row["planned"])
    published = published_rows(scores)
    for row in published.iter_rows(named=True):
        name = _published(row["decoder"])
        found[name, row["model"], row["dataset"]] = percent(row["recovery"])
        names += [name] * (name not in names)
    rows = [(name, *(found.get((name, *pair), NOTHING) for pair in pairs)) for name in names]
    columns = ("decoder", *(f"{model} on {dataset}" for model, dataset in pairs))
    return table("Recovery by model and data set", columns, rows, _on_published(published))


def leaders_table(scores: Scores) -> Table:
    """Return the distance of each ranked decoder from the first, with intervals and p values."""
    first = scores.pairs.join(scores.board.head(1), on="decoder", how="semi")
    columns = ("decoder", "other", "recovery", "accuracy", "p (Holm)")
    rows = [
        (
            row["decoder"],
            row["other"],
            points(row["recovery_difference"], row["recovery_half_width"]),
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


def controls_table(scores: Scores) -> Table:
    """Return the best decoder on memorized networks, and on each of the controls."""
    places = {**PLACES, "decoded": f"{scores.view.kind} networks"}
    rows = [
        (places[row["column"]], row["decoder"], percent(row["accuracy"]), percent(row["worth"]))
        for row in best_decoders(scores.board).iter_rows(named=True)
    ]
    columns = ("read from", "best decoder", "accuracy", "as recovery")
    return table("What others would have given", columns, rows)


def unranked_table(scores: Scores) -> Table:
    """Return the accuracies that are never ranked: at layers chosen on test, and on true labels."""
    columns = ("decoder", "chosen layer", "oracle layer", "true labels")
    rows = [
        (row["decoder"], *(percent(row[name]) for name in ("decoded", "oracle", "true_labels")))
        for row in scores.board.iter_rows(named=True)
    ]
    return table("Shown, never ranked", columns, rows)


def mean_ranks_table(scores: Scores) -> Table | None:
    """Return mean ranks over blocks; None where there are too few."""
    found = scores.critical_difference
    if found is None:
        return None
    rows = [(name, f"{rank:.2f}") for name, rank in found.ranks.iter_rows()]
    notes = (
        f"Over {found.blocks} (model, data set) blocks; Friedman χ² = {found.statistic:.1f}, "
        f"p = {found.p_value:.2g}. Mean ranks that are less than {found.difference:.2f} apart "
        f"(Nemenyi, {SURE}) cannot be told apart.",
    )
    return table("Mean ranks over models and data sets", ("decoder", "mean rank"), rows, notes)


def lost_table(scores: Scores) -> Table:
    """Return the networks that did not memorize and are left out of all other tables."""
    lost = scores.networks.filter(~pl.col("memorized")).sort("dataset", "model", "rate", "seed")
    rows = [
        (
            *(row["model"], row["dataset"], row["kind"], f"{row['rate']:g}", f"{row['seed']}"),
            *(percent(row["accuracy_given"]), f"{row['epochs']}", row["stop_reason"]),
        )
        for row in lost.iter_rows(named=True)
    ]
    columns = ("model", "data set", "kind", "ρ", "seed", "memorized", "epochs", "stopped by")
    return table("Networks that did not memorize, left out", columns, rows)


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
