"""Parameters of a command that are made of options."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
import typer
from typer.testing import CliRunner

from memgen_bench.cli import app, options
from memgen_bench.cli.unfolding import MadeOf, unfold
from memgen_bench.files.places import find_places
from memgen_bench.plan.axes import CHANGES, Axes, Changes, Sizes


def options_of(verb: str) -> list[str]:
    commands: Any = typer.main.get_command(app)
    for word in verb.split():
        commands = commands.commands[word]
    return [parameter.name for parameter in commands.params]


def answer(command: Any, *words: str) -> Any:
    """Return what a command, which raises it, is called with."""
    alone = typer.Typer()
    alone.command()(command)
    return CliRunner().invoke(alone, words).exception.args  # type: ignore[union-attr]


def join(first: str | None, second: str | None) -> str:
    return f"{first}+{second}"


Text = Annotated[str | None, typer.Option()]


@unfold
def joining(
    *,
    word: Annotated[str, typer.Argument()],
    joined: Annotated[str, MadeOf(join, {"first": Text, "second": Text})],
    last: Annotated[int, typer.Option()] = 1,
) -> None:
    raise KeyError(word, joined, last)


@unfold
def changing(*, changes: options.Changes) -> None:
    raise KeyError(changes)


@unfold
def placing(*, places: options.Places) -> None:
    raise KeyError(places)


def test_a_parameter_is_made_of_the_options_in_its_place() -> None:
    assert answer(joining, "word", "--second", "b", "--last", "3") == ("word", "None+b", 3)


def test_options_stand_where_the_parameter_stood() -> None:
    alone = typer.Typer(add_completion=False)
    alone.command()(joining)
    names = [parameter.name for parameter in typer.main.get_command(alone).params]
    assert names == ["word", "first", "second", "last"]


def test_changes_are_what_is_given() -> None:
    words = ["--model", "mlp", "--model", "cnn", "--rate", "0.4", "--noise-seed", "1"]
    sizes = ["--test-size", "50", "--validation-fraction", "0"]
    given: Changes = {"models": ("mlp", "cnn"), "rates": (0.4,), "noise_seeds": (1,)}
    assert answer(changing, *words, *sizes) == (
        {**given, "test_size": 50, "validation_fraction": 0.0},
    )
    assert answer(changing) == ({},)


def test_places_are_what_options_name_and_the_environment() -> None:
    words = ["--cache-dir", "cache", "--shared-cache", "a", "--shared-cache", "b"]
    expected = find_places(cache_dir="cache", shared_caches=["a", "b"])
    assert answer(placing, *words) == (expected,)


@pytest.mark.parametrize(
    ("verb", "left_out"),
    [
        ("run", []),
        ("why", []),
        ("retrain", ["kinds", "features", "labels", "fitted_on"]),
        ("export-activations", ["decoders", "kinds", "features", "labels", "fitted_on"]),
    ],
)
def test_a_verb_that_plans_takes_all_axes_and_sizes_but_those_it_fixes(
    verb: str, left_out: list[str]
) -> None:
    taken = [name for name in options_of(verb) if name in CHANGES]
    assert taken == [
        name for name in (*Axes.__annotations__, *Sizes.__annotations__) if name not in left_out
    ]


VIEW = ["rates", "datasets", "models", "noises"]


@pytest.mark.parametrize(
    ("verb", "taken"),
    [
        ("leaderboard", [*VIEW, "decoders", "labels", "fitted_on", "kinds"]),
        ("figures", ["decoders", *VIEW]),
        ("compare", ["decoders", *VIEW, "fitted_on"]),
    ],
)
def test_a_verb_that_shows_takes_what_a_view_keeps(verb: str, taken: list[str]) -> None:
    assert [name for name in options_of(verb) if name in CHANGES] == taken


@pytest.mark.parametrize(
    ("verb", "taken"),
    [
        ("run", ["data_dir", "cache_dir", "shared_caches"]),
        ("cache list", ["cache_dir", "shared_caches"]),
        ("cache prune", ["data_dir", "cache_dir"]),
        ("data list", ["data_dir"]),
        ("check", ["data_dir"]),
    ],
)
def test_a_verb_asks_for_the_places_that_it_looks_at(verb: str, taken: list[str]) -> None:
    known = ("data_dir", "cache_dir", "shared_caches")
    assert [name for name in options_of(verb) if name in known] == taken


@pytest.mark.parametrize("name", [*CHANGES, "jobs", "memory", "timeout", "resume_minutes"])
def test_a_refused_value_is_named_by_an_option_that_run_has(name: str) -> None:
    command: Any = typer.main.get_command(app)
    there = {flag for each in command.commands["run"].params for flag in each.opts}
    assert options.flag(name) in there
