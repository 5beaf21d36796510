"""`memgen-bench why`, as a user calls it."""

from __future__ import annotations

from pathlib import Path

import memgen_bench
from helpers.cached_networks import flip, networks
from helpers.command_line import SUITE, CommandLine


def test_why_names_the_field(in_workplace: CommandLine) -> None:
    _, memorized = networks()
    pair = 'pairs = [{model = "mlp", dataset = "digits", recipe = {lr = 0.0002}}]'
    other = SUITE.replace('models = ["mlp"]', pair).replace('datasets = ["digits"]\n', "")
    Path("other.toml").write_text(other)
    code, out, _ = in_workplace("why", memorized.stem[:9], "--suite", "other.toml")
    assert code == 0
    assert out.splitlines()[0] == f"network {memorized.stem}: mlp on digits, uniform 0.4, seed 1"
    assert "  lr is 0.001 in the cache, 0.0002 in the plan" in out
    assert "cache: it is there" in out
    assert "results: it is there, ok" in out


def test_why_knows_readings_and_takes_the_options_of_a_run(in_workplace: CommandLine) -> None:
    row = next(
        row
        for row in memgen_bench.read_results("memgen-results").to_pylist()
        if (row["layer"], row["kind"], row["decoder"]) == ("fc1", "memorized", "ncm")
    )
    command = ("why", row["key"], "--suite", "tiny.toml")
    assert "results: it is there, ok" in in_workplace(*command)[1]
    assert (
        "decoder is ncm in the results, lda in the plan"
        in in_workplace(*command, "--decoder", "lda")[1]
    )
    other_place = in_workplace(*command, "--results", "nowhere", "--max-layer-dim", "64")
    assert other_place[0] == 2
    assert "nothing in the plan, the cache or the results is called" in other_place[2]


def test_why_names_what_is_damaged(in_workplace: CommandLine) -> None:
    _, memorized = networks()
    flip(memorized)
    code, out, err = in_workplace("why", memorized.stem, "--suite", "tiny.toml")
    assert code == 0
    assert f"memgen-bench: warning: {memorized}: damaged (its JSON does not" in err
    assert "cache: it is not there" in out
