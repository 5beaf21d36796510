"""Figures for a paper, by matplotlib, from the frames of `figure_frames`."""

from __future__ import annotations

import io
import re
from itertools import zip_longest
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import polars as pl

from memgen_bench.errors import UsageError
from memgen_bench.files.atomic import write_atomically
from memgen_bench.protocol import READOUT
from memgen_leaderboard.figures import frames as frames
from memgen_leaderboard.figures.palette import DASHES, GREY, LINES, SOURCE_COLOURS, styles
from memgen_leaderboard.scoring.statistics import LEVEL
from memgen_leaderboard.scoring.suite_scores import decoder_order
from memgen_leaderboard.tables.latex import booktabs
from memgen_leaderboard.tables.report import suite_boards

try:
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
except ImportError as error:
    raise UsageError('figures need matplotlib: pip install "memgen-bench[figures]"') from error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from memgen_leaderboard.figures.palette import Style
    from memgen_leaderboard.scoring.suite_scores import Scores

ONE_COLUMN, TWO_COLUMNS = 3.3, 6.8  # inches
_NAMES_A_ROW = 4  # of a legend below a wide figure
_RATES_A_ROW, _LETTERS_A_LINE = 4, 130  # of panels, and of the names of controls below them
_TICKS = 16  # of mean ranks, at most
INK = "#222222"
# File formats, and the metadata to leave out of each so that equal figures are equal files.
FORMATS = {"png": "Software", "svg": "Date", "pdf": "CreationDate"}
STYLE: Any = {
    "font.size": 7.5,
    "axes.titlesize": 7.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.edgecolor": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.1,
    "lines.markersize": 3.2,
    "legend.frameon": False,
    "legend.handlelength": 2.6,
    "savefig.dpi": 300,
    "pdf.fonttype": 42,  # fonts that editors can edit
    "svg.fonttype": "none",
    "svg.hashsalt": "memgen-bench",  # the same file each time
    "text.parse_math": False,  # names come from strangers
}


def save_figures(scores: Scores, decoders: Sequence[str], folder: Path) -> list[Path]:
    """Draw all figures of a suite and write each as PNG, SVG and PDF.

    Args:
        scores: The scores of one suite.
        decoders: The decoders to draw curves of.
        folder: The folder to write the files to.

    Returns:
        The paths of the files.

    Raises:
        WriteError: A file cannot be written.
    """
    written = []
    with mpl.rc_context(STYLE):
        for name, figure in _figures(scores, decoders):
            written += _saved(figure, folder / _file_name(f"{scores.title}-{name}"))
    return written


def _saved(figure: Figure, stem: Path) -> list[Path]:
    """Write a figure in all formats and return the files."""
    written = []
    for extension, undated in FORMATS.items():
        content = io.BytesIO()
        figure.savefig(content, format=extension, metadata={undated: None})
        path = stem.with_name(f"{stem.name}.{extension}")
        write_atomically(path, content.getvalue())
        written.append(path)
    return written


def save_board(scores: Scores, folder: Path) -> Path:
    """Write the boards and their controls as LaTeX tables and return the file."""
    path = folder / f"{_file_name(f'{scores.title}-board')}.tex"
    tables = map(booktabs, suite_boards(scores))
    write_atomically(path, "\n".join(tables).encode())
    return path


def _file_name(text: str) -> str:
    """Return a text as a file name; names of models and data sets may be paths."""
    return re.sub(r"[^\w.+]+", "-", text)


def _figures(scores: Scores, decoders: Sequence[str]) -> Iterator[tuple[str, Figure]]:
    known = styles(decoder_order(scores), decoders)
    shown = {decoder: known[decoder] for decoder in decoders}
    layers = frames.layer_frame(scores)
    for (dataset, model), part in layers.group_by(frames.PAIR, maintain_order=True):
        yield f"layers-{dataset}-{model}", layers_figure(part, shown, f"{scores.view.kind} network")
    beside = frames.controls_frame(scores)
    for (dataset, model), part in beside.group_by(frames.PAIR, maintain_order=True):
        yield f"controls-{dataset}-{model}", controls_figure(part, f"{scores.view.kind} network")
    epochs = frames.epoch_frame(scores)
    for (dataset, model), part in epochs.group_by(frames.PAIR, maintain_order=True):
        yield f"epochs-{dataset}-{model}", epochs_figure(part, shown)
    if (rates := frames.rate_frame(scores)).height:
        yield "rates", rates_figure(rates, shown)
    pairs = frames.pair_frame(scores).drop_nulls("excess")
    if pairs.height:
        yield "pairs", pairs_figure(pairs, list(known))
    if (times := frames.time_frame(scores)).height:
        yield "time", time_figure(times, known)
    if (ranks := frames.mean_rank_frame(scores)) is not None:
        found = scores.critical_difference
        assert found is not None
        yield "ranks", ranks_figure(ranks, frames.tie_frame(scores), found.difference)


def layers_figure(frame: pl.DataFrame, shown: dict[str, Style], own: str) -> Figure:
    """Draw accuracy over layers, a panel for each rate, of one model on one data set.

    Args:
        frame: From `layer_frame`.
        shown: The decoders that are drawn.
        own: The source whose layers are joined by solid lines.
    """
    order = frame.drop_nulls("layer").sort("layer_index").unique("layer", maintain_order=True)
    layers = order["layer"].to_list()
    shown = _drawn(frame, shown)

    def panel(axes: Axes, part: pl.DataFrame) -> None:
        _layers_panel(axes, part, shown, own)
        axes.set_xticks(range(len(layers)), layers, rotation=40, ha="right", rotation_mode="anchor")
        axes.set_xlim(-0.4, len(layers) - 0.6)

    return _panels(frame, panel, [*_decoder_handles(shown), *_source_handles(own)])


def _panels(
    frame: pl.DataFrame, panel: Callable[[Axes, pl.DataFrame], None], handles: Sequence[Line2D]
) -> Figure:
    """Draw a panel of accuracies for each rate, with one legend."""
    draws = frame.unique("draw", maintain_order=True)["draw"].to_list()
    columns = min(3, len(draws))
    rows = -(-len(draws) // columns)
    figure = Figure(
        figsize=(TWO_COLUMNS if columns > 1 else ONE_COLUMN, 1.75 * rows + 0.65),
        layout="constrained",
    )
    grid = figure.subplots(rows, columns, squeeze=False)
    for place, axes in enumerate(grid.flat):
        if place >= len(draws):
            axes.set_axis_off()
            continue
        panel(axes, frame.filter(draw=draws[place]))
        axes.set_title(draws[place])
        if place % columns == 0:
            axes.set_ylabel("test accuracy (%)")
    figure.legend(handles=list(handles), loc="outside lower center", ncols=4 if columns > 1 else 2)
    return figure


def _layers_panel(axes: Axes, frame: pl.DataFrame, shown: dict[str, Style], own: str) -> None:
    drawn = frame.filter(pl.col("decoder").is_in(list(shown)))
    ends = [100 * accuracy for accuracy in drawn["accuracy"]]
    looks = {
        source: {"color": INK, "linestyle": (0, DASHES[source]), "linewidth": 0.9}
        for source in (READOUT, frames.CEILING)
    }
    _lines_across(axes, frame, looks, ends)
    for decoder, style in shown.items():
        for source in (frames.IMAGES, frames.UNTRAINED, frames.RANDOM, own):
            part = frame.filter(decoder=decoder, source=source).sort("layer_index")
            dashes = (0, DASHES.get(source, ()))
            axes.plot(
                *(part["layer_index"], 100 * part["accuracy"]),
                color=style.colour,
                marker=style.marker,
                linestyle="none" if source == frames.IMAGES else dashes if dashes[1] else "-",
                markerfacecolor=style.colour if source == own else "white",
                linewidth=1.2 if source == own else 0.8,
            )


def _lines_across(
    axes: Axes, frame: pl.DataFrame, looks: dict[str, dict[str, Any]], curves: Sequence[float]
) -> None:
    """Draw a line for each source, or name it at the edge where it is far from the curves.

    Args:
        axes: Where to draw.
        frame: The rows of the panel.
        looks: The style of each source's line.
        curves: The ends of what is drawn beside the lines, in %.
    """
    least, most = min(curves, default=0.0), max(curves, default=100.0)
    middle, span = (most + least) / 2, max(most - least, 100 * frames.LEAST_SPAN)
    lines = frame.filter(pl.col("source").is_in(list(looks))).select("source", "accuracy").rows()
    for source, share in sorted(lines, key=lambda line: abs(100 * line[1] - middle)):
        accuracy, step = 100 * share, span * frames.STEP
        if abs(accuracy - middle) <= (0.5 + frames.REACH) * span:
            axes.axhline(accuracy, zorder=1, **looks[source])
            least, most = min(least, accuracy), max(most, accuracy)
        elif accuracy > middle:
            most += step
            _name_at_edge(axes, most, f"↑ {source} {accuracy:.1f} %")
        else:
            least -= step
            _name_at_edge(axes, least, f"↓ {source} {accuracy:.1f} %")


def _name_at_edge(axes: Axes, place: float, text: str) -> None:
    axes.plot(0, place, alpha=0)  # the axis reaches as far
    how: dict[str, Any] = {"ha": "right", "va": "center", "size": 6}
    axes.text(1, place, text, transform=axes.get_yaxis_transform(), **how)


def _drawn(frame: pl.DataFrame, shown: dict[str, Style]) -> dict[str, Style]:
    """Return the styles of the decoders that occur in a frame."""
    present = set(frame["decoder"])
    return {decoder: style for decoder, style in shown.items() if decoder in present}


def _decoder_handles(shown: dict[str, Style]) -> list[Line2D]:
    return [
        Line2D([], [], color=style.colour, marker=style.marker, label=decoder)
        for decoder, style in shown.items()
    ]


def _source_handles(own: str) -> list[Line2D]:
    hollow: dict[str, Any] = {"marker": "o", "markerfacecolor": "white"}
    lines: dict[str, dict[str, Any]] = {
        own: {"marker": "o"},
        frames.UNTRAINED: {"linestyle": (0, DASHES[frames.UNTRAINED]), **hollow},
        frames.RANDOM: {"linestyle": (0, DASHES[frames.RANDOM]), **hollow},
        frames.IMAGES: {"linestyle": "none", **hollow},
        READOUT: {"linestyle": (0, DASHES[READOUT])},
        frames.CEILING: {"linestyle": (0, DASHES[frames.CEILING])},
    }
    return [
        Line2D([], [], color=GREY if "marker" in how else INK, label=name, **how)
        for name, how in lines.items()
    ]


def controls_figure(frame: pl.DataFrame, own: str) -> Figure:
    """Draw accuracy over layers beside all controls, a row for each decoder, of one pair.

    Args:
        frame: From `controls_frame`, of one model on one data set.
        own: The source that is not a control.
    """
    draws = frame.unique("draw", maintain_order=True)["draw"].to_list()
    decoders = frame.unique("decoder", maintain_order=True)["decoder"].to_list()
    layers = frame.drop_nulls("layer").sort("layer_index").unique("layer", maintain_order=True)
    columns = min(_RATES_A_ROW, len(draws))
    rows = [
        (decoder, draws[start : start + columns])
        for decoder in decoders
        for start in range(0, len(draws), columns)
    ]
    letters = _LETTERS_A_LINE if columns > 1 else _LETTERS_A_LINE // 2
    names = [line for name in _what_controls_are(frame) for line in wrap(name, letters)]
    figure = Figure(
        figsize=(
            TWO_COLUMNS if columns > 1 else ONE_COLUMN,
            1.85 * len(rows) + 0.65 + 0.13 * len(names),
        ),
        layout="constrained",
    )
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for (decoder, shown), line in zip(rows, grid, strict=True):
        for draw, axes in zip_longest(shown, line):
            if draw is None:
                axes.set_axis_off()
                continue
            _controls_panel(axes, frame.filter(draw=draw, decoder=decoder), own)
            axes.set_title(f"{decoder}\n{draw}")
            axes.set_xticks(
                *(range(layers.height), layers["layer"].to_list()),
                **{"rotation": 40, "ha": "right", "rotation_mode": "anchor"},
            )
            axes.set_xlim(-0.4, layers.height - 0.6)
        line[0].set_ylabel("test accuracy (%)")
    legend = figure.legend(
        handles=_controls_handles(frame, own),
        loc="outside lower center",
        ncols=4 if columns > 1 else 2,
        title="\n".join(names),
        alignment="left",
    )
    legend.get_title().set_fontsize(6.5)
    return figure


def _what_controls_are(frame: pl.DataFrame) -> list[str]:
    """Return a line for each panel that names its control and its best features."""
    found = frames.controls_named(frame).select("draw", "named").iter_rows()
    return [f"{draw}, {named.replace(chr(10), '; ')}" for draw, named in found]


def _controls_panel(axes: Axes, frame: pl.DataFrame, own: str) -> None:
    of_layers = frame.drop_nulls("layer")
    ends = [100 * of_layers[name].drop_nulls() for name in ("low", "accuracy", "high")]
    looks = {source: _line_style(source, dashes) for source, dashes in LINES.items()}
    _lines_across(axes, frame, looks, pl.concat(ends).to_list())
    for source in (frames.RANDOM, frames.UNTRAINED, own):
        part = frame.filter(source=source).sort("layer_index")
        style = _curve_style(source, own)
        axes.plot(part["layer_index"], 100 * part["accuracy"], **style)
        band = part.drop_nulls("low")
        low, high = (100 * band[name].to_numpy() for name in ("low", "high"))
        places = band["layer_index"].to_numpy()
        axes.fill_between(places, low, high, color=style["color"], alpha=0.15, linewidth=0)


def _line_style(source: str, dashes: tuple[float, ...]) -> dict[str, Any]:
    colour = SOURCE_COLOURS.get(source, INK)
    return {"color": colour, "linestyle": (0, dashes) if dashes else "-", "linewidth": 1.0}


def _curve_style(source: str, own: str) -> dict[str, Any]:
    colour = SOURCE_COLOURS[None if source == own else source]
    dashes = DASHES.get(source)
    marker = {own: "o", frames.UNTRAINED: "s", frames.RANDOM: "^"}[source]
    return {
        **{"color": colour, "linestyle": (0, dashes) if dashes else "-"},
        **{"marker": marker, "markerfacecolor": colour if source == own else "white"},
    }


def _controls_handles(frame: pl.DataFrame, own: str) -> list[Line2D]:
    present = set(frame["source"])
    curves = {
        source: _curve_style(source, own) for source in (own, frames.UNTRAINED, frames.RANDOM)
    }
    lines = {source: _line_style(source, dashes) for source, dashes in LINES.items()}
    return [
        Line2D([], [], label=source, **how)
        for source, how in (curves | lines).items()
        if source in present
    ]


def epochs_figure(frame: pl.DataFrame, shown: dict[str, Style]) -> Figure:
    """Draw accuracy over epochs, a panel for each rate, of one model on one data set.

    Args:
        frame: From `epoch_frame`.
        shown: The decoders that are drawn.
    """
    how: dict[str, Any] = {"color": INK, "linestyle": (0, DASHES[READOUT]), "linewidth": 0.9}
    shown = _drawn(frame, shown)

    def panel(axes: Axes, part: pl.DataFrame) -> None:
        readout = part.filter(pl.col("decoder").is_null())
        axes.plot(readout["epoch"], 100 * readout["accuracy"], **how)
        for decoder, style in shown.items():
            line = part.filter(decoder=decoder)
            axes.plot(
                *(line["epoch"], 100 * line["accuracy"]), color=style.colour, marker=style.marker
            )
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda epoch, _: f"{epoch:g}")
        axes.set_xlabel("epoch")

    handles = [*_decoder_handles(shown), Line2D([], [], label=READOUT, **how)]
    return _panels(frame, panel, handles)


def rates_figure(frame: pl.DataFrame, shown: dict[str, Style]) -> Figure:
    """Draw excess over the control by rate with its intervals, a panel for each pair.

    Args:
        frame: From `rate_frame`.
        shown: The decoders that are drawn.
    """
    parts = [part for _, part in frame.group_by(frames.PAIR, maintain_order=True)]
    columns = min(4, len(parts))
    rows = -(-len(parts) // columns)
    figure = Figure(
        figsize=(TWO_COLUMNS if columns > 1 else ONE_COLUMN, 1.9 * rows + 0.8),
        layout="constrained",
    )
    grid = figure.subplots(rows, columns, sharey=False, squeeze=False)
    for place, axes in enumerate(grid.flat):
        if place >= len(parts):
            axes.set_axis_off()
            continue
        _rates_panel(axes, parts[place], shown)
        if place % columns == 0:
            axes.set_ylabel(f"X (points, {LEVEL:.0%} intervals)")
    control = Line2D([], [], color=INK, linestyle=(0, DASHES[READOUT]), label="control")
    handles = [*_decoder_handles(shown), control]
    figure.legend(handles=handles, loc="outside lower center", ncols=4 if columns > 1 else 2)
    return figure


def _rates_panel(axes: Axes, frame: pl.DataFrame, shown: dict[str, Style]) -> None:
    axes.axhline(0, color=INK, linestyle=(0, DASHES[READOUT]), linewidth=0.9)
    for decoder, style in shown.items():
        for _, part in frame.filter(decoder=decoder).group_by("noise"):
            part = part.sort("rate")
            rates = part["rate"].to_numpy()
            low, high = (100 * part[name].to_numpy() for name in ("low", "high"))
            axes.fill_between(rates, low, high, color=style.colour, alpha=0.15, linewidth=0)
            axes.plot(rates, 100 * part["excess"], color=style.colour, marker=style.marker)
    axes.set_title(f"{frame['model'][0]}\non {frame['dataset'][0]}")
    axes.set_xticks(frame["rate"].unique().sort().to_list())
    axes.set_xlabel("shuffle rate ρ")


def pairs_figure(frame: pl.DataFrame, order: Sequence[str]) -> Figure:
    """Draw the excess of each decoder on each model and data set as a heat map.

    Args:
        frame: From `pair_frame`.
        order: The decoders, from the top.
    """
    pairs = frame.unique("pair", maintain_order=True)["pair"].to_list()
    present = set(frame["decoder"])
    decoders = [decoder for decoder in order if decoder in present]
    width = max(ONE_COLUMN, min(TWO_COLUMNS, 1.2 + 0.62 * len(pairs)))
    figure = Figure(figsize=(width, 0.17 * len(decoders) + 1.2), layout="constrained")
    axes = figure.subplots()
    found = {(d, p): value for d, p, value in frame.select("decoder", "pair", "excess").rows()}
    values = [[100 * found.get((d, p), float("nan")) for p in pairs] for d in decoders]
    image = axes.imshow(values, cmap="PuOr", vmin=-20, vmax=20, aspect="auto")
    for row, line in enumerate(values):
        for column, value in enumerate(line):
            if value == value:
                ink = "black" if abs(value) < 12 else "white"
                axes.text(column, row, f"{value:.0f}", ha="center", va="center", color=ink)
    labels = [pair.replace(" on ", "\non ") for pair in pairs]
    axes.set_xticks(range(len(pairs)), labels, rotation=30, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(decoders)), decoders)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=axes, label="X (points)", pad=0.02, aspect=30)
    bar.outline.set_visible(False)
    return figure


def save_difference(frame: pl.DataFrame, title: str, folder: Path) -> list[Path]:
    """Draw the difference of two decoders with its intervals as PNG, SVG and PDF.

    Args:
        frame: From `pairwise_frame`.
        title: What is subtracted from what, which names the files, too.
        folder: The folder to write the files to.

    Raises:
        WriteError: A file cannot be written.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(ONE_COLUMN, 0.2 * frame.height + 0.8), layout="constrained")
        axes = figure.subplots()
        axes.axvline(0, color=GREY, linewidth=0.8)
        for place, row in enumerate(frame.iter_rows(named=True)):
            whole = row["rate"] is None
            axes.errorbar(
                *(100 * row["difference"], -place),
                xerr=100 * row["half_width"],
                fmt="D" if whole else "o",
                color=INK if whole else GREY,
                elinewidth=1.0,
            )
        axes.set_yticks([-place for place in range(frame.height)], _names_of_rows(frame))
        figure.suptitle(title)
        axes.set_xlabel("points of test accuracy")
        return _saved(figure, folder / _file_name(title))


def _names_of_rows(frame: pl.DataFrame) -> list[str]:
    return [
        ", ".join(
            [
                f"{row['model']} on {row['dataset']}" if row["model"] else "all pairs",
                *([row["noise"]] if row["noise"] and frame["noise"].n_unique() > 2 else []),
                "all ρ" if row["rate"] is None else f"ρ {row['rate']:g}",
            ]
        )
        for row in frame.iter_rows(named=True)
    ]


def time_figure(frame: pl.DataFrame, known: dict[str, Style]) -> Figure:
    """Draw accuracy against seconds, with the Pareto front of the two.

    Args:
        frame: From `time_frame`.
        known: The style of each decoder.
    """
    rows = -(-frame.height // _NAMES_A_ROW)
    figure = Figure(figsize=(TWO_COLUMNS, 2.6 + 0.16 * rows), layout="constrained")
    axes = figure.subplots()
    front = frame.filter("front")
    axes.step(*(front["seconds"], 100 * front["decoded"]), where="post", color=GREY, linewidth=0.8)
    for row in frame.iter_rows(named=True):
        style = known[row["decoder"]]
        axes.plot(
            *(row["seconds"], 100 * row["decoded"]),
            color=style.colour,
            marker=style.marker,
            markersize=5,
            linestyle="none",
            markerfacecolor=style.colour if row["front"] else "white",
        )
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda seconds, _: f"{seconds:g}")  # the default writes formulas
    axes.set_xlabel("fit and predictions (s)")
    axes.set_ylabel("test accuracy (%)")
    handles = _decoder_handles(_drawn(frame, known))
    first = set(front["decoder"])
    for handle in handles:
        handle.set(linestyle="none", markersize=5)
        if handle.get_label() not in first:
            handle.set_markerfacecolor("white")
    handles.append(Line2D([], [], color=GREY, linewidth=0.8, label="Pareto front"))
    figure.legend(handles=handles, loc="outside lower center", ncols=_NAMES_A_ROW, handlelength=1)
    return figure


def ranks_figure(ranks: pl.DataFrame, ties: pl.DataFrame, difference: float) -> Figure:
    """Draw a critical-difference diagram (Demšar 2006).

    Args:
        ranks: From `mean_rank_frame`.
        ties: From `tie_frame`.
        difference: The critical difference: mean ranks at most so far apart do not differ
            significantly.
    """
    count, rows, bars = ranks.height, ranks["row"].max(), ties.height
    assert isinstance(rows, int)
    below = 0.5 + 0.35 * bars
    figure = Figure(figsize=(TWO_COLUMNS, 0.16 * (rows + below) + 0.75))
    axes = figure.add_axes((0.25, 0.02, 0.5, 0.96))
    axes.set_ylim(rows + below + 1, -4)
    axes.set_xlim(1, count)
    axes.set_axis_off()
    axes.plot([1, count], [0, 0], color=INK, linewidth=0.8, clip_on=False)
    for tick in range(1, count + 1, -(-count // _TICKS)):
        axes.plot([tick, tick], [0, -0.3], color=INK, linewidth=0.8, clip_on=False)
        axes.text(tick, -0.5, f"{tick}", ha="center", va="bottom")
    _ruler(axes, min(difference, count - 1), difference)
    for row in ties.iter_rows(named=True):
        height = 0.45 + 0.35 * row["level"]
        ends = [row["start"] - 0.05, row["end"] + 0.05]
        axes.plot(ends, [height, height], color=INK, linewidth=2.2, solid_capstyle="butt")
    for row in ranks.iter_rows(named=True):
        left = row["side"] == "left"
        edge, height = (1 if left else count), row["row"] + below + 0.5
        line = ([row["mean_rank"], row["mean_rank"], edge], [0, height, height])
        axes.plot(*line, color=INK, linewidth=0.6, clip_on=False)
        name = (
            f"{row['decoder']}  {row['mean_rank']:.2f} "
            if left
            else (f" {row['mean_rank']:.2f}  {row['decoder']}")
        )
        axes.text(edge, height, name, ha="right" if left else "left", va="center")
    return figure


def _ruler(axes: Axes, length: float, difference: float) -> None:
    axes.plot([1, 1 + length], [-2.6, -2.6], color=INK, linewidth=1.2, clip_on=False)
    for end in (1, 1 + length):
        axes.plot([end, end], [-2.4, -2.8], color=INK, linewidth=0.8, clip_on=False)
    axes.text(1 + length / 2, -2.9, f"CD = {difference:.2f}", ha="center", va="bottom")
