"""The folder to publish: the page, the tables as Parquet, and a data card."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

import polars as pl

from memgen_bench.errors import UsageError
from memgen_bench.files.atomic import write_atomically
from memgen_bench.results.store import read_frame
from memgen_leaderboard.publishing.data_card import data_card

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from memgen_leaderboard.scoring.suite_scores import Scores


def publish(found: Sequence[Scores], folder: Path, licence: str) -> list[Path]:
    """Write all that a static host or a data hub needs, and return the files.

    Args:
        found: The scores of each suite, one view of each.
        folder: A folder that is not there yet, or that this function wrote.
        licence: The licence of the data, as SPDX names it.

    Raises:
        UsageError: The folder holds something else.
        WriteError: The folder cannot be written to.
    """
    require_own(folder)
    from memgen_leaderboard.page.document import page  # which may not be installed

    tables = {name: (f"data/{name}.parquet", rows) for name, rows in _tables(found)}
    files = {name: path for name, (path, _) in tables.items()}
    contents = {
        "index.html": page(found).encode(),
        "README.md": data_card(found, files, licence).encode(),
        ".nojekyll": b"",  # GitHub Pages serves the files as they are
        **{path: _parquet(rows) for path, rows in tables.values()},
    }
    for name, content in contents.items():
        write_atomically(folder / name, content)
    return [folder / name for name in contents]


def require_own(folder: Path) -> None:
    """Require that a folder is not there yet, empty, or written by `publish`.

    Raises:
        UsageError: It holds something else.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / ".nojekyll").exists():
        raise UsageError(f"{folder} holds something else; name a folder that is not there yet")


def _tables(found: Sequence[Scores]) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield the readings and the networks of each suite."""
    for scores in found:
        suite = re.sub(r"[^\w.+-]+", "-", scores.title)
        readings = read_frame(scores.snapshot, "readings")
        readings = readings.filter(pl.col("key").is_in(scores.readings["key"].implode()))
        networks = read_frame(scores.snapshot, "networks")
        ids = readings["network_id"].unique().implode()
        yield f"{suite}-readings", readings.sort("key")
        yield (
            f"{suite}-networks",
            networks.filter(pl.col("network_id").is_in(ids)).sort("network_id"),
        )


def _parquet(rows: pl.DataFrame) -> bytes:
    content = io.BytesIO()
    rows.write_parquet(content, compression="zstd", compression_level=12)
    return content.getvalue()
