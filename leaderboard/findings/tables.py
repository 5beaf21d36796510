"""The tables of the findings on networks, in Markdown."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from findings.cells import CELL, held, of_decoder, pooled, scores, with_bits
from findings.decoder_order import DRAWS, PIXELS_SUFFICE, order_found
from findings.rate_one import at_rate_one
from findings.wrong_labels import KINDS, LEAKY, last_hidden, leak
from memgen_leaderboard.scoring.contrasts import contrast
from memgen_leaderboard.scoring.controls import REFERENCES
from memgen_leaderboard.scoring.decoder_choice import CHOSEN
from memgen_leaderboard.tables.boards import summary_table
from memgen_leaderboard.tables.markdown import markdown
from memgen_leaderboard.tables.notes import headroom_notes
from memgen_leaderboard.text import percent, points, table

if TYPE_CHECKING:
    from typing import Any

TOP = 5  # decoders of the summary in README.md
MASC = "masc"
SOURCES = {
    "pixels": "pixels",
    "patches/100": "patches",
    "untrained": "untrained",
    "random": "random labels",
}


def place(row: dict[str, Any]) -> tuple[str, str]:
    """Return the first two columns of a table: the pair, and the rate."""
    return f"{row['model']} on {row['dataset']}", f"{row['rate']:g}"


def plus_minus(difference: float | None, half_width: float | None) -> str:
    """Return a difference in points with half its interval."""
    if difference is None or half_width is None:
        return "–"
    return f"{points(difference)} ± {percent(half_width)}"


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
    """Return the chosen reading less each control alone, and E against the best, with intervals."""
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


def _share(row: dict[str, Any]) -> str:
    if row["share"] is None:
        return "void"
    return f"{row['share']:.2f} ± {row['half_width'] / (row['ceiling'] - row['control']):.2f}"


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


def top() -> str:
    """Return what is chosen, the first decoders and the paper's on each pair, and their room."""
    whole = summary_table(scores())
    chosen, papers = ([row for row in whole.rows if row[0] == name] for name in (CHOSEN, MASC))
    ranked = [row for row in whole.rows if row[0] not in (CHOSEN, MASC, *REFERENCES)]
    notes = (*headroom_notes(scores()), *whole.notes)
    return markdown(replace(whole, rows=(*chosen, *ranked[:TOP], *papers), notes=notes))
