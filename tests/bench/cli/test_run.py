"""`memgen-bench run`, as a user calls it."""

from __future__ import annotations

import shlex
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from helpers.command_line import SUITE, CommandLine, Completed, Workplace
from memgen_bench import read_networks, read_results
from memgen_bench.files.regular import read_regular

if TYPE_CHECKING:
    from collections.abc import Callable

    PluginWriter = Callable[[str, str], Path]


KINDS = ["clean", "memorized", "untrained"]


def test_a_run_ends_with_a_table_and_what_to_do_next(
    first_run: tuple[Workplace, Completed],
) -> None:
    workplace, outcome = first_run
    assert outcome.code == 0, outcome.err
    readings = read_results(workplace.results).num_rows
    for part in ("tiny v1", "readout", "masc", "ncm", "3 networks"):
        assert part in outcome.out
    assert f"{readings} ok / {readings} planned" in outcome.out
    last = outcome.out.splitlines()[-1]
    assert f"Results are in {workplace.results}" in last
    assert f"memgen-bench leaderboard --results {workplace.results}" in last


def test_a_run_says_on_stderr_how_it_goes_on(first_run: tuple[Workplace, Completed]) -> None:
    for part in ("1/3 mlp on digits", "3/3 mlp on digits", "(memorized)", "(untrained)"):
        assert part in first_run[1].err


def test_a_run_stores_every_reading_that_its_axes_ask_for(
    first_run: tuple[Workplace, Completed],
) -> None:
    rows = read_results(first_run[0].results).to_pylist()
    assert {row["status"] for row in rows} == {"ok"}
    expected: Counter[tuple[Any, ...]] = Counter()
    for kind in KINDS:
        own = 0.4 if kind == "memorized" else 0.0
        expected[kind, "readout", None, own, "logits"] += 1
        for decoder in ("masc", "ncm"):
            for layer in ("fc1", "fc2", "fc3", "logits"):
                expected[kind, decoder, "corrupted", 0.4, layer] += 1
                expected[kind, decoder, "true", own, layer] += 1
    columns = ("kind", "decoder", "labels", "rate", "layer")
    assert Counter(tuple(row[name] for name in columns) for row in rows) == expected


def test_the_network_memorized(first_run: tuple[Workplace, Completed]) -> None:
    networks = {row["kind"]: row for row in read_networks(first_run[0].results).to_pylist()}
    assert sorted(networks) == KINDS
    assert networks["memorized"]["memorized"] is True
    assert networks["memorized"]["from_cache"] is False
    assert networks["untrained"]["memorized"] is None


def test_a_run_reads_each_part_once_from_its_start_to_the_board(
    workplace: Workplace, here: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Counter[Path]()

    def count(path: Path) -> bytes:
        read[path] += 1
        return read_regular(path)

    before = set(workplace.results.rglob("*.parquet"))
    with monkeypatch.context() as patch:
        patch.setattr("memgen_bench.results.parts.read_regular", count)
        done = here(*workplace.run("--kind", "untrained", "--decoder", "lda"))
    assert done.code == 0, done.err
    parts = set(workplace.results.rglob("*.parquet"))
    assert parts > before
    assert {path: read[path] for path in parts} == dict.fromkeys(parts, 1)
    board = here("leaderboard", "--results", str(workplace.results)).out
    assert done.out.startswith(board)


def test_a_second_run_computes_nothing(workplace: Workplace, here: CommandLine) -> None:
    before = workplace.parts("readings"), workplace.parts("networks")
    outcome = here(*workplace.run("--all"))
    assert outcome.code == 0
    assert (workplace.parts("readings"), workplace.parts("networks")) == before
    assert "3 of 3 networks are in the results" in outcome.err
    assert "ok / " in outcome.out


def test_a_decoder_added_later_trains_nothing(workplace: Workplace, here: CommandLine) -> None:
    before = workplace.parts("readings")
    trained = sorted(workplace.cache.rglob("*"))
    outcome = here(*workplace.run("--decoder", "ridge"))
    assert outcome.code == 0, outcome.err
    after = workplace.parts("readings")
    assert {path: after[path] for path in before} == before
    rows = read_results(workplace.results).to_pylist()
    networks = {row["network_id"] for row in rows}
    new = [path.name.partition("-")[0] for path in after.keys() - before.keys()]
    assert sorted(new) == sorted(networks)
    assert {row["decoder"] for row in rows} == {"masc", "ncm", "ridge", "readout"}
    found = {row["kind"]: row["from_cache"] for row in read_networks(workplace.results).to_pylist()}
    assert found == {"memorized": True, "clean": True, "untrained": None}
    assert sorted(workplace.cache.rglob("*")) == trained


@pytest.mark.parametrize("options", [[], ["--dry-run", "--all"], ["--dry-run", "--rate", "0.4"]])
def test_a_plan_is_printed_and_nothing_written(
    options: list[str], empty_workplace: Workplace, here: CommandLine
) -> None:
    outcome = here(*empty_workplace.run(*options))
    assert outcome.code == 0
    for part in ("mlp on digits: 1 memorized", "decoders: masc, ncm", "3 networks, 51 readings"):
        assert part in outcome.out
    assert not empty_workplace.results.exists()
    assert not (empty_workplace.cache / "networks").exists()
    start = f"memgen-bench {shlex.join(empty_workplace.run('--all'))}"
    assert (start in outcome.out) is (options == [])


def test_an_axis_option_starts_a_run(workplace: Workplace, here: CommandLine) -> None:
    outcome = here(*workplace.run("--kind", "memorized", "--labels", "corrupted"))
    assert outcome.code == 0
    assert "Results are in" in outcome.out


def test_a_run_of_another_size_has_its_own_board(workplace: Workplace, here: CommandLine) -> None:
    outcome = here(*workplace.run("--max-layer-dim", "64", "--decoder", "ncm"))
    assert outcome.code == 0, outcome.err
    assert "tiny v1: " in outcome.out
    assert "tiny+max_layer_dim=64 v1: " in outcome.out


@pytest.mark.parametrize("size", ["500MB", "4GiB", "1.5 GB", "800000000"])
def test_memory_is_given_as_people_write_it(
    size: str, empty_workplace: Workplace, here: CommandLine
) -> None:
    outcome = here(*empty_workplace.run("--kind", "untrained", "--memory", size))
    assert outcome.code == 0, outcome.err


@pytest.mark.parametrize("axis", [("--kind", "untrained"), ("--labels", "true"), ("--rate", "0")])
def test_a_run_with_nothing_to_score_is_no_failure(
    axis: tuple[str, str], empty_workplace: Workplace, here: CommandLine
) -> None:
    outcome = here(*empty_workplace.run(*axis))
    assert outcome.code == 0, outcome.err
    assert "tiny v1" not in outcome.out
    assert "Results are in" in outcome.out
    outcome = here("leaderboard", "--results", str(empty_workplace.results))
    assert (outcome.code, "nothing to score" in outcome.err) == (1, True)


BAD_DECODERS = """
import numpy as np
from memgen_bench import DecoderSpec, NotApplicable, hookimpl

class Base:
    def fit(self, X, y):
        return self
    def predict(self, X):
        return np.zeros(len(X), int)

class Raises(Base):
    def fit(self, X, y):
        raise RuntimeError("boom\\nand bust")

class Shape(Base):
    def predict(self, X):
        return np.zeros((len(X), 10))

class Nan(Base):
    def predict(self, X):
        return np.full(len(X), np.nan)

class Inapplicable(Base):
    def fit(self, X, y):
        raise NotApplicable("no meaning here")

@hookimpl
def register_decoders():
    return [
        DecoderSpec(name=made.__name__.lower(), summary="bad", build=made)
        for made in (Raises, Shape, Nan, Inapplicable)
    ]
"""


def test_a_decoder_that_breaks_becomes_rows_and_the_rest_goes_on(
    workplace: Workplace, plugin_file: PluginWriter, here: CommandLine
) -> None:
    bad = {
        "raises": ("failed", "error", "RuntimeError: boom and bust"),
        "shape": ("failed", "error", "ValueError: predict() returned shape (100, 10), not (100,)"),
        "nan": ("failed", "nan", "predict() returned NaN labels"),
        "inapplicable": ("skipped", None, "no meaning here"),
    }
    named = [option for name in (*bad, "ncm-euclidean") for option in ("--decoder", name)]
    plugin = str(plugin_file("bad_decoders", BAD_DECODERS))
    outcome = here(*workplace.run("--plugin", plugin, *named))
    assert outcome.code == 0, outcome.err
    assert "Traceback" not in outcome.err
    rows = read_results(workplace.results).to_pylist()
    columns = ("status", "error_type", "message")
    for name, expected in bad.items():
        found = {tuple(row[c] for c in columns) for row in rows if row["decoder"] == name}
        assert found == {expected}
    assert {r["status"] for r in rows if r["decoder"] == "ncm-euclidean"} == {"ok"}
    # three readouts, and each decoder on five layers of three networks with two kinds of labels
    assert "27 ok / 123 planned, 24 skipped, 72 failed" in outcome.out
    *_, said = (line for line in outcome.out.splitlines() if "boom and bust" in line)
    assert " readings failed (as raises on mlp on digits, " in said
    assert outcome.out.splitlines()[-2].endswith(" s")  # counts come last


def test_a_run_in_which_all_fails_has_failed(
    empty_workplace: Workplace, plugin_file: PluginWriter, here: CommandLine
) -> None:
    source = """
from memgen_bench import ModelSpec, hookimpl

def build(task):
    raise RuntimeError("no such luck")

@hookimpl
def register_models():
    return [ModelSpec(name="unlucky", summary="", build=build)]
"""
    plugin = str(plugin_file("unlucky", source))
    outcome = here(*empty_workplace.run("--plugin", plugin, "--model", "unlucky"))
    assert outcome.code == 1
    assert "0 ok / " in outcome.out
    assert outcome.out.splitlines()[-1].endswith(
        "; next: mend the above, and run the same again with --retry-failed"
    )
    rows = read_results(empty_workplace.results).to_pylist()
    assert {row["status"] for row in rows} == {"failed"}
    assert all("no such luck" in row["message"] for row in rows)


def test_a_data_set_that_is_not_there_is_left_out_with_its_reason(
    workplace: Workplace, here: CommandLine
) -> None:
    both = SUITE.replace('["digits"]', '["digits", "mnist"]')
    workplace.suite.write_text(both)
    outcome = here(*workplace.run("--all"))
    assert outcome.code == 0, outcome.err
    assert "left out: " in outcome.out
    assert "memgen-bench data download mnist" in outcome.out


def test_results_that_cannot_be_written_get_one_clear_line(
    workplace: Workplace, here: CommandLine
) -> None:
    blocked = workplace.folder / "file"
    blocked.write_text("a file where a folder should be")
    outcome = here(*workplace.run("--all", "--results", f"{blocked}/results"))
    assert outcome.code == 1
    assert f"cannot write {blocked}" in outcome.err.splitlines()[-1]


def test_a_plan_says_how_to_run_all_of_it_with_the_options_of_its_user(
    here: CommandLine, tmp_path: Path
) -> None:
    words = ["run", "--suite", "smoke", "--results", str(tmp_path / "my results"), "--test-size", 9]
    out = here(*words).out
    assert out.splitlines()[-1].endswith(
        f"run --suite smoke --results '{tmp_path / 'my results'}' --test-size 9 --all"
    )
