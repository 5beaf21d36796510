"""Fill in the tables of "What memorized networks hold" and draw its figures, from results/core.

python leaderboard/evidence.py           # or --check: only say whether they are up to date
"""

from __future__ import annotations

import argparse
import io
import re
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import polars as pl
from scipy import stats

import answers
from memgen_bench.files.atomic import write_atomically
from memgen_bench.hashing import digest
from memgen_bench.protocol import FEATURES, LOGITS, READOUT
from memgen_bench.results.store import read_frame
from memgen_leaderboard.figures.findings import order_figure, sources_figure, wrong_labels_figure
from memgen_leaderboard.figures.frames import controls_frame, rate_frame
from memgen_leaderboard.figures.palette import styles
from memgen_leaderboard.figures.plots import STYLE, controls_figure, rates_figure
from memgen_leaderboard.scoring.contrasts import contrast
from memgen_leaderboard.scoring.controls import REFERENCES
from memgen_leaderboard.scoring.decoder_choice import CHOSEN
from memgen_leaderboard.scoring.layer_choice import UNIT
from memgen_leaderboard.scoring.suite_scores import Scores, View, all_scores
from memgen_leaderboard.scoring.units import units
from memgen_leaderboard.tables.boards import summary_table
from memgen_leaderboard.tables.markdown import markdown, update
from memgen_leaderboard.tables.notes import headroom_notes
from memgen_leaderboard.text import percent, points, table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from memgen_bench.plan.suite import FittedOn

HERE = Path(__file__).parent
CORE = HERE / "results" / "core"
DOCS = HERE.parent / "docs"
FILES = (
    HERE.parent / "README.md",
    *(DOCS / "findings" / f"{name}.md" for name in ("index", "networks")),
)
FIGURES = DOCS / "figures"
TOP = 5  # decoders of the summary in README.md
MASC = "masc"
LEAKY = "lda-shrunk"  # reads a given wrong label where it can be read linearly
PIXELS_SUFFICE = "digits"
LAYERS_OF = "digits-shifted"
NAMED = ("masc", "rda-50", "ridge-tuned")
DRAWS = 1_000  # of seeds and decoders, for the interval of a rank correlation
CHANCE = 0.12  # a cell in which no network is read above that is at chance
CELL = ["dataset", "model", "rate"]
KINDS = ("memorized", "untrained")
SOURCES = {
    "pixels": "pixels",
    "patches/100": "patches",
    "untrained": "untrained",
    "random": "random labels",
}


@cache
def scores(fitted_on: FittedOn = "training") -> Scores:
    """Return the scores of `core`, of decoders fitted on these points."""
    (found,) = all_scores(CORE, [View(fitted_on=fitted_on)])
    return found


def place(row: dict[str, Any]) -> tuple[str, str]:
    """Return the first two columns of a table: the pair, and the rate."""
    return f"{row['model']} on {row['dataset']}", f"{row['rate']:g}"


def with_bits(frame: pl.DataFrame) -> pl.DataFrame:
    """Name the column of the images that a unit has right as contrasts want it."""
    return frame.rename({"decoded_bits": "bits"})


def plus_minus(difference: float | None, half_width: float | None) -> str:
    """Return a difference in points with half its interval."""
    if difference is None or half_width is None:
        return "–"
    return f"{points(difference)} ± {percent(half_width)}"


def of_each(found: Scores, decoder: str) -> pl.DataFrame:
    """Return the mean accuracy of a decoder in each cell."""
    own = found.units.filter(pl.col("decoder") == decoder)
    return own.group_by(CELL).agg(pl.col("decoded").mean().alias(decoder))


def held(fitted_on: FittedOn = "training") -> pl.DataFrame:
    """Return what is chosen on validation in each cell beside all controls, with X and E."""
    found = scores(fitted_on)
    chosen, controls = found.chosen, found.controls
    means = chosen.group_by(CELL).agg(pl.col("decoded", "readout", "ceiling", "control").mean())
    by_source = (
        controls.group_by(*CELL, "source")
        .agg(pl.col("test_accuracy").mean())
        .pivot(on="source", index=CELL, values="test_accuracy")
    )
    best = controls.filter("is_best").rename({"test_correct": "bits"})
    excess = contrast(with_bits(chosen), best, CELL)
    names = best.group_by(CELL).agg(pl.col("source", "decoder", "layer").first())
    joined = means.join(by_source, on=CELL, how="left").join(excess, on=CELL)
    joined = joined.join(names, on=CELL).join(of_each(found, "early-stopped"), on=CELL, how="left")
    room = pl.col("ceiling") - pl.col("control")
    share = pl.when(room >= 0.02).then(pl.col("difference") / room)
    return joined.with_columns(share=share).sort(CELL)


def sources() -> str:
    """Return the table of each cell: the network's own reading, and that of each control."""
    rows = [
        (
            *place(row),
            *(percent(row[name]) for name in ("decoded", "readout", "early-stopped")),
            *(percent(row[name]) for name in SOURCES),
            percent(row["ceiling"]),
        )
        for row in held().iter_rows(named=True)
    ]
    columns = ("pair", "ρ", "chosen", "readout", "early-stopped", *SOURCES.values(), "clean")
    seeds = scores().units["seed"].n_unique()
    title = f"Test accuracy in %, {seeds} seeds: the memorized network, and each control alone"
    note = (
        "chosen: the decoder and layer that are best on the network's noisy validation labels; "
        "of each control the reading that is best on the same labels."
    )
    return markdown(table(title, columns, rows, [note]))


def alone() -> str:
    """Return what is chosen less each control alone, and E against the best, with intervals."""
    found = held().select(*CELL, "difference", "half_width", "share", "ceiling", "control")
    for source in SOURCES:
        own = scores().controls.filter(source=source).rename({"test_correct": "bits"})
        one = contrast(with_bits(scores().chosen), own, CELL).drop("networks")
        one = one.rename({"difference": source, "half_width": f"{source} half"})
        found = found.join(one, on=CELL, how="left")
    rows = [
        (
            *place(row),
            *(plus_minus(row[source], row[f"{source} half"]) for source in SOURCES),
            plus_minus(row["difference"], row["half_width"]),
            _share(row),
            points(row["pooled"]),
        )
        for row in found.join(pooled(), on=CELL, how="left").sort(CELL).iter_rows(named=True)
    ]
    columns = (
        "pair",
        "ρ",
        *(f"less {name}" for name in SOURCES.values()),
        "X",
        "E",
        "X, both pooled",
    )
    title = "What is chosen on the memorized network less each control alone, in points"
    note = "The interval of E is that of X over the room, which is taken as known."
    return markdown(table(title, columns, rows, [note]))


def pooled() -> pl.DataFrame:
    """Return X where decoder and layer are chosen on the validation labels of all seeds, too."""
    columns = [
        "layer",
        "test_accuracy",
        "validation_accuracy",
        "fitted_on",
        "saw_test",
        "told_noise",
    ]
    own = ["key", *CELL, "seed", "kind", "labels", "decoder", "status", "memorized", *columns]
    rows = read_frame(CORE, "readings", own).filter(
        pl.col("kind") == "memorized",
        pl.col("status") == "ok",
        pl.col("labels") == "corrupted",
        pl.col("fitted_on") == "training",
        pl.col("memorized").fill_null(True),
        ~pl.col("saw_test").fill_null(False),
        ~pl.col("told_noise"),
        ~pl.col("decoder").is_in([*REFERENCES, READOUT]),
    )
    means = rows.group_by(*CELL, "decoder", "layer").agg(
        pl.col("validation_accuracy", "test_accuracy").mean(), seeds=pl.len()
    )
    whole = means.filter(pl.col("seeds") == pl.col("seeds").max().over(CELL))
    order = ["validation_accuracy", "decoder", "layer"]
    best = whole.sort(order, descending=[True, False, False]).unique(
        CELL, keep="first", maintain_order=True
    )
    controls = held().select(*CELL, "control")
    joined = best.join(controls, on=CELL)
    return joined.select(*CELL, pooled=pl.col("test_accuracy") - pl.col("control"))


def _share(row: dict[str, Any]) -> str:
    if row["share"] is None:
        return "void"
    return f"{row['share']:.2f} ± {row['half_width'] / (row['ceiling'] - row['control']):.2f}"


def of_decoder(decoder: str) -> pl.DataFrame:
    """Return a decoder on memorized networks in each cell, less the control and its own ones."""
    found = scores()
    own = with_bits(found.units.filter(pl.col("decoder") == decoder))
    control = found.controls.filter("is_best").rename({"test_correct": "bits"})
    random = with_bits(units(found.readings, "random").filter(pl.col("decoder") == decoder))
    untrained = with_bits(units(found.readings, "untrained").filter(pl.col("decoder") == decoder))
    untrained = untrained.drop("order_seed").join(
        own.select(UNIT), on=[name for name in UNIT if name != "order_seed"], nulls_equal=True
    )
    result = own.group_by(CELL).agg(pl.col("decoded").mean())
    others = {"control": control, "random": random, "untrained": untrained}
    for name, other in others.items():
        texts = {column: own.schema[column] for column in UNIT}
        one = contrast(own, other.cast(texts), CELL).drop("networks")  # type: ignore[arg-type]
        one = one.rename({"difference": name, "half_width": f"{name}_half"})
        result = result.join(one, on=CELL, how="left")
    return result.sort(CELL)


def masc() -> str:
    """Return MASC on memorized networks less the control, and less itself on other networks."""
    rows = [
        (
            *place(row),
            percent(row["decoded"]),
            *(
                plus_minus(row[name], row[f"{name}_half"])
                for name in ("control", "random", "untrained")
            ),
        )
        for row in of_decoder(MASC).iter_rows(named=True)
    ]
    columns = ("pair", "ρ", "MASC", "less the control", "less random labels", "less untrained")
    title = "MASC on memorized networks, in %, and what it has more than without them, in points"
    return markdown(table(title, columns, rows))


def read(columns: list[str]) -> pl.DataFrame:
    """Return columns of the readings of one decoder, on memorized and untrained networks.

    Untrained networks count where the memorized network of the same seed does.
    """
    own = ["key", *CELL, "seed", "kind", "labels", "decoder", "status", "memorized", *columns]
    rows = read_frame(CORE, "readings", list(dict.fromkeys(own))).filter(
        pl.col("decoder") == LEAKY,
        pl.col("status") == "ok",
        pl.col("kind").is_in(KINDS),
        pl.col("labels") == "corrupted",
        pl.col("memorized").fill_null(True),
    )
    same = rows.filter(kind="memorized").select(*CELL, "seed").unique()
    return rows.join(same, on=[*CELL, "seed"], how="semi")


def leak() -> pl.DataFrame:
    """Return how often wrongly labelled training points are read as their given label.

    Returns:
        For each cell, kind of network and layer: `given`, the share of wrongly labelled training
        points that the decoder gives their wrong label, less the share that it gives the true one,
        of at most 1,000 training points.
    """
    columns = ["seed", "train_accuracy_given", "train_accuracy_true", "fitted_on"]
    rows = read([*columns, "layer", "layer_depth"]).filter(fitted_on="training")
    more = pl.col("train_accuracy_given") - pl.col("train_accuracy_true")
    both = rows.join(_wrong(), on=["dataset", "rate", "seed"])
    group = [*CELL, "kind", "layer", "layer_depth"]
    return both.group_by(group).agg(given=(more / pl.col("wrong")).mean()).sort(group)


def _wrong() -> pl.DataFrame:
    """Return the share of wrong labels among the training points on which accuracy is taken.

    A reading that has all given labels right has this share of the true ones wrong.
    """
    own = ["key", "dataset", "rate", "seed", "fitted_on", "status", "labels", "realised_rate"]
    rows = read_frame(CORE, "readings", [*own, "train_accuracy_given", "train_accuracy_true"])
    rows = rows.filter(
        pl.col("fitted_on") == "training",
        pl.col("labels") == "corrupted",
        pl.col("train_accuracy_given").is_not_null(),
        pl.col("rate") > 0,
    )
    perfect = pl.col("train_accuracy_given") == 1
    found = (1 - pl.col("train_accuracy_true")).filter(perfect).first()
    groups = rows.group_by("dataset", "rate", "seed")
    return groups.agg(wrong=pl.coalesce(found, pl.col("realised_rate").first()))


def held_out() -> str:
    """Return what decoders read that were fitted on held-out points, beside training points."""
    training, other = scores(), scores("held_out")
    difference = contrast(with_bits(other.chosen), with_bits(training.chosen), CELL)
    found = (
        held("held_out")
        .select(*CELL, "decoded", "early-stopped")
        .join(held().select(*CELL, trained="decoded"), on=CELL)
        .join(difference.drop("networks"), on=CELL)
        .join(last_hidden(), on=CELL, how="left")
    )
    fits = [f"{kind} {fitted_on}" for kind in KINDS for fitted_on in ("training", "held_out")]
    rows = [
        (
            *place(row),
            *(percent(row[name]) for name in (*fits, "trained", "decoded", "early-stopped")),
            plus_minus(row["difference"], row["half_width"]),
        )
        for row in found.sort(CELL).iter_rows(named=True)
    ]
    columns = (
        *("pair", "ρ", "last layer, training", "held-out", "untrained, training", "held-out"),
        *("chosen, training", "held-out", "early-stopped", "held-out less training"),
    )
    title = "Test accuracy in % of decoders fitted on training points or on held-out ones"
    note = (
        f"Last layer: {LEAKY} on the last hidden layer of the memorized and of the untrained "
        "network. Chosen: decoder and layer of the memorized network, on validation. There are 7.5 "
        "training points for each held-out one."
    )
    return markdown(table(title, columns, rows, [note]))


def live() -> pl.DataFrame:
    """Return the cells in which the memorized network is read above chance."""
    return held().filter(pl.col("decoded") > CHANCE).select(CELL)


def both_fittings() -> pl.DataFrame:
    """Return what is chosen on training and on held-out points, in cells above chance."""
    trained = held().select(*CELL, trained="decoded")
    return held("held_out").join(trained, on=CELL).join(live(), on=CELL, how="semi")


def last_hidden() -> pl.DataFrame:
    """Return the accuracy of a decoder on the last hidden layer, by kind and `fitted_on`."""
    rows = read(["layer", "layer_depth", "fitted_on", "test_accuracy"])
    hidden = rows.filter(pl.col("layer") != LOGITS)
    last = hidden.filter(pl.col("layer_depth") == pl.col("layer_depth").max().over(CELL))
    named = last.with_columns(fit=pl.concat_str("kind", "fitted_on", separator=" "))
    return named.pivot(on="fit", index=CELL, values="test_accuracy", aggregate_function="mean")


def order() -> str:
    """Return rank correlations of the decoders' X between plain digits and other pairs."""
    rows = [
        (pair, f"{value:+.2f}", f"{low:+.2f} to {high:+.2f}")
        for pair, (value, low, high) in order_found().items()
    ]
    title = f"Spearman's rank correlation of decoders' X with that on {PIXELS_SUFFICE}"
    columns = ("pair", "correlation", "95 % interval")
    return markdown(
        table(title, columns, rows, [f"Interval: {DRAWS} draws of the seeds and of the decoders."])
    )


def compared() -> list[str]:
    """Return the decoders that are ranked on all pairs."""
    ranked = scores().summary.drop_nulls("rank")
    counts = dict(ranked.group_by("decoder").len().iter_rows())
    return sorted(name for name, count in counts.items() if count == max(counts.values()))


def order_found() -> dict[str, tuple[float, float, float]]:
    """Return the correlation of each pair with plain digits, and its bootstrap interval."""
    own = scores().units.filter("rankable", pl.col("decoder").is_in(compared()))
    own = own.filter(pl.col("control").is_not_null())
    live = own.group_by(CELL).agg(best=pl.col("decoded").max()).filter(pl.col("best") > CHANCE)
    own = own.join(live, on=CELL, how="semi")
    excess = (pl.col("decoded") - pl.col("control")).mean()
    means = own.group_by("dataset", "rate", "decoder", "seed").agg(excess=excess)
    means = means.group_by("dataset", "decoder", "seed").agg(pl.col("excess").mean())
    means = means.sort("seed", "decoder")
    arrays = {
        str(dataset): part.pivot(on="seed", index="decoder", values="excess").sort("decoder")
        for (dataset,), part in means.group_by("dataset")
    }
    values = {name: part.drop("decoder").to_numpy() for name, part in arrays.items()}
    rng = np.random.default_rng(0)
    decoders, seeds = values[PIXELS_SUFFICE].shape
    draws = [
        (rng.integers(decoders, size=decoders), rng.integers(seeds, size=seeds))
        for _ in range(DRAWS)
    ]
    found = {}
    for name in sorted(values.keys() - {PIXELS_SUFFICE}):
        one, other = values[PIXELS_SUFFICE], values[name]
        drawn = [_correlation(one[np.ix_(*draw)], other[np.ix_(*draw)]) for draw in draws]
        low, high = np.nanquantile(drawn, [0.025, 0.975])
        found[name] = (_correlation(one, other), float(low), float(high))
    return found


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    return float(stats.spearmanr(one.mean(axis=1), other.mean(axis=1)).statistic)


def leaked() -> str:
    """Return how far the given wrong labels are readable, by layer."""
    layers = [*CELL, "layer", "layer_depth"]
    found = leak().pivot(on="kind", index=layers, values="given").sort(*CELL, "layer_depth")
    rows = [
        (*place(row), row["layer"], points(row["memorized"]), points(row["untrained"]))
        for row in found.iter_rows(named=True)
        if row["rate"] < 1
    ]
    title = (
        f"Wrongly labelled training points that {LEAKY} gives their wrong label less those that it "
        "gives the true one, in points of all of them"
    )
    return markdown(table(title, ("pair", "ρ", "layer", "memorized", "untrained"), rows))


def chance() -> str:
    """Return the mean accuracy of all decoders where given labels say nothing: at rate 1."""
    rows = [
        (
            *(row["dataset"], row["source"], row["fitted_on"].replace("_", "-")),
            *(percent(row[name]) for name in ("chance", "accuracy", "error")),
        )
        for row in at_rate_one().iter_rows(named=True)
    ]
    columns = ("data set", "source", "fitted on", "1 / K", "accuracy", "standard error")
    title = (
        "Mean test accuracy in % of all decoders and layers at rate 1, standard error over seeds"
    )
    return markdown(table(title, columns, rows))


def at_rate_one() -> pl.DataFrame:
    """Return the mean accuracy at rate 1 for each data set, source and fitting."""
    columns = ["dataset", "model", "kind", "seed", "fitted_on", "decoder", "num_classes"]
    own = ["key", "rate", "status", "labels", "saw_test", "test_accuracy", *columns]
    rows = read_frame(CORE, "readings", own).filter(
        pl.col("rate") == 1,
        pl.col("status") == "ok",
        pl.col("labels") == "corrupted",
        ~pl.col("saw_test").fill_null(False),
    )
    source = pl.when(pl.col("kind") == FEATURES).then("model").otherwise("kind")
    by = ["dataset", "source", "fitted_on"]
    seeds = rows.with_columns(source=source, chance=1 / pl.col("num_classes"))
    means = seeds.group_by(*by, "chance", "seed").agg(pl.col("test_accuracy").mean())
    error = pl.col("test_accuracy").std() / pl.len().sqrt()
    accuracy = pl.col("test_accuracy").mean()
    found = means.group_by(*by, "chance").agg(accuracy=accuracy, error=error, seeds=pl.len())
    return found.sort(by)


def top() -> str:
    """Return what is chosen, the first decoders and the paper's on each pair, and their room."""
    whole = summary_table(scores())
    chosen, papers = ([row for row in whole.rows if row[0] == name] for name in (CHOSEN, MASC))
    ranked = [row for row in whole.rows if row[0] not in (CHOSEN, MASC, *REFERENCES)]
    notes = (*headroom_notes(scores()), *whole.notes)
    return markdown(replace(whole, rows=(*chosen, *ranked[:TOP], *papers), notes=notes))


def excess_drawn() -> Figure:
    """Draw X by rate: the first decoders of the summary, and the paper's."""
    shown = summary_table(scores()).rows
    ranked = [str(row[0]) for row in shown if row[0] not in (CHOSEN, MASC, *REFERENCES)]
    return rates_figure(rate_frame(scores()), styles([MASC, *ranked[:3]]))


def layers_drawn() -> Figure:
    """Draw the memorized network over its layers beside all controls, on shifted digits."""
    frame = controls_frame(scores()).filter(pl.col("dataset") == LAYERS_OF)
    return controls_figure(frame, "memorized network")


def order_drawn() -> Figure:
    """Draw each decoder's X on every data set against that on plain digits."""
    frame = scores().summary.drop_nulls("rank").select("dataset", "model", "decoder", "excess")
    return order_figure(frame, PIXELS_SUFFICE, NAMED)


ANSWERS = {
    "finding": lambda: answers.finding(held(), of_decoder(MASC), scores().units["seed"].n_unique()),
    "memorized": lambda: answers.memorized(read_frame(CORE, "networks")),
    "answer-1": lambda: answers.held(held()),
    "answer-2": lambda: answers.masc(of_decoder(MASC)),
    "answer-3": lambda: answers.held_out(last_hidden(), leak(), both_fittings()),
    "answer-4": lambda: answers.order(order_found(), len(compared())),
    "answer-5": lambda: answers.depth(scores().chosen.join(live(), on=CELL, how="semi")),
}
PARTS = {
    **ANSWERS,
    "top": top,
    "sources": sources,
    "alone": alone,
    "masc": masc,
    "held-out": held_out,
    "order": order,
    "leak": leaked,
    "chance": chance,
}
DRAWN = {
    "excess": excess_drawn,
    "sources": lambda: sources_figure(held()),
    "layers": layers_drawn,
    "wrong-labels": lambda: wrong_labels_figure(leak().filter(pl.col("rate") < 1)),
    "order": order_drawn,
}


def draw(name: str, *, check: bool) -> bool:
    """Write a figure; return whether it was there already, with the same texts and numbers.

    Its lines may differ in a last digit from one release of matplotlib to the next.
    """
    path, content = FIGURES / f"{name}.svg", io.StringIO()
    with mpl.rc_context(STYLE):
        figure = DRAWN[name]()
        about = {"Date": None, "Description": _numbers(figure)}
        figure.savefig(content, format="svg", metadata=about)
    fresh, old = content.getvalue(), path.read_text() if path.is_file() else ""
    same = _texts(fresh) == _texts(old)
    if not same and not check:
        write_atomically(path, fresh.encode())
    return same


def _texts(svg: str) -> list[str]:
    """Return the texts of a figure, and its description, the digest of its numbers."""
    return re.findall(r"<(?:text|dc:description)[^>]*>(.*?)</(?:text|dc:description)>", svg)


def _numbers(figure: Figure) -> str:
    """Return a digest of the numbers that are drawn.

    They are moved off the halves, so that a difference in a last digit is rounded away.
    """
    drawn = [line.get_xydata() for axes in figure.axes for line in axes.lines]
    drawn += [spots.get_offsets() for axes in figure.axes for spots in axes.collections]
    return digest(
        {"drawn": [np.round(np.asarray(part, float) + 1e-7, 3).tolist() for part in drawn]}
    )


def main() -> None:
    """Fill the parts in and draw the figures, or check them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say whether it is up to date")
    check = parser.parse_args().check
    fresh = {str(file.relative_to(HERE.parent)): update(file, PARTS, check=check) for file in FILES}
    fresh |= {f"figure {name}": draw(name, check=check) for name in DRAWN}
    for what, is_fresh in fresh.items():
        print(what, "is up to date" if is_fresh else "is stale" if check else "updated")
    sys.exit(check and not all(fresh.values()))


if __name__ == "__main__":
    main()
