"""Data sets are found by any name, though the results hold them under another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from memgen_bench.data.datasets import describe
from memgen_bench.plugin.registry import load_registry
from memgen_bench.results import store

if TYPE_CHECKING:
    from pathlib import Path

    from helpers.command_line import CommandLine
    from helpers.readings import Bench


@pytest.fixture
def results(bench: Bench, tmp_path: Path) -> Path:
    """Results of the digits, under another name."""
    bench.cell(0.6, 0.4, 0.8, dataset="numbers").decode(
        {"fc1": (0.5, 0.5)}, dataset="numbers", decoder="ncm"
    )
    spec = load_registry().datasets.find("digits")
    own = describe(spec, tmp_path / "no-data", tmp_path / "cache").fingerprint
    network = {"network_id": "a", "dataset": "numbers", "data_fingerprint": own, "status": "ok"}
    store.write_part(tmp_path / "results", "networks", "net", store.table("networks", [network]))
    return bench.stored(tmp_path / "results")


@pytest.mark.parametrize("verb", [("leaderboard",), ("compare", "masc", "ncm")])
def test_a_board_is_found_by_the_other_name_of_its_data(
    verb: tuple[str, ...], results: Path, here: CommandLine
) -> None:
    outcome = here(*verb, "--results", results, "--dataset", "digits")
    assert outcome.code == 0, outcome.err
    assert "digits: the same images and labels as numbers, under whose name it" in outcome.out
    by_own_name = here(*verb, "--results", results, "--dataset", "numbers")
    assert by_own_name.out in outcome.out


def test_other_data_and_unknown_names_are_not_there(results: Path, here: CommandLine) -> None:
    for name in ("fashion-mnist", "folder/nowhere", "nonsense", f"folder/{300 * 'x'}"):
        outcome = here("leaderboard", "--results", results, "--dataset", name)
        says = f"memgen-bench: error: no dataset {name} in the results; there are numbers"
        assert (outcome.code, outcome.err.strip(), outcome.out) == (2, says, "")
