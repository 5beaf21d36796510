"""Figures of the findings: a panel for each pair, in which the numbers are drawn as they are."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import polars as pl
import pytest

from memgen_leaderboard.figures.findings import (
    LINES,
    order_figure,
    sources_figure,
    wrong_labels_figure,
)

PAIRS = [("digits", "mlp"), ("signals", "conv1d")]


def frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    both = [{"dataset": d, "model": m, **row} for (d, m), row in product(PAIRS, rows)]
    return pl.DataFrame(both)


def drawn(axes: Any) -> list[tuple[list[float], list[float]]]:
    return [(list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines]


def test_every_source_has_its_line_over_the_rates() -> None:
    rows = [
        {"rate": rate, "half_width": 0.01, **{name: rate + n / 100 for n, name in enumerate(LINES)}}
        for rate in (0.4, 0.2)
    ]
    figure = sources_figure(frame(rows))
    assert [axes.get_title() for axes in figure.axes] == ["mlp\non digits", "conv1d\non signals"]
    for axes in figure.axes:
        for n, (x, y) in enumerate(drawn(axes)):
            assert x == [0.2, 0.4]
            assert y == pytest.approx([20 + n, 40 + n])
    (legend,) = figure.legends
    assert {text.get_text() for text in legend.get_texts()} == {
        label for label, *_ in LINES.values()
    }


def test_a_source_that_was_not_read_leaves_a_gap() -> None:
    rows = [{"rate": 0.2, "half_width": 0.0, **dict.fromkeys(LINES, 0.5), "random": None}]
    assert len(sources_figure(frame(rows)).axes) == len(PAIRS)


def test_wrong_labels_are_drawn_over_the_layers_in_their_order() -> None:
    rows = [
        {"rate": 0.4, "kind": kind, "layer": layer, "layer_depth": depth, "given": depth}
        for kind, (layer, depth) in product(
            ("memorized", "untrained"), [("logits", 1.0), ("fc1", 0.5)]
        )
    ]
    figure = wrong_labels_figure(frame(rows))
    for axes in figure.axes:
        assert [label.get_text() for label in axes.get_xticklabels()] == ["fc1", "logits"]
        assert drawn(axes)[:2] == [([0, 1], [50.0, 100.0])] * 2


def test_decoders_are_placed_by_both_of_their_excesses() -> None:
    rows = [{"decoder": name, "excess": x} for name, x in (("masc", -0.1), ("ncm", 0.2))]
    (axes,) = order_figure(frame(rows), "digits", ("ncm",)).axes
    assert axes.get_xlabel() == "X on digits (points)"
    (points,) = axes.collections
    assert np.asarray(points.get_offsets()).tolist() == [[-10, -10], [20, 20]]
    assert [text.get_text() for text in axes.texts] == ["ncm"]
