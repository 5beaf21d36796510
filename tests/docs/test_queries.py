"""Every query and every reader that a page shows is run, on parts of several versions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import duckdb
import pytest

from helpers.pages import DOCS, PAGES, README
from helpers.readings import older_part
from memgen_bench.cli.results import TableName, export

if TYPE_CHECKING:
    from pathlib import Path

    from helpers.readings import Bench

RESULTS = DOCS / "how-to" / "results.md"


def blocks(file: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", file.read_text(), re.DOTALL | re.MULTILINE)


@pytest.fixture
def _results(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make results in which fc1 is best of what counts, and fc2 of all rows."""
    bench.decode({"fc1": (0.5, 0.7), "fc2": (0.5, 0.6)})
    older_part(bench.rows, tmp_path / "memgen-results")
    bench.rows.clear()
    bench.decode({"fc1": (0.5, 0.1), "fc2": (0.5, 0.9)}, epoch=4)
    bench.decode({"fc1": (0.5, 0.1), "fc2": (0.5, 0.9)}, seed=1, memorized=False)
    bench.stored(tmp_path / "memgen-results")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("_results")
def test_printed_queries_run_and_name_the_layer_that_is_best(tmp_path: Path) -> None:
    final = tmp_path / "final.parquet"
    export(tmp_path / "memgen-results", out=final, table=TableName.readings, final=True)
    queries = [query for page in (README, *PAGES) for query in blocks(page, "sql")]
    assert queries == blocks(RESULTS, "sql")  # others would need other files
    answers = [duckdb.execute(query).fetchall() for query in queries]
    assert answers == [[("masc", "fc1", 0.7), ("masc", "fc2", 0.6)], [(2,)]]


@pytest.mark.usefixtures("_results")
def test_printed_readers_read_parts_of_several_versions() -> None:
    names: dict[str, object] = {}
    for block in blocks(RESULTS, "python"):
        exec(block, names)
    counts = [len(names[name]) for name in ("readings", "rows", "same")]  # type: ignore[arg-type]
    assert counts == [2, 6, 6]
