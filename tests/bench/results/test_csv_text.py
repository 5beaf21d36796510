"""CSV: texts that spreadsheets would compute are texts, and numbers are numbers."""

from __future__ import annotations

import csv
import io

import polars as pl
import pytest

from memgen_bench.results.csv_text import csv_text


@pytest.mark.parametrize("text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "-"])
def test_a_formula_becomes_a_text(text: str) -> None:
    rows = pl.DataFrame({"message": [text, "fine", None], "value": [-0.5, 1.0, None]})
    _, formula, fine, nothing = csv.reader(io.StringIO(csv_text(rows)))
    assert formula == [f"'{text}", "-0.5"]
    assert fine == ["fine", "1.0"]
    assert nothing == ["", ""]


@pytest.mark.parametrize("text", ["-0.5", "+3", "-1e-3", "a=b", "x-y", "[-1]", '{"p": -1}', ""])
def test_other_texts_stay(text: str) -> None:
    assert list(csv.reader(io.StringIO(csv_text(pl.DataFrame({"x": [text], "y": ["="]})))))[1] == [
        text,
        "'=",
    ]
