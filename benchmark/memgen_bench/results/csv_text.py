"""Rows as CSV, which no spreadsheet takes for formulas."""

from __future__ import annotations

import polars as pl

# Beginnings of a formula; a number with a sign is none.
_FORMULA = r"^[=+\-@\t\r]"
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"


def csv_text(rows: pl.DataFrame) -> str:
    """Return rows as CSV; before a text that a spreadsheet would compute stands an apostrophe."""
    texts = [name for name, kind in rows.schema.items() if kind == pl.String]
    return rows.with_columns(map(_inert, texts)).write_csv()


def _inert(name: str) -> pl.Expr:
    text = pl.col(name)
    formula = text.str.contains(_FORMULA) & ~text.str.contains(_NUMBER)
    return pl.when(formula).then("'" + text).otherwise(text).alias(name)
