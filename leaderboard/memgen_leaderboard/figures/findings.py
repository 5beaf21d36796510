"""Figures of the findings, by matplotlib: controls by rate, wrong labels by layer, two orders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from memgen_leaderboard.figures.palette import COLOURS, GREY
from memgen_leaderboard.figures.plots import INK, TWO_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from matplotlib.axes import Axes

PAIR = ["dataset", "model"]
# Each column of a frame of sources: the name in the legend, colour, dashes and mark.
LINES: Mapping[str, tuple[str, str, tuple[float, ...], str]] = {
    "ceiling": ("clean network", INK, (7.0, 2.0, 1.5, 2.0), ""),
    "decoded": ("memorized, chosen on validation", COLOURS[0], (), "o"),
    "early-stopped": ("early-stopped", INK, (1.5, 1.5), ""),
    "readout": ("readout", INK, (6.0, 3.0), ""),
    "pixels": ("pixels", COLOURS[3], (4.0, 1.5), "D"),
    "patches/100": ("patches", COLOURS[5], (4.0, 1.5), "^"),
    "untrained": ("untrained", COLOURS[1], (1.5, 2.0), "s"),
    "random": ("random labels", COLOURS[2], (3.0, 1.5), "v"),
}
_HEIGHT = 1.9  # inches of a panel


def sources_figure(frame: pl.DataFrame) -> Figure:
    """Draw the accuracy on memorized networks and on each control by rate, a panel for each pair.

    Args:
        frame: A row for each pair and `rate`, with columns of `LINES` and `half_width`, half the
            95 % interval of memorized less control; all are shares.
    """
    figure = Figure(figsize=(TWO_COLUMNS, _HEIGHT + 0.8), layout="constrained")
    for axes, part in _panels(figure, frame):
        part = part.sort("rate")
        for name, (_, colour, dashes, mark) in LINES.items():
            accuracy = 100 * part[name].cast(pl.Float64)
            axes.plot(part["rate"], accuracy, color=colour, linestyle=(0, dashes), marker=mark)
        low, high = (100 * (part["decoded"] + sign * part["half_width"]) for sign in (-1, 1))
        axes.fill_between(part["rate"], low, high, color=COLOURS[0], alpha=0.15, linewidth=0)
        axes.set_xticks(part["rate"].to_list())
        axes.set_xlabel("shuffle rate ρ")
    figure.axes[0].set_ylabel("test accuracy (%)")
    handles = [
        Line2D([], [], color=colour, linestyle=(0, dashes), marker=mark, label=label)
        for label, colour, dashes, mark in LINES.values()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    return figure


def wrong_labels_figure(frame: pl.DataFrame) -> Figure:
    """Draw how far wrong labels of training points are read as given, over the layers.

    Args:
        frame: A row for each pair, `rate`, `kind` (memorized or untrained), `layer` and
            `layer_depth`: `given`, a difference of shares.
    """
    figure = Figure(figsize=(TWO_COLUMNS, _HEIGHT + 0.8), layout="constrained")
    rates = sorted(set(frame["rate"]))
    colours = dict(zip(rates, COLOURS, strict=False))
    dashes: dict[str, tuple[float, ...]] = {"memorized": (), "untrained": (1.5, 2.0)}
    for axes, part in _panels(figure, frame):
        part = part.sort("layer_depth", "rate", "kind")
        layers = part.unique("layer", maintain_order=True)["layer"].to_list()
        for (rate, kind), line in part.group_by("rate", "kind", maintain_order=True):
            places = [layers.index(layer) for layer in line["layer"]]
            style = {"color": colours[rate], "linestyle": (0, dashes[str(kind)])}
            axes.plot(places, 100 * line["given"], marker="o", **style)
        axes.axhline(0, color=GREY, linewidth=0.6)
        axes.set_xticks(range(len(layers)), layers, rotation=40, ha="right", rotation_mode="anchor")
    figure.axes[0].set_ylabel("given less true label (points)")
    handles = [
        *(Line2D([], [], color=colours[rate], label=f"ρ {rate:g}") for rate in rates),
        *(Line2D([], [], color=INK, linestyle=(0, d), label=kind) for kind, d in dashes.items()),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


def order_figure(frame: pl.DataFrame, other: str, named: tuple[str, ...]) -> Figure:
    """Draw each decoder's X on every data set against its X on one, a panel for each other one.

    Args:
        frame: A row for each pair and `decoder`: `excess`, in accuracy.
        other: The data set on the horizontal axes.
        named: Decoders whose points have names.
    """
    figure = Figure(figsize=(TWO_COLUMNS, _HEIGHT + 0.4), layout="constrained")
    beside = frame.filter(dataset=other).select("decoder", across="excess")
    joined = frame.filter(pl.col("dataset") != other).join(beside, on="decoder")
    for axes, part in _panels(figure, joined):
        axes.axhline(0, color=GREY, linewidth=0.6)
        axes.axvline(0, color=GREY, linewidth=0.6)
        axes.scatter(100 * part["across"], 100 * part["excess"], s=9, color=COLOURS[0])
        for row in part.filter(pl.col("decoder").is_in(named)).iter_rows(named=True):
            spot = (100 * row["across"], 100 * row["excess"])
            axes.annotate(row["decoder"], spot, xytext=(2, 2), textcoords="offset points", size=6)
        axes.set_xlabel(f"X on {other} (points)")
    figure.axes[0].set_ylabel("X (points)")
    return figure


def _panels(figure: Figure, frame: pl.DataFrame) -> Iterator[tuple[Axes, pl.DataFrame]]:
    """Yield a panel for each pair, in the order of names, with its rows."""
    parts = list(frame.sort(PAIR).group_by(PAIR, maintain_order=True))
    grid = figure.subplots(1, len(parts), squeeze=False)
    for axes, ((dataset, model), part) in zip(grid.flat, parts, strict=True):
        axes.set_title(f"{model}\non {dataset}")
        yield axes, part
