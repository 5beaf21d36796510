"""Figures for a page, as Vega-Lite by Altair, from the frames of `figure_frames`.

A chart holds no data: the page puts the rows of its frame into the data set `frame`. Colours of
text, axes and background are the page's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from memgen_bench.errors import UsageError
from memgen_bench.protocol import READOUT
from memgen_leaderboard.figures.frames import (
    CEILING,
    CURVES,
    EDGE,
    IMAGES,
    LEAST_SPAN,
    RANDOM,
    REACH,
    STEP,
    UNTRAINED,
)
from memgen_leaderboard.figures.palette import (
    COLOURS,
    DASHES,
    GREY,
    LINES,
    SOURCE_COLOURS,
)

try:
    import altair as alt
except ImportError as error:
    raise UsageError('pages need altair: pip install "memgen-bench[page]"') from error

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from memgen_leaderboard.figures.palette import Style

# The title and caption of each figure, and whether readers choose a pair or decoders for it.
TEXTS: dict[str, dict[str, Any]] = {
    "layers": {
        "title": "Layers",
        "caption": "Test accuracy over layers, a panel for each rate, means over the seeds. Solid: "
        "layers of the network; dotted or finely dashed with hollow marks: of the untrained "
        "network and of the one of random labels; hollow marks alone: features of the images. "
        "Dashed: the network's own readout; dashes and dots: the ceiling, the readout of the "
        "network trained on true labels; with an arrow: far beyond the axis.",
        "pairs": True,
        "decoders": True,
    },
    "controls": {
        "title": "Controls",
        "caption": "Test accuracy over layers of the networks and of controls that have layers, "
        "with 95 % intervals over three seeds or more: of the decoder that is best on noisy "
        "validation labels, and of the papers'. Across: the ceiling, the control and the best "
        "features of the images, early stopping and the network's own readout; with an arrow: far "
        "beyond the axis.",
        "pairs": True,
        "decoders": False,
    },
    "epochs": {
        "title": "Epochs",
        "caption": "Test accuracy after epochs of the training, a panel for each rate, means over "
        "the seeds; each decoder's layer is chosen for each epoch. Dashed: the network's own "
        "readout. A network whose training is over stays what it was.",
        "pairs": True,
        "decoders": True,
    },
    "rates": {
        "title": "Rates",
        "caption": "X, the excess over the control, by rate, with 95 % intervals over what the "
        "board's notes say. Dashed, at 0: the control.",
        "pairs": True,
        "decoders": True,
    },
    "pairs": {
        "title": "Models and data sets",
        "caption": "X, the excess of each decoder over the control, on each model and data set.",
        "pairs": False,
        "decoders": False,
    },
    "time": {
        "title": "Time",
        "caption": "Test accuracy against the seconds of fit and predictions, on average over the "
        "networks. The line is the Pareto front: no other decoder is both faster and better.",
        "pairs": False,
        "decoders": False,
    },
    "ranks": {
        "title": "Mean ranks",
        "caption": "Mean ranks over data sets. The lower bars join decoders that cannot "
        "be told apart (Nemenyi, 95 %); the one called CD is the critical difference.",
        "pairs": False,
        "decoders": False,
    },
    "training": {
        "title": "Training",
        "caption": "Accuracies over the epochs of this network's training; at most 200 of them.",
    },
}

Spec = dict[str, Any]
FRAME = alt.NamedData(name="frame")
PERCENT, POINTS = ".1%", "+.1%"


def _chart() -> alt.Chart:
    return alt.Chart(FRAME)


def _spec(chart: alt.TopLevelMixin, description: str) -> Spec:
    return chart.properties(description=description).to_dict()


def _percent(field: str, title: str, **scale: Any) -> Any:
    return alt.Y(
        f"{field}:Q",
        title=title,
        axis=alt.Axis(format="~%", grid=True),
        scale=alt.Scale(**scale) if scale else alt.Undefined,
    )


def _tips(*fields: str) -> list[alt.Tooltip]:
    """Return tooltips that show the fields of a mark under the pointer."""
    return [alt.Tooltip(field) for field in fields]


def _by_decoder(known: Mapping[str, Style]) -> dict[str, Any]:
    """Return colours and marks by decoder, with a legend of the decoders that are drawn."""
    legend = alt.Legend(symbolOpacity=1, symbolLimit=0, values=alt.ExprRef("shown"))
    colours = alt.Scale(domain=list(known), range=[style.colour for style in known.values()])
    shapes = alt.Scale(domain=list(known), range=[style.shape for style in known.values()])
    return {
        "color": alt.Color("decoder:N", title=None, scale=colours, legend=legend),
        "shape": alt.Shape("decoder:N", title=None, scale=shapes, legend=legend),
    }


def _beyond(panel: Any, name: str, low: str, high: str) -> Any:
    """Add `beyond` to the rows without a layer: 1 or -1 where they are far above or below curves.

    These have `edge`, a place for their `label` just outside what is drawn.

    Args:
        panel: The panel, in which curves have layers.
        name: The column of the panels' names.
        low: The column of the lower ends of what is drawn of a curve; where it is null, `accuracy`.
        high: Likewise that of the upper ends.
    """

    def end(column: str) -> str:
        there = f"isValid(datum.{column}) ? datum.{column} : datum.accuracy"
        return f"isValid(datum.layer) ? ({there}) : null"

    def near(column: str) -> str:
        return f"isValid(datum.layer) ? datum.{column} : datum.beyond == 0 ? datum.accuracy : null"

    span = f"max(datum.most - datum.least, {LEAST_SPAN})"
    off, far = "abs(datum.accuracy - datum.middle)", f"datum.off > {0.5 + REACH} * datum.span"
    named = "isValid(datum.most) && !isValid(datum.layer)"
    outside = f"datum.span * ({EDGE} + {STEP} * (datum.place - 1))"
    return (
        panel.transform_calculate(lower=end(low), upper=end(high))
        .transform_joinaggregate(least="min(lower)", most="max(upper)", groupby=[name])
        .transform_calculate(middle="(datum.most + datum.least) / 2", span=span)
        .transform_calculate(off=off)
        .transform_calculate(
            beyond=f"{named} && {far} ? (datum.accuracy > datum.middle ? 1 : -1) : 0"
        )
        .transform_calculate(lower=near("lower"), upper=near("upper"))
        .transform_joinaggregate(bottom="min(lower)", top="max(upper)", groupby=[name])
        .transform_window(
            place="row_number()", sort=[alt.SortField("off")], groupby=[name, "beyond"]
        )
        .transform_calculate(
            edge=f"datum.beyond > 0 ? datum.top + {outside} : datum.bottom - {outside}",
            label="(datum.beyond > 0 ? '↑ ' : '↓ ') + datum.source + ' ' "
            f"+ format(datum.accuracy, '{PERCENT}')",
        )
    )


def _names_at_edge(tips: list[alt.Tooltip]) -> Any:
    """Return the names of the lines across that are far from the curves; see `_beyond`."""
    return (
        alt.Chart()
        .transform_filter("datum.beyond != 0")
        .mark_text(align="right", fontSize=10)
        .encode(x=alt.value("width"), y=alt.Y("edge:Q"), text="label:N", tooltip=tips)
    )


def layers_chart(known: Mapping[str, Style], own: str, draws: Sequence[str]) -> Spec:
    """Return accuracy over layers, a panel for each rate, of one model on one data set.

    Args:
        known: The style of each decoder, in the board's order.
        own: The source whose layers are joined by solid lines.
        draws: The names of the panels: noise and rate.
    """
    sources = [own, UNTRAINED, RANDOM, IMAGES, READOUT, CEILING]
    dashes = [list(DASHES.get(source, ())) for source in sources]
    source = alt.StrokeDash(
        "source:N",
        title=None,
        scale=alt.Scale(domain=sources, range=dashes),
        legend=alt.Legend(
            orient="top",
            symbolSize=900,  # so long that dashes can be told apart
            values=[name for name in sources if name != IMAGES],
        ),
    )
    layer = alt.X(
        "layer:N",
        title=None,
        sort=alt.EncodingSortField("layer_index", op="min"),
        axis=alt.Axis(labelAngle=-40),
    )
    accuracy = _percent("accuracy", "test accuracy", zero=False)
    tips = [
        *_tips("decoder:N", "source:N", "layer:N", "draw:N"),
        alt.Tooltip("accuracy:Q", format=PERCENT),
        alt.Tooltip("low:Q", format=PERCENT, title="lowest seed"),
        alt.Tooltip("high:Q", format=PERCENT, title="highest seed"),
    ]
    named = _by_decoder(known)
    panel = alt.Chart().encode(x=layer, y=accuracy)  # the data are those of the facet
    decoded = panel.transform_filter("isValid(datum.decoder)")
    lines = decoded.transform_filter(f"datum.source != '{IMAGES}'").mark_line(strokeWidth=1.5)
    points = decoded.encode(**named, tooltip=tips)
    # Hollow marks are controls: features of the images, and networks that know no label.
    of_own = f"datum.source == '{own}'"
    filled = points.transform_filter(of_own).mark_point(size=36, filled=True, opacity=1)
    hollow = points.transform_filter(f"!({of_own})").mark_point(size=32, strokeWidth=1.2)
    rules = (
        alt.Chart()
        .transform_filter("!isValid(datum.decoder) && datum.beyond == 0")
        .mark_rule(strokeWidth=1.2)
        .encode(y=accuracy, strokeDash=source, tooltip=tips)
    )
    joined = lines.encode(color=named["color"], strokeDash=source)
    panels = alt.layer(rules, joined, hollow, filled, _names_at_edge(tips))
    faceted = (
        _beyond(panels.properties(width=200, height=170), "draw", "accuracy", "accuracy")
        .facet(facet=alt.Facet("draw:N", title=None, sort=list(draws)), columns=5, data=FRAME)
        .resolve_scale(y="independent")
    )
    return _spec(faceted, "Test accuracy over layers, a panel for each rate.")


def controls_chart(own: str, panels: Sequence[str], columns: int) -> Spec:
    """Return accuracy over layers beside all controls, a panel for each decoder and rate.

    Args:
        own: The source that is not a control.
        panels: The names of the panels.
        columns: The most panels in a row.
    """
    curves = {own: (1, 0), **{name: DASHES[name] for name in (UNTRAINED, RANDOM)}}
    dashes = {**curves, **{name: dash or (1, 0) for name, dash in LINES.items()}}
    colours = [SOURCE_COLOURS.get(None if name == own else name, GREY) for name in dashes]
    domain = list(dashes)
    legend = alt.Legend(
        symbolType="stroke",
        symbolSize=500,  # so long that dashes can be told apart
        symbolOpacity=1,
        symbolFillColor="transparent",
        offset=4,
    )
    colour = alt.Color(
        "source:N", title=None, legend=legend, scale=alt.Scale(domain=domain, range=colours)
    )
    dash = alt.StrokeDash(
        "source:N",
        title=None,
        legend=legend,
        scale=alt.Scale(domain=domain, range=[list(dash) for dash in dashes.values()]),
    )
    layer = alt.X(
        "layer:N",
        title=None,
        sort=alt.EncodingSortField("layer_index", op="min"),
        axis=alt.Axis(labelAngle=-40),
    )
    accuracy = _percent("accuracy", "test accuracy", zero=False)
    tips = [
        *_tips("source:N", "what:N", "decoder:N", "layer:N", "draw:N"),
        *(alt.Tooltip(f"{name}:Q", format=PERCENT) for name in ("accuracy", "low", "high")),
    ]
    across = alt.Chart().transform_filter("!isValid(datum.layer) && datum.beyond == 0")
    rules = across.mark_rule(strokeWidth=1.4).encode(
        y=accuracy, color=colour, strokeDash=dash, tooltip=tips
    )
    base = alt.Chart().transform_filter("isValid(datum.layer)").encode(x=layer)
    bands = (
        base.transform_filter("isValid(datum.low)")
        .mark_area(opacity=0.15)
        .encode(y=alt.Y("low:Q"), y2="high:Q", color=colour)
    )
    lines = base.mark_line(strokeWidth=1.8).encode(y=accuracy, color=colour, strokeDash=dash)
    points = base.mark_point(size=32, filled=True, opacity=1).encode(
        y=accuracy, color=colour, tooltip=tips
    )
    lines_of_text = alt.Header(labelExpr="split(datum.value, '\\n')", labelFontWeight="normal")
    panel = alt.Facet("panel:N", title=None, sort=list(panels), header=lines_of_text)
    panels_of_lines = alt.layer(rules, bands, lines, points, _names_at_edge(tips))
    faceted = (
        _beyond(panels_of_lines.properties(width=200, height=190), "panel", "low", "high")
        .facet(facet=panel, columns=max(1, columns), data=FRAME)
        .resolve_scale(y="independent")
    )
    return _spec(faceted, "Test accuracy over layers beside all controls, for each rate.")


def epochs_chart(known: Mapping[str, Style], draws: Sequence[str]) -> Spec:
    """Return accuracy over epochs, a panel for each rate, of one model on one data set.

    Args:
        known: The style of each decoder, in the board's order.
        draws: The names of the panels: noise and rate.
    """
    named = _by_decoder(known)
    tips = [
        *_tips("decoder:N", "draw:N", "epoch:Q"),
        alt.Tooltip("accuracy:Q", format=PERCENT),
        alt.Tooltip("low:Q", format=PERCENT, title="lowest seed"),
        alt.Tooltip("high:Q", format=PERCENT, title="highest seed"),
    ]
    epoch = alt.X("epoch:Q", scale=alt.Scale(type="log"), axis=alt.Axis(format="d", tickCount=4))
    base = alt.Chart().encode(x=epoch, y=_percent("accuracy", "test accuracy", zero=False))
    decoded = base.transform_filter("isValid(datum.decoder)")
    lines = decoded.mark_line(strokeWidth=1.5).encode(color=named["color"])
    points = decoded.mark_point(size=32, filled=True, opacity=1).encode(**named, tooltip=tips)
    readout = base.transform_filter("!isValid(datum.decoder)").encode(tooltip=tips)
    dashed = readout.mark_line(strokeWidth=1.2, strokeDash=list(DASHES[READOUT]), point=False)
    panels = alt.layer(dashed, lines, points).properties(width=200, height=170)
    faceted = panels.facet(
        facet=alt.Facet("draw:N", title=None, sort=list(draws)), columns=3, data=FRAME
    ).resolve_scale(y="independent")
    return _spec(faceted, "Test accuracy over epochs of training, a panel for each rate.")


def rates_chart(known: Mapping[str, Style], rates: Sequence[float]) -> Spec:
    """Return excess over the control by rate, with bands of its intervals."""
    rate = alt.X(
        "rate:Q",
        title="shuffle rate ρ",
        axis=alt.Axis(values=list(rates), format="g"),
        scale=alt.Scale(zero=False, nice=False, padding=12),
    )
    named = _by_decoder(known)
    tips = [
        *_tips("decoder:N", "noise:N", "rate:Q"),
        *(alt.Tooltip(f"{name}:Q", format=POINTS) for name in ("excess", "low", "high")),
        alt.Tooltip("decoded:Q", format=PERCENT, title="accuracy"),
        *(alt.Tooltip(f"{name}:Q", format=PERCENT) for name in ("control", READOUT, CEILING)),
    ]
    base = _chart().encode(x=rate, detail="noise:N")
    bands = base.mark_area(opacity=0.15).encode(
        y=_percent("low", "excess over the control"), y2="high:Q", color=named["color"]
    )
    lines = base.mark_line(strokeWidth=1.8).encode(y="excess:Q", color=named["color"])
    points = base.mark_point(size=45, filled=True, opacity=1).encode(
        y="excess:Q", **named, tooltip=tips
    )
    zero = alt.Chart(alt.InlineData([{}])).mark_rule(strokeDash=list(DASHES[READOUT]))
    rule = zero.encode(y=alt.datum(0))
    chart = alt.layer(rule, bands, lines, points).properties(width="container", height=340)
    return _spec(
        chart, "Excess over the control by shuffle rate; the dashed line at 0 is the control."
    )


def pairs_chart(order: Sequence[str]) -> Spec:
    """Return the excess of each decoder on each model and data set, as a heat map."""
    tips = [
        *_tips("decoder:N", "pair:N"),
        alt.Tooltip("excess:Q", format=POINTS, title="X"),
        alt.Tooltip("excess_half_width:Q", format=PERCENT, title="± half an interval"),
        alt.Tooltip("share:Q", format=PERCENT, title="E"),
        alt.Tooltip("decoded:Q", format=PERCENT, title="accuracy"),
        alt.Tooltip("control:Q", format=PERCENT),
    ]
    base = _chart().encode(
        x=alt.X("pair:N", title=None, axis=alt.Axis(labelAngle=-30, labelLimit=260)),
        y=alt.Y("decoder:N", title=None, sort=list(order)),
    )
    scale = alt.Scale(scheme="purpleorange", domain=[-0.2, 0.2], reverse=True, clamp=True)
    cells = base.mark_rect().encode(
        color=alt.Color("excess:Q", scale=scale, legend=alt.Legend(format="+.0%")), tooltip=tips
    )
    is_pale = "abs(datum.excess) < 0.12"
    ink = alt.when(is_pale).then(alt.value("black")).otherwise(alt.value("white"))
    texts = base.mark_text(fontSize=11).encode(text=alt.Text("excess:Q", format=POINTS), color=ink)
    chart = alt.layer(cells, texts).properties(width="container", height=22 * len(order))
    return _spec(chart, "Excess of each decoder over the control, on each model and data set.")


def time_chart(known: Mapping[str, Style], named: Sequence[str]) -> Spec:
    """Return accuracy against seconds, with the Pareto front of the two.

    Args:
        known: The style of each decoder, in the board's order.
        named: Decoders with their name beside their mark; see `named_on_front`.
    """
    seconds = alt.X("seconds:Q", title="fit and predictions (s)", scale=alt.Scale(type="log"))
    accuracy = _percent("decoded", "test accuracy", zero=False, padding=12)
    tips = [
        *_tips("decoder:N"),
        alt.Tooltip("seconds:Q", format=".2g"),
        alt.Tooltip("decoded:Q", format=PERCENT, title="accuracy"),
        alt.Tooltip("excess:Q", format=POINTS),
    ]
    base = _chart().encode(x=seconds, y=accuracy)
    front = base.transform_filter("datum.front")
    line = front.mark_line(interpolate="step-after", strokeWidth=1, opacity=0.6, color=COLOURS[0])
    points = base.mark_point(size=90, filled=True, opacity=1).encode(
        **_by_decoder(known), tooltip=tips
    )
    beside = front.transform_filter(alt.FieldOneOfPredicate(field="decoder", oneOf=list(named)))
    names = beside.mark_text(dy=-12, fontSize=11).encode(text="decoder:N")
    chart = alt.layer(line, points, names).properties(width="container", height=340)
    return _spec(chart, "Test accuracy against seconds; the line is the Pareto front.")


def ranks_chart(decoders: Sequence[str], ties: Sequence[dict[str, Any]], difference: float) -> Spec:
    """Return a critical-difference diagram (Demšar 2006), names on the lines of a list.

    Args:
        decoders: The decoders' names, the best first.
        ties: The rows of `tie_frame`.
        difference: The critical difference: mean ranks at most so far apart do not differ
            significantly.
    """
    count = len(decoders)
    # Bars have lines of their own below the decoders'; blanks of different lengths name them.
    bars = [{**tie, "decoder": " " * (1 + place)} for place, tie in enumerate(ties)]
    end = min(1 + difference, count)
    bars.append({"start": 1.0, "end": end, "decoder": f"CD = {difference:.2f}"})
    lines = [*decoders, *(bar["decoder"] for bar in bars)]
    scale = alt.Scale(domain=[1, count], nice=False, padding=16)
    axis = alt.Axis(orient="top", tickMinStep=1, title="mean rank, 1 is the best", format="d")
    rank = alt.X("mean_rank:Q", scale=scale, axis=axis)
    decoder = alt.Y(
        "decoder:N", scale=alt.Scale(domain=lines), title=None, axis=alt.Axis(grid=True)
    )
    tips = [*_tips("decoder:N"), alt.Tooltip("mean_rank:Q", format=".2f")]
    base = _chart().encode(x=rank, y=decoder)
    points = base.mark_point(size=70, filled=True, opacity=1, color=COLOURS[0]).encode(tooltip=tips)
    texts = base.mark_text(dx=10, align="left").encode(text=alt.Text("mean_rank:Q", format=".1f"))
    spans = alt.Chart(alt.InlineData(bars)).mark_bar(height=4)
    joined = spans.encode(x=alt.X("start:Q", scale=scale), x2="end:Q", y=decoder)
    return _spec(
        alt.layer(points, texts, joined).properties(width="container", height=22 * len(lines)),
        "Mean ranks; bars join decoders that cannot be told apart.",
    )


def training_chart() -> Spec:
    """Return the training curve of one network."""
    colour = alt.Color(
        "series:N",
        title=None,
        scale=alt.Scale(domain=list(CURVES), range=[COLOURS[0], COLOURS[1], COLOURS[2]]),
    )
    dash = alt.StrokeDash(
        "series:N",
        title=None,
        scale=alt.Scale(domain=list(CURVES), range=[[1, 0], [6, 3], [1.5, 2]]),
    )
    tips = [*_tips("series:N", "epoch:Q"), alt.Tooltip("accuracy:Q", format=PERCENT)]
    base = _chart().encode(x=alt.X("epoch:Q"), y=_percent("accuracy", "accuracy", domain=[0, 1]))
    lines = base.mark_line(strokeWidth=1.8).encode(color=colour, strokeDash=dash)
    points = base.mark_point(size=60, opacity=0).encode(tooltip=tips)
    chart = alt.layer(lines, points).properties(width="container", height=260)
    return _spec(chart, "Accuracies over the epochs of one training.")
