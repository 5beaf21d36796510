"""The data of a suite's page: boards for all its filters, figures, networks and readings."""

from __future__ import annotations

import base64
import gzip
import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl

from memgen_bench.results.csv_text import csv_text
from memgen_bench.results.store import read_frame
from memgen_leaderboard.figures import charts, frames
from memgen_leaderboard.figures.palette import styles
from memgen_leaderboard.page.decoders import about
from memgen_leaderboard.page.overview import roomiest
from memgen_leaderboard.scoring.suite_scores import decoder_order
from memgen_leaderboard.tables.boards import cells_table, main_table
from memgen_leaderboard.tables.latex import booktabs
from memgen_leaderboard.tables.notes import board_notes
from memgen_leaderboard.text import WORDS, percent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from memgen_leaderboard.figures.palette import Style
    from memgen_leaderboard.scoring.suite_scores import Scores

AXES = {
    "kind": "Networks",
    "labels": "Labels",
    "pair": "Model and data set",
    "noise": "Noise",
    "rate": "Rate",
}
HEAD = "decoder"  # the column that heads each row of the board
SHOWN = 6  # decoders whose curves are drawn at first

KINDS = ("memorized", "clean", "untrained", "random", "features")
# The columns of a reading on the page; `memgen-bench results export` has the rest.
READING = (
    *("dataset", "model", "noise", "rate", "seed", "kind", "memorized", "labels", "decoder"),
    *("fitted_on", "layer", "layer_depth", "rankable", "test_accuracy", "validation_accuracy"),
    *("fit_seconds", "predict_seconds", "status", "error_type", "message", "network_id"),
)


def page_styles(suites: Sequence[Scores]) -> dict[str, Style]:
    """Return the style of each decoder, the same in all figures of all suites of a page."""
    decoders = dict.fromkeys(name for scores in suites for name in decoder_order(scores))
    return styles(list(decoders), *(frames.drawn_first(scores, SHOWN) for scores in suites))


def suite_data(views: Sequence[Scores], looks: Mapping[str, Style]) -> dict[str, Any]:
    """Return the data of a suite that the page's scripts show.

    Args:
        views: Views of one suite; figures and networks are those of the first.
        looks: From `page_styles`.
    """
    order = decoder_order(views[0])
    return {
        **_boards(views),
        "decoders": order,
        "about": about(order),
        "shown": frames.drawn_first(views[0], SHOWN),
        "figures": _figures(views[0], {name: looks[name] for name in order}),
        "networks": [_network(row) for row in _networks(views[0]).iter_rows(named=True)],
        "training": {
            "spec": charts.training_chart(),
            "frame": _columns(frames.training_frame(views[0].networks)),
            **charts.TEXTS["training"],
        },
    }


def pack(data: dict[str, Any], readings: pl.DataFrame) -> dict[str, str]:
    """Return data and readings as texts to embed in a page, compressed and in base64."""
    parquet = io.BytesIO()
    readings.write_parquet(parquet, compression="zstd", compression_level=12)
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    contents = {
        "data": gzip.compress(text.encode(), mtime=0),
        "readings": gzip.compress(csv_text(readings).encode(), mtime=0),
        "parquet": parquet.getvalue(),
    }
    return {name: base64.b64encode(content).decode() for name, content in contents.items()}


# boards


def _boards(views: Sequence[Scores]) -> dict[str, Any]:
    """Return a board for each choice of the filters; a note that boards share is kept once."""
    notes: dict[str, int] = {}
    boards: list[dict[str, Any]] = []
    columns, start = tuple[str, ...](), roomiest(views[0])
    for view in views:
        for where, scores in _cuts(view):
            shown = main_table(scores, board_notes(scores))
            numbers = [notes.setdefault(note, len(notes)) for note in shown.notes]
            latex = "\n".join(map(booktabs, (shown, cells_table(scores))))
            texts = {"title": shown.title, "rows": shown.rows, "latex": latex}
            boards.append({"where": where, "notes": numbers, **texts})
            columns = shown.columns
    return {
        "boards": boards,
        "columns": columns,
        "head": columns.index(HEAD),
        "notes": list(notes),
        "start": next(b["where"] for b in boards if b["where"]["pair"] in ("", start)),
        "words": [column for column in columns if column in WORDS],
    }


def _cuts(scores: Scores) -> Iterator[tuple[dict[str, str], Scores]]:
    """Yield a view's parts: each model on each data set, and all rates together or one of them."""
    view = scores.view
    for pair in scores.of_pairs:
        (names,) = pair.units.select("model", "dataset").unique().iter_rows()
        noise = ", ".join(pair.view.noises if pair.view.noises != view.noises else ())
        rates = pair.units["rate"].drop_nulls().unique().sort().to_list()
        for rate in ("", *(f"{value:g}" for value in rates if len(rates) > 1)):
            chosen = (float(rate),) if rate else view.rates
            part = scores.narrowed(replace(pair.view, rates=chosen))
            where = (view.kind, view.labels, " on ".join(names), noise, rate)
            yield dict(zip(AXES, where, strict=True)), part


def filters(boards: Sequence[dict[str, Any]]) -> list[tuple[str, str, list[str]]]:
    """Return the axes with several values: name, label and values; the empty one stands for all."""
    found = []
    for axis, label in AXES.items():
        values = list(dict.fromkeys(board["where"][axis] for board in boards))
        found += [(axis, label, values)] * (len(values) > 1)
    return found


# figures


def _figures(scores: Scores, known: Mapping[str, Style]) -> list[dict[str, Any]]:
    """Return the figures that have data: specification, frame and texts of each."""
    layers = frames.layer_frame(scores)
    draws = layers["draw"].unique(maintain_order=True).to_list()
    own, rates = f"{scores.view.kind} network", frames.rate_frame(scores)
    times, beside = frames.time_frame(scores), frames.controls_frame(scores)
    found = [
        (
            "controls",
            charts.controls_chart(own, _panels(beside), beside["draw"].n_unique()),
            beside,
        ),
        ("rates", charts.rates_chart(known, rates["rate"].unique().sort().to_list()), rates),
        ("layers", charts.layers_chart(known, own, draws), layers),
        ("epochs", charts.epochs_chart(known, draws), frames.epoch_frame(scores)),
        ("pairs", charts.pairs_chart(list(known)), frames.pair_frame(scores)),
        ("time", charts.time_chart(known, frames.named_on_front(times)), times),
    ]
    ranks, differences = frames.mean_rank_frame(scores), scores.critical_difference
    if ranks is not None and differences is not None:
        ties = frames.tie_frame(scores).to_dicts()
        spec = charts.ranks_chart(ranks["decoder"].to_list(), ties, differences.difference)
        found.append(("ranks", spec, ranks))
    return [
        {"name": name, "spec": spec, "frame": _columns(frame), **charts.TEXTS[name]}
        for name, spec, frame in found
        if frame.height
    ]


def _panels(beside: pl.DataFrame) -> list[str]:
    """Return the panels of the controls: decoders as they come, each with its draws in order.

    Pairs may have panels of one name, so that their own order is not that of the draws.
    """
    of_decoders = beside.partition_by("decoder", maintain_order=True)
    return [
        name
        for own in of_decoders
        for name in own.sort("draw", maintain_order=True)["panel"].unique(maintain_order=True)
    ]


def _columns(frame: pl.DataFrame) -> dict[str, list[Any]]:
    return frame.with_columns(pl.col(pl.Float64).round_sig_figs(5)).to_dict(as_series=False)


# networks and readings


def _networks(scores: Scores) -> pl.DataFrame:
    place = pl.col("kind").replace_strict({kind: place for place, kind in enumerate(KINDS)})
    return scores.networks.sort("dataset", "model", place, "noise", "rate", "seed")


def _network(row: dict[str, Any]) -> dict[str, Any]:
    """Return a network's id, group and name, and its certificate as texts."""
    seeds = {name: row[f"{name}_seed"] for name in ("noise", "init", "order")}
    told = {
        "model": row["model"],
        "data set": row["dataset"],
        "kind": row["kind"],
        "memorized": {True: "yes", False: "no"}.get(row["memorized"]),
        "given labels right": _percent(row["accuracy_given"]),
        "of the wrong labels": _percent(row["accuracy_wrong"]),
        "noise": row["noise"],
        "rate ρ": f"{row['rate']:g}",
        "labels that are wrong": _percent(row["realised_rate"]),
        "epochs": row["epochs"],
        "stopped by": row["stop_reason"],
        "optimizer": row["optimizer"],
        "learning rate": row["lr"],
        "batches of": row["batch_size"],
        "training images": row["train_count"],
        "validation images": row["validation_count"],
        "test images": row["test_count"],
        "parameters": row["parameter_count"],
        "seeds": ", ".join(f"{name} {seed}" for name, seed in seeds.items() if seed is not None),
        "error": row["message"],
        "code": (row["code_commit"] or "")[:12] or None,
        "network": row["network_id"],
    }
    return {
        "id": row["network_id"],
        "group": f"{row['model']} on {row['dataset']}",
        "name": f"{row['kind']}, ρ {row['rate']:g}, seed {row['seed']}",
        "certificate": [(term, f"{value}") for term, value in told.items() if value is not None],
    }


def _percent(value: float | None) -> str | None:
    return None if value is None else f"{percent(value)} %"


def readings_frame(scores: Scores) -> pl.DataFrame:
    """Return the suite's readings that count, of all kinds and labels; seconds to 0.1 ms."""
    messages = read_frame(scores.snapshot, "readings", ["key", "error_type", "message"])
    rows = scores.readings.join(messages, on="key", how="left")
    texts = pl.col(pl.Categorical).cast(pl.String)
    seconds = pl.col("fit_seconds", "predict_seconds").round(4)
    order = [name for name in READING if "seconds" not in name and "accuracy" not in name]
    return rows.with_columns(texts, seconds).select(READING).sort(order)


def environments(networks: pl.DataFrame) -> list[str]:
    """Return the software versions and machines that made the networks, a line for each."""
    found = [json.loads(text) for text in networks["environment"].drop_nulls().unique().sort()]
    names = ("memgen-bench", "python", "torch", "scikit-learn", "system", "machine")
    lines = [" ".join(f"{name} {one[name]}," for name in names if name in one) for one in found]
    return sorted({line.rstrip(",") for line in lines})
