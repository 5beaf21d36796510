"""`memgen-bench leaderboard`, as a user calls it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from helpers.command_line import SUITE, CommandLine, Workplace
from helpers.readings import LATER
from memgen_leaderboard.scoring.decoder_choice import CHOSEN
from memgen_leaderboard.scoring.suite_scores import all_scores
from memgen_leaderboard.tables.boards import main_table

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from helpers.readings import Bench


def test_the_leaderboard_is_shown(workplace: Workplace, here: CommandLine) -> None:
    outcome = here("leaderboard", "--results", str(workplace.results))
    assert outcome.code == 0
    for part in ("tiny v1", "masc", "ncm", "readout", "control", "recovery", "headroom"):
        assert part in outcome.out


@pytest.mark.parametrize("columns", ["40", "300"])
def test_a_table_that_goes_to_no_terminal_has_a_width_of_its_own(
    columns: str, workplace: Workplace, here: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    outcome = here("leaderboard", "--results", str(workplace.results))
    assert 100 < max(map(len, outcome.out.splitlines())) <= 140


def test_the_leaderboard_is_put_between_marks_and_checked(
    workplace: Workplace, here: CommandLine
) -> None:
    readme = workplace.folder / "README.md"
    readme.write_text("before\n<!-- leaderboard:begin -->\n<!-- leaderboard:end -->\nafter\n")
    command = ["leaderboard", "--results", str(workplace.results), "--update", str(readme)]

    stale = here(*command, "--check")
    assert (stale.code, f"{readme} is stale" in stale.out) == (1, True)
    assert "masc" not in readme.read_text()

    assert here(*command).code == 0
    text = readme.read_text()
    assert "| masc |" in text
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")

    assert here(*command, "--check").code == 0
    readme.write_text(text.replace("masc", "mask"))
    assert here(*command, "--check").code == 1


def test_a_suite_has_a_whole_board_though_another_computed_a_part(
    workplace: Workplace, here: CommandLine
) -> None:
    other = SUITE.replace('"tiny"', '"other"').replace('"ncm"', '"ridge"')
    workplace.suite.write_text(other)
    assert here(*workplace.run("--all")).code == 0
    boards = {scores.title: main_table(scores) for scores in all_scores(workplace.results)}
    excess = {row[1]: row[2] for row in boards["other v1"].rows}
    assert excess.keys() == {"readout", "control", CHOSEN, "masc", "ridge"}
    assert "–" not in excess.values()


def test_other_kinds_and_labels_have_boards_of_their_own(
    workplace: Workplace, here: CommandLine
) -> None:
    filters = ["--kind", "memorized", "--kind", "clean", "--labels", "corrupted", "--rate", "0.4"]
    outcome = here("leaderboard", "--results", str(workplace.results), *filters)
    assert outcome.code == 0, outcome.err
    titles = [line.strip() for line in outcome.out.splitlines() if line.startswith("tiny v1")]
    assert titles == [
        "tiny v1: digits × mlp, noise uniform, ρ 0.4, 1 seed",
        "tiny v1: digits × mlp, noise uniform, ρ 0.4, 1 seed, clean networks, corrupted labels",
    ]


@pytest.fixture
def wide_results(bench: Bench, tmp_path: Path) -> str:
    for model in ("mlp", "cnn"):
        for dataset in ("digits", "usps"):
            own = {"model": model, "dataset": dataset, "network_id": f"{model} {dataset}"}
            for rate in (0.2, 0.6):
                bench.decode({"fc1": (0.5, 0.6)}, rate=rate, **own)
    bench.decode({"fc1": (0.5, 0.7)}, labels="true").decode({"fc1": (0.5, 0.7)}, kind="clean")
    return str(bench.stored(tmp_path / "wide"))


@pytest.mark.parametrize(
    ("option", "kept", "boards", "networks"),
    [
        ("--rate", "0.2", ["digits × cnn", "digits × mlp", "usps × cnn", "usps × mlp"], 1),
        ("--dataset", "usps", ["usps × cnn", "usps × mlp"], 2),
        ("--model", "cnn", ["digits × cnn", "usps × cnn"], 2),
        ("--labels", "true", ["digits × mlp"], 1),
        ("--kind", "clean", ["digits × mlp"], 1),
    ],
)
def test_each_filter_keeps_what_it_names(
    option: str, kept: str, boards: list[str], networks: int, wide_results: str, here: CommandLine
) -> None:
    outcome = here("leaderboard", "--results", wide_results, option, kept)
    assert outcome.code == 0, outcome.err
    lines = outcome.out.splitlines()
    titles = [line for line in lines if line.startswith("toy v1: ") and "×" in line]
    assert [title[len("toy v1: ") :].split(",")[0].rstrip() for title in titles] == boards
    of_masc = [line.split() for line in lines if " masc " in f" {line}"]
    assert [row[-1] for row in of_masc[: len(boards)]] == [f"{networks}/{networks}"] * len(boards)
    assert any("all pairs" in line for line in lines) == (len(boards) > 1)


@pytest.mark.parametrize(
    ("option", "there"),
    [
        ("--rate", "0.2, 0.4, 0.6"),
        ("--dataset", "digits, usps"),
        ("--model", "cnn, mlp"),
        ("--labels", "corrupted, true"),
        ("--kind", "clean, memorized"),
    ],
)
def test_a_filter_that_keeps_nothing_says_what_there_is(
    option: str, there: str, wide_results: str, here: CommandLine
) -> None:
    value = "0.3" if option == "--rate" else "vit"
    outcome = here("leaderboard", "--results", wide_results, option, value)
    says = f"memgen-bench: error: no {option[2:]} {value} in the results; there are {there}"
    assert (outcome.code, outcome.err.strip()) == (2, says)


def test_filters_that_keep_nothing_together_say_of_what(
    wide_results: str, here: CommandLine
) -> None:
    filters = ["--labels", "true", "--kind", "clean", "--model", "cnn"]
    outcome = here("leaderboard", "--results", wide_results, *filters)
    assert outcome.code == 1
    assert "nothing to score of clean networks on true labels" in outcome.err
    assert "there are only clean networks on corrupted labels, memorized networks on" in outcome.err
    assert "memgen-bench run makes what is missing" in outcome.err


def test_results_of_untrained_networks_alone_say_that_there_are_these(
    bench: Bench, tmp_path: Path, here: CommandLine
) -> None:
    bench.decode({"fc1": (0.5, 0.6)}, kind="untrained", memorized=None, order_seed=None)
    outcome = here("leaderboard", "--results", str(bench.stored(tmp_path)))
    assert outcome.code == 1
    assert (
        "nothing to score of memorized networks on corrupted labels; there are only untrained "
        "networks on corrupted labels; --kind untrained shows such, memgen-bench run makes what is "
        "missing"
    ) in outcome.err


@pytest.mark.slow
def test_networks_that_did_not_memorize_are_shown_where_they_are_asked_for(
    bench: Bench, tmp_path: Path, here: CommandLine
) -> None:
    results = str(bench.cell(0.6, 0.4, 0.8, memorized=False).stored(tmp_path))
    for verb in (("leaderboard",), ("figures", "--out", str(tmp_path / "figures"))):
        outcome = here(*verb, "--results", results)
        assert outcome.code == 1
        assert "of memorized networks" in outcome.err
        assert "--kind unmemorized shows those that did not memorize" in outcome.err
        shown = here(*verb, "--results", results, "--kind", "unmemorized")
        assert shown.code == 0, shown.err
        assert ("unmemorized networks" if verb == ("leaderboard",) else "layers") in shown.out


def test_several_files_are_updated_and_checked_together(
    workplace: Workplace, here: CommandLine
) -> None:
    files = [workplace.folder / name for name in ("README.md", "board.md")]
    for file, part in zip(files, ("leaderboard", "report"), strict=True):
        file.write_text(f"<!-- {part}:begin -->\n<!-- {part}:end -->\n")
    updates = [option for file in files for option in ("--update", str(file))]
    command = ["leaderboard", "--results", str(workplace.results), *updates]
    assert here(*command).code == 0
    assert "The best decoder, " in files[1].read_text()
    files[1].write_text(files[1].read_text().replace("The best", "The worst"))
    outcome = here(*command, "--check")
    assert outcome.code == 1
    assert f"{files[0]} is up to date" in outcome.out
    assert f"{files[1]} is stale" in outcome.out


def test_a_damaged_part_gets_one_clear_line(workplace: Workplace, here: CommandLine) -> None:
    path = next(iter(workplace.parts("readings")))
    path.write_bytes(b"rubbish")
    outcome = here("leaderboard", "--results", str(workplace.results))
    assert outcome.code == 1
    assert f"{path}: damaged" in outcome.err
    assert outcome.err.count("\n") == 1


def test_one_suite_is_shown_and_the_newest_comes_first(
    new_bench: Callable[[], Bench], tmp_path: Path, here: CommandLine
) -> None:
    old = new_bench().cell(0.6, 0.4, 0.8).stored(tmp_path / "all" / "a", "old")
    new = new_bench().cell(0.6, 0.4, 0.8)
    for row in new.rows:
        row["created"] = LATER
    new.stored(tmp_path / "all" / "b", "new")
    out = here("leaderboard", "--results", old.parent).out
    assert out.index("new v1: ") < out.index("old v1: ")
    out = here("leaderboard", "--results", old.parent, "--suite", "old v1").out
    assert "old v1: " in out
    assert "new v1: " not in out
    outcome = here("leaderboard", "--results", old.parent, "--suite", "odl")
    assert outcome.code == 2
    assert "there is no suite 'odl'; there are new v1, old v1" in outcome.err
