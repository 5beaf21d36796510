"""Which tests `pytest -m quick` runs, and how many threads processes side by side have."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import threadpoolctl
import torch

from helpers.third_party import ask_pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_quick_takes_the_place_of_the_default_and_leaves_out_what_is_slow() -> None:
    files = [ROOT / "tests" / name for name in ("bench/plugin/test_scaffold.py", "docs")]
    done = ask_pytest(ROOT, "--collect-only", "-q", "-m", "quick", *map(str, files))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "::test_a_folder_that_is_there_is_left_alone" in done.stdout
    assert "::test_a_new_decoder_installed_for_real_gets_onto_the_board" not in done.stdout
    assert "tests/docs" not in done.stdout


@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="one process has all cores")
def test_each_of_several_processes_has_one_thread() -> None:
    counts = {library["num_threads"] for library in threadpoolctl.threadpool_info()}
    assert counts | {torch.get_num_threads()} == {1}
