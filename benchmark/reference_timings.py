"""Make the timings that a run on a machine without history is forecast by: means of results.

    python benchmark/reference_timings.py RESULTS...

The results should be of runs that had the machine to themselves.
"""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl

from memgen_bench.plan.forecast import NETWORK_COLUMNS, READING_COLUMNS
from memgen_bench.results.store import read_frame

FOLDER = Path(__file__).parent / "memgen_bench" / "plan" / "timings"


def main(results: list[Path]) -> None:
    """Write the mean seconds of trainings and readings in these results."""
    columns = {"networks": NETWORK_COLUMNS, "readings": READING_COLUMNS}
    for name, its in columns.items():
        rows = pl.concat([read_frame(folder, name, its) for folder in results])
        measured = [column for column in its if column.endswith("_seconds")]
        means = (
            rows.drop_nulls([*measured, "model"])
            .group_by([column for column in its if column not in measured])
            .agg(pl.col(measured).mean().round(3))
            .select(its)
            .sort(its)
        )
        means.write_csv(FOLDER / f"{name}.csv")
        print(f"{name}: {means.height} means of {rows.height} rows")


if __name__ == "__main__":
    main([Path(each) for each in sys.argv[1:]])
