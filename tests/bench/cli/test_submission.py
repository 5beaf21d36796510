"""`memgen-bench submit` and `verify-submission`, as users call them: a row is verified, or not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from memgen_bench.plugin.registry import load_registry
from memgen_bench.results.store import read_frame
from memgen_bench.submission.bundle import read_bundle, write_bundle

if TYPE_CHECKING:
    from helpers.command_line import CommandLine


def test_a_row_is_verified_and_a_row_that_was_made_up_is_not(in_workplace: CommandLine) -> None:
    told = in_workplace("submit", "ncm", "--suite", "tiny.toml", "--out", "bundle")
    assert told.code == 0, told.err
    bundle = read_bundle(Path("bundle"))
    assert bundle.digest in told.out
    assert bundle.readings().height > 5
    assert "passed" in (bundle.folder / "check.md").read_text()

    verified = in_workplace("verify-submission", "bundle", "--sample", "2", "--board", "board")
    assert verified.code == 0, verified.err
    assert f"2 of {bundle.readings().height} readings computed again: the same" in verified.out
    taken = read_frame("board", "readings", ["key", "decoder"])
    assert set(taken["key"]) == set(bundle.readings()["key"])
    board = in_workplace("leaderboard", "--results", "board")
    assert "✓: a random sample was computed again" in board.out

    # The same bundle with other accuracies, sealed as if they were its own.
    better = bundle.readings().with_columns(test_accuracy=pl.lit(0.99))
    write_bundle(
        Path("forged"),
        "ncm",
        bundle.suite,
        load_registry().decoders.plugin("ncm"),
        readings=better,
        networks=bundle.networks(),
        report="",
    )
    refused = in_workplace("verify-submission", "forged", "--sample", "2", "--board", "other")
    assert refused.code == 1
    assert "and not 0.99" in refused.err
    assert "2 of 2 readings are not as submitted" in refused.err
    assert not Path("other").exists()


def test_what_is_lacking_is_said(in_workplace: CommandLine) -> None:
    lacking = in_workplace("submit", "lda", "--suite", "tiny.toml", "--out", "bundle-2")
    assert lacking.code == 2
    assert "has 0 of " in lacking.err
    assert "run --suite tiny.toml --decoder lda --all" in lacking.err
    nothing = in_workplace("verify-submission", "nowhere")
    assert (nothing.code, "holds no submission.json" in nothing.err) == (2, True)
