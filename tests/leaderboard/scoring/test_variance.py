"""The variance table against an analysis of variance by statsmodels, and planted effects."""

from __future__ import annotations

from itertools import product

import numpy as np
import polars as pl
import pytest
import statsmodels.formula.api as smf
from statsmodels.stats.anova import anova_lm

from memgen_bench.errors import UsageError
from memgen_leaderboard.scoring.layer_choice import CELL
from memgen_leaderboard.scoring.variance import CROSSED, variance_table

AXES = ("dataset", "rate", *CROSSED)


def crossed_run(levels: tuple[int, ...] = (2, 3, 4, 3, 2), **sizes: float) -> pl.DataFrame:
    """Draw units of one decoder; an axis adds a normal effect of its size, seeds in each cell."""
    rng = np.random.default_rng(0)
    effects: dict[tuple[object, ...], float] = {}
    rows = []
    for combination in product(*map(range, levels)):
        row = dict(zip(AXES, combination, strict=True))
        cell = (row["dataset"], row["rate"])
        decoded = sizes.get("rest", 0.0) * rng.standard_normal()
        for axis in AXES:
            where = (axis, row[axis], *(cell if axis in CROSSED else ()))
            size = sizes.get(axis, 0.0)
            decoded += effects.setdefault(where, size * rng.standard_normal())
        rows.append(row | {"decoder": "masc", "model": "mlp", "seed": 0, "decoded": decoded})
    frame = pl.DataFrame(rows)
    return frame.with_columns([pl.lit(0).alias(name) for name in CELL if name not in frame.columns])


def test_components_are_those_of_an_analysis_of_variance() -> None:
    levels = (2, 3, 4, 3, 2)
    frame = crossed_run(levels, dataset=1, rate=1, noise_seed=2, init_seed=1, order_seed=1, rest=1)
    table = dict(variance_table(frame).select("axis", "accuracy").rows())
    assert list(table) == ["dataset", "rate", "cells", *CROSSED, "rest"]

    seeds = " + ".join(f"C(dataset):C(rate):C({axis})" for axis in CROSSED)
    model = smf.ols(f"decoded ~ C(dataset) * C(rate) + {seeds}", frame.to_pandas()).fit()
    anova = anova_lm(model)
    squares = anova["sum_sq"] / anova["df"]
    rest = squares["Residual"]
    assert table["rest"] == pytest.approx(rest**0.5)
    runs = levels[2] * levels[3] * levels[4]
    for axis, count in zip(CROSSED, levels[2:], strict=True):
        component = (squares[f"C(dataset):C(rate):C({axis})"] - rest) / (runs / count)
        assert table[axis] == pytest.approx(max(component, 0) ** 0.5)
    for axis, term in (
        ("dataset", "C(dataset)"),
        ("rate", "C(rate)"),
        ("cells", "C(dataset):C(rate)"),
    ):
        assert table[axis] == pytest.approx((anova["sum_sq"][term] / frame.height) ** 0.5)


def test_the_axis_that_decides_is_found() -> None:
    table = variance_table(crossed_run((2, 2, 8, 8, 8), noise_seed=0.03, rest=0.01))
    found = dict(table.select("axis", "accuracy").rows())
    assert found["noise_seed"] == pytest.approx(0.03, rel=0.3)
    assert found["rest"] == pytest.approx(0.01, rel=0.1)
    assert max(found["init_seed"], found["order_seed"]) < 0.003


def test_what_all_decoders_share_moves_no_difference() -> None:
    one = crossed_run(noise_seed=1, rest=1)
    both = pl.concat(
        [one, one.with_columns(decoder=pl.lit("ncm"), decoded=pl.col("decoded") - 0.5)]
    )
    table, alone = variance_table(both), variance_table(one)
    assert table["accuracy"].to_list() == pytest.approx(alone["accuracy"].to_list())
    assert table["difference"].to_list() == pytest.approx([0] * table.height, abs=1e-7)


def test_a_run_that_is_not_crossed_is_said_to_be_so() -> None:
    frame = crossed_run()
    with pytest.raises(UsageError, match="order_seed has one level"):
        variance_table(frame.filter(order_seed=0))
    with pytest.raises(UsageError, match="some combinations of levels are missing"):
        variance_table(frame.head(-1))
