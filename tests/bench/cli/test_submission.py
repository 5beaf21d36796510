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


def test_a_row_is_verified(in_workplace: CommandLine) -> None:
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


FORGED = [
    ("readings", pl.lit(0.99).alias("test_accuracy"), "and not 0.99"),
    ("readings", pl.lit("masc").alias("decoder"), "readings say of themselves other than their"),
    ("networks", pl.lit(0.5).alias("accuracy_given"), "and not 0.5"),
    ("networks", pl.lit("cnn").alias("model"), "networks say of themselves other than their keys"),
]


def test_no_row_that_was_made_up_is_taken(in_workplace: CommandLine) -> None:
    assert in_workplace("submit", "ncm", "--suite", "tiny.toml", "--out", "true").code == 0
    bundle = read_bundle(Path("true"))
    for place, (name, column, says) in enumerate(FORGED):
        tables = {"readings": bundle.readings(), "networks": bundle.networks()}
        tables[name] = tables[name].with_columns(column)
        plugin = load_registry().decoders.plugin("ncm")  # sealed as if the rows were its own
        folder = Path(f"forged-{place}")
        write_bundle(folder, "ncm", bundle.suite, plugin, **tables, report="")
        refused = in_workplace("verify-submission", str(folder), "--sample", "9", "--board", "no")
        assert refused.code == 1, refused.out
        assert says in refused.err
        assert not Path("no").exists()


def test_a_chain_is_bundled_with_its_parameters(in_workplace: CommandLine) -> None:
    name = "ncm>knn-5[n_neighbors=3]"
    assert in_workplace("run", "--suite", "tiny.toml", "--decoder", name, "--all").code == 0
    told = in_workplace("submit", name, "--suite", "tiny.toml", "--out", "chain")
    assert told.code == 0, told.err
    verified = in_workplace("verify-submission", "chain", "--sample", "1", "--board", "chains")
    assert verified.code == 0, verified.err
    assert set(read_frame("chains", "readings", ["decoder"])["decoder"]) == {name}


def test_what_is_lacking_is_said(in_workplace: CommandLine) -> None:
    lacking = in_workplace("submit", "lda", "--suite", "tiny.toml", "--out", "bundle-2")
    assert lacking.code == 2
    assert "has 0 of " in lacking.err
    assert "run --suite tiny.toml --decoder lda --all" in lacking.err
    nothing = in_workplace("verify-submission", "nowhere")
    assert (nothing.code, "holds no submission.json" in nothing.err) == (2, True)
