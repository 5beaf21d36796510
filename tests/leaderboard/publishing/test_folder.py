"""What is published: a page, tables that any reader opens, and a card that says what they are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import polars as pl
import pytest
import yaml

from memgen_bench.errors import UsageError
from memgen_leaderboard.publishing.folder import publish
from memgen_leaderboard.scoring.suite_scores import all_scores

if TYPE_CHECKING:
    from pathlib import Path

    from helpers.readings import Bench


def test_a_folder_has_all_that_a_host_and_a_reader_need(bench: Bench, tmp_path: Path) -> None:
    found = all_scores(bench.cell(0.6, 0.4, 0.9).stored(tmp_path / "results"))
    site = tmp_path / "site"
    written = {str(path.relative_to(site)) for path in publish(found, site, "CC-BY-4.0")}
    there = {str(path.relative_to(site)) for path in site.rglob("*") if path.is_file()}
    assert written == there
    assert {"index.html", "README.md", ".nojekyll"} < there
    card = (site / "README.md").read_text()
    header = yaml.safe_load(re.split(r"^---$", card, flags=re.MULTILINE)[1])
    assert header["license"] == "cc-by-4.0"
    tables = {each["config_name"]: each["data_files"] for each in header["configs"]}
    assert set(tables.values()) == {name for name in there if name.endswith(".parquet")}
    readings = pl.read_parquet(site / tables["toy-v1-readings"])
    networks = pl.read_parquet(site / tables["toy-v1-networks"])
    assert readings.height == found[0].readings.height
    assert set(networks["network_id"]) <= set(readings["network_id"])
    assert "masc: Ketha & Ramaswamy 2025" in card
    assert len(publish(found, site, "CC0-1.0")) == len(there)  # written again in place
    assert "cc0-1.0" in (site / "README.md").read_text()


def test_a_folder_of_others_is_left_alone(bench: Bench, tmp_path: Path) -> None:
    found = all_scores(bench.cell(0.6, 0.4, 0.9).stored(tmp_path / "results"))
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "thesis.txt").write_text("my own")
    with pytest.raises(UsageError, match="holds something else"):
        publish(found, tmp_path / "site", "CC-BY-4.0")
