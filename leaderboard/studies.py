"""Fill in the tables of the studies: of plain digits, Fashion-MNIST, addition, and trainings.

    python leaderboard/studies.py            # or --check: only say whether they are up to date

The studies are made from leaderboard/studies/, whose seeds are not on the board, and, where nothing
is chosen by them, from the board's results.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from memgen_bench.protocol import FEATURES, MEMORIZED, READOUT
from memgen_bench.results.store import read_frame
from memgen_leaderboard.figures.frames import epoch_frame
from memgen_leaderboard.scoring.contrasts import contrast
from memgen_leaderboard.scoring.controls import REFERENCES
from memgen_leaderboard.scoring.decoder_choice import CHOSEN
from memgen_leaderboard.scoring.layer_choice import regret
from memgen_leaderboard.scoring.suite_scores import (
    Scores,
    View,
    all_scores,
    all_suites,
    decoder_order,
)
from memgen_leaderboard.scoring.units import COLUMNS, current, units
from memgen_leaderboard.scoring.variance import variance_table
from memgen_leaderboard.tables.boards import comparison_table, summary_table
from memgen_leaderboard.tables.markdown import markdown, update
from memgen_leaderboard.tables.retraining import retraining_table
from memgen_leaderboard.text import percent, points, table

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent
DOCS = HERE.parent / "docs"
# Files with generated parts.
FILES = (
    DOCS / "statistics.md",
    *(
        DOCS / "findings" / f"{name}.md"
        for name in ("decoders", "digits", "fashion-mnist", "addition", "training")
    ),
)
FASHION = HERE / "results" / "fashion"
ADDITION = HERE / "results" / "addition"
KNOWS_SUMS = ("fourier-told", "ipr-pruned")
MARKS = {0.4: "0.97", 0.6: "0.40", 0.8: "0.30"}  # set before any of it was looked for
RULES = {
    "network": "each network's own (the board's)",
    "cell": "by rate, seeds pooled",
    "rates": "for all rates together",
    "penultimate": "the last before the logits",
}
# Frozen on seeds 200 to 202, by noisy validation alone, before it was scored on the board's seeds.
WINNER = "spreading>rda-50"
RATES = (0.4, 0.6, 0.8)
# What it is compared with: the published decoders, with their usual settings and better ones.
FIRST = (
    *("knn-5", "knn-50", "lda", "lda-shrunk", "linear-svm", "logreg", "masc", "masc-75", "ncm"),
    *("ncm-euclidean", "qda-shrunk", "ridge", "velpic"),
)
PAPERS = "masc"
# Decoders that are slow, and the faster ones that they refine.
SLOW = {
    "rda": "rda-50",
    "lda-debiased": "lda-shrunk",
    "lda-told": "lda-shrunk",
    "qda-debiased": "rda-50",
    "qda-told": "rda-50",
    "masc-white-tuned": "masc-white",
    "fine-lda": "lda-shrunk",
    "confident-lda": "lda-shrunk",
    "knn-tuned": "knn-50",
    "spreading-tuned": "spreading",
    "linear-svm-tuned": "linear-svm",
    "logreg-tuned": "logreg",
    "logreg-forward": "logreg",
    "logreg-forward-told": "logreg",
    "logreg-backward": "logreg",
    "logreg-backward-told": "logreg",
}
# Where decoders read on Fashion-MNIST.
SOURCES = ("trained", "untrained", "pixels", "clean")
AXES = {
    "dataset": "data set",
    "model": "model",
    "rate": "rate",
    "cells": "these together",
    "noise_seed": "noise draw",
    "init_seed": "initialisation",
    "order_seed": "order of the data",
    "rest": "seeds together, and the rest",
}


def board() -> Scores:
    """Return the scores of `core`, version 1: four models on plain digits."""
    (scores,) = all_scores(HERE / "results" / "digits")
    return scores


def readings(study: str) -> pl.DataFrame:
    """Return a study's readings that count, of networks that memorized."""
    rows = current(read_frame(HERE / "studies" / study, "readings", ["key", *COLUMNS]))
    return rows.filter(pl.col("memorized").fill_null(True))


def layer_rules() -> str:
    """Return what each rule for choosing layers loses to the best layer on test."""
    found = readings("layer-rules").filter(pl.col("kind") != FEATURES)
    whole, by_rate = regret(found), regret(found, ["rate"])
    rates = sorted(set(by_rate["rate"]))
    lost = {(kind, rule, rate): value for kind, rate, _, _, value, *_, rule in by_rate.iter_rows()}
    rows = [
        (
            *(row["kind"], RULES[row["rule"]], percent(row["accuracy"])),
            *(points(-row[name]) for name in ("regret", "worst")),
            *(points(-lost[row["kind"], row["rule"], rate]) for rate in rates),
        )
        for row in whole.iter_rows(named=True)
    ]
    columns = ("network", "layer", "accuracy", "lost", "most", *(f"ρ {rate:g}" for rate in rates))
    title = (
        f"Accuracy lost to the best layer on test, in points: {found['seed'].n_unique()} seeds, "
        f"{found['model'].n_unique()} models, {found['decoder'].n_unique() - 1} decoders"
    )
    return markdown(table(title, columns, rows))


def variance() -> str:
    """Return how far each axis moves an accuracy, and a decoder's distance from the others."""
    found = units(readings("crossed"))
    rows = [
        (AXES[axis], f"{levels}", percent(accuracy), percent(difference))
        for axis, levels, accuracy, difference in variance_table(found).iter_rows()
    ]
    columns = ("axis", "levels", "accuracy", "distance from the mean of all decoders")
    return markdown(table("Standard deviation that an axis makes, in points", columns, rows))


def judged() -> Scores:
    """Return `core` where the winner is judged: memorized networks, at these rates."""
    (scores,) = all_scores(HERE / "results" / "digits", [View(rates=RATES)])
    return scores


def winner() -> str:
    """Return the winner beside earlier decoders and early stopping, on each model."""
    whole = summary_table(judged())
    shown = {WINNER, CHOSEN, *FIRST, *REFERENCES}
    rates = ", ".join(f"{rate:g}" for rate in RATES)
    title = f"{WINNER} and earlier decoders at rates {rates}: excess over the control"
    rows = tuple(row for row in whole.rows if row[0] in shown)
    return markdown(replace(whole, title=title, rows=rows))


def slow() -> str:
    """Return slow decoders beside the faster ones that they refine."""
    (scores,) = all_scores(HERE / "studies" / "slow")
    board = {row["decoder"]: row for row in scores.board.iter_rows(named=True)}
    found = {(d, r): a for d, r, a in scores.rates.select("decoder", "rate", "decoded").iter_rows()}
    rates = sorted(set(scores.units.filter("rankable")["rate"]))
    rows = [
        (
            *(name, other, percent(board[name]["decoded"])),
            points(board[name]["decoded"] - board[other]["decoded"]),
            *(percent(found[name, rate]) for rate in rates),
            f"{board[name]['seconds'] / board[other]['seconds']:.0f} ×",
        )
        for name, other in sorted(SLOW.items(), key=lambda pair: -board[pair[0]]["decoded"])
    ]
    columns = ("decoder", "refines", "accuracy", "gain", *(f"ρ {rate:g}" for rate in rates), "time")
    models, seeds = (scores.units[name].n_unique() for name in ("model", "seed"))
    title = f"Slow decoders: {models} models, {seeds} seeds, test accuracy in %"
    note = f"On the same networks {WINNER} has {percent(board[WINNER]['decoded'])} %."
    return markdown(table(title, columns, rows, [note]))


def dynamics() -> str:
    """Return accuracies after epochs of the training, over models."""
    (scores,) = all_scores(HERE / "studies" / "dynamics")
    at_checkpoint = pl.col("epoch").is_in(scores.checkpoints["epoch"].unique().implode())
    frame = epoch_frame(scores).filter(at_checkpoint)  # trainings end at epochs of their own
    frame = frame.with_columns(pl.col("decoder").fill_null(READOUT))
    means = frame.group_by("rate", "decoder", "epoch").agg(pl.col("accuracy").mean())
    found = {(rate, name, epoch): value for rate, name, epoch, value in means.iter_rows()}
    epochs = sorted(set(frame["epoch"]))
    decoders = [READOUT, *(name for name in decoder_order(scores) if name in set(frame["decoder"]))]
    rows = [
        (f"{rate:g}", name, *(percent(found[rate, name, epoch]) for epoch in epochs))
        for rate in sorted(set(frame["rate"]))
        for name in decoders
    ]
    seeds, models = scores.readings["seed"].n_unique(), frame["model"].n_unique()
    title = f"Test accuracy in % after so many epochs: {models} models, {seeds} seeds"
    return markdown(table(title, ("ρ", "decoder", *map(str, epochs)), rows))


def successors() -> str:
    """Return how networks do that are retrained on decoded labels, over models."""
    rows = read_frame(HERE / "results" / "digits", "successors")
    return markdown(retraining_table(rows, ["rate"]))


def fashion() -> str:
    """Return what decoders read on Fashion-MNIST out of trained networks and out of controls."""
    views = [View(kind=kind) for kind in ("memorized", "unmemorized", "untrained", "clean")]
    found: dict[tuple[str, float, str], float] = {}
    for scores in all_scores(FASHION, views):
        kind = scores.view.kind
        source = "trained" if kind in ("memorized", "unmemorized") else kind
        for row in scores.units.iter_rows(named=True):
            found[row["decoder"], row["rate"], source] = row["decoded"]
            found[READOUT, row["rate"], source] = row[READOUT]
            if row["pixels"] is not None:  # the same, whatever the network
                found[row["decoder"], row["rate"], "pixels"] = row["pixels"]
    rates = sorted({rate for _, rate, _ in found})
    places = [(rate, source) for rate in rates for source in SOURCES]
    decoders = {decoder for decoder, *_ in found} - {READOUT}
    rows = [
        (decoder, *(percent(found.get((decoder, *place))) for place in places))
        for decoder in [READOUT, *sorted(decoders, key=lambda name: _from_last(found, name, rates))]
    ]
    headings = [f"{source}, ρ {rate:g}" for rate, source in places]
    title = "Fashion-MNIST, the paper's CNN, corrupted labels: test accuracy in %"
    return markdown(table(title, ("decoder", *headings), rows, _how_far()))


def _from_last(
    found: dict[tuple[str, float, str], float], decoder: str, rates: list[float]
) -> tuple[Any, ...]:
    """Return what sorts decoders: accuracies at the highest rate first, and the name."""
    last = (found.get((decoder, rates[-1], source)) or 0.0 for source in SOURCES)
    return (*(-accuracy for accuracy in last), decoder)


def _how_far() -> list[str]:
    trained = read_frame(FASHION, "networks").filter(kind="memorized").sort("rate")
    shares = [
        f"{percent(row['accuracy_given'])} % after {row['epochs']} epochs at ρ {row['rate']:g}"
        for row in trained.iter_rows(named=True)
    ]
    return [
        f"Trained networks have {', '.join(shares)} of their noisy labels right; networks with "
        f"less than {100 * MEMORIZED:.0f} % did not memorize, and are not ranked."
    ]


def fashion_published() -> str:
    """Return own accuracies on Fashion-MNIST beside the published ones."""
    (scores,) = all_suites(FASHION)
    return markdown(comparison_table(scores))


def addition() -> str:
    """Return what decoders read of addition modulo 97 beside the best control, means over seeds."""
    (scores,) = all_scores(ADDITION)
    means = scores.units.group_by("decoder", "rate").agg(pl.col("decoded").mean())
    found = {(decoder, rate): value for decoder, rate, value in means.iter_rows()}
    of_rate = scores.units.group_by("rate").agg(pl.col("readout", "control", "ceiling").mean())
    for row in of_rate.iter_rows(named=True):
        found |= {(name, row["rate"]): row[name] for name in ("readout", "control", "ceiling")}
    rates = sorted({rate for _, rate in found})
    named = {"control": "the best control", "ceiling": "the clean network"}
    order = sorted({name for name, _ in found}, key=lambda name: (-found[name, rates[1]], name))
    rows = [
        (named.get(name, name), *(percent(found.get((name, rate))) for rate in rates))
        for name in order
    ]
    seeds = scores.units["seed"].n_unique()
    title = f"Test accuracy in % on addition modulo 97, all given labels right: {seeds} seeds"
    return markdown(table(title, ("decoder", *(f"ρ {rate:g}" for rate in rates)), rows))


def addition_marks() -> str:
    """Return at each rate the decoder that reads the most and knows nothing of arithmetic."""
    (scores,) = all_scores(ADDITION)
    units = scores.units.rename({"decoded_bits": "bits"})
    untold = units.filter(~pl.col("decoder").is_in([*REFERENCES, *KNOWS_SUMS]))
    control = scores.controls.filter("is_best").rename({"test_correct": "bits"})
    rows = []
    for rate in sorted(set(untold["rate"]) - {1.0}):
        at = untold.filter(rate=rate)
        means = at.group_by("decoder").agg(pl.col("decoded").mean())
        name = means.sort(-pl.col("decoded"), "decoder")["decoder"][0]
        own = at.filter(decoder=name)
        found = contrast(own, control).row(0, named=True)
        room = float((own["ceiling"] - own["control"]).to_numpy().mean())
        more, half = found["difference"], found["half_width"]
        rows.append(
            (
                *(f"{rate:g}", MARKS.get(rate, "–"), name),
                percent(float(own["decoded"].to_numpy().mean())),
                f"{points(more)} ± {percent(half)}",
                f"{more / room:.2f} ± {half / room:.2f}",
            )
        )
    title = "The decoder that reads the most and knows nothing of arithmetic, in hindsight"
    return markdown(table(title, ("ρ", "asked of E", "decoder", "reads", "X", "E"), rows))


def bounds(study: str) -> str:
    """Return what decoders read that are fitted on true labels of the same points.

    The layer is the one that is best on validation images.
    """
    found = readings(study).filter(
        pl.col("status") == "ok", pl.col("kind") != "clean", pl.col("decoder") != READOUT
    )
    order = [-pl.col("validation_accuracy"), pl.col("layer_index")]
    network = ["model", "kind", "rate", "seed"]
    best = found.sort(order).unique([*network, "decoder"], keep="first", maintain_order=True)
    means = best.group_by("model", "kind", "rate", "decoder").agg(pl.col("test_accuracy").mean())
    wide = means.pivot(on="decoder", index=["model", "kind", "rate"], values="test_accuracy")
    decoders = sorted(set(means["decoder"]))
    rows = [
        (
            *(
                (row["model"], "any")
                if row["kind"] == FEATURES
                else (f"the {row['kind']} {row['model']}", f"{row['rate']:g}")
            ),
            *(percent(row[name]) for name in decoders),
        )
        for row in wide.sort("kind", "model", "rate").iter_rows(named=True)
    ]
    title = f"Test accuracy in %, fitted on true labels: {found['seed'].n_unique()} seeds"
    return markdown(table(title, ("read from", "ρ", *decoders), rows))


PARTS: dict[str, Callable[[], str]] = {
    "addition": addition,
    "addition-marks": addition_marks,
    "bounds": partial(bounds, "bounds"),
    "addition-bounds": partial(bounds, "bounds-addition"),
    "winner": winner,
    "layer-rules": layer_rules,
    "variance": variance,
    "slow": slow,
    "dynamics": dynamics,
    "successors": successors,
    "fashion": fashion,
    "fashion-published": fashion_published,
}


def main() -> None:
    """Fill the parts in, or check them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say whether it is up to date")
    check = parser.parse_args().check
    fresh = {file: update(file, PARTS, check=check) for file in FILES}
    for file, is_fresh in fresh.items():
        said = "is up to date" if is_fresh else "is stale" if check else "updated"
        print(file.relative_to(HERE.parent), said)
    sys.exit(check and not all(fresh.values()))


if __name__ == "__main__":
    main()
