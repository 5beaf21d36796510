"""Axes and sizes: what is declared once is a keyword, an option, and a field of a suite."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import memgen_bench
from memgen_bench.plan.axes import CHANGES
from memgen_bench.plan.suite import Suite

# In a process of its own, the declaration is read with one more line in it.
WITH_PLANETS = """
import inspect, pathlib, sys, types
import memgen_bench.plan

file = pathlib.Path(memgen_bench.plan.__file__).with_name("axes.py")
before, noises, after = file.read_text().partition("    noises: ")
planets = '    planets: Annotated[Sequence[str] | None, "A planet"]\\n'
module = sys.modules["memgen_bench.plan.axes"] = types.ModuleType("memgen_bench.plan.axes")
exec(before + planets + noises + after, module.__dict__)

import typer.main
from memgen_bench import UsageError, cli, run

verbs = typer.main.get_command(cli.app).commands
takers = [
    name
    for name, verb in verbs.items()
    if any("--planet" in parameter.opts for parameter in verb.params)
]
print(takers)
print("planets" in inspect.signature(run).parameters)
for start in (
    lambda: run("smoke", planets=["Mars"]),
    lambda: cli.app(["run", "--planet", "Mars", "--planet", "Venus"], standalone_mode=False),
):
    try:
        start()
    except UsageError as error:
        print(str(error).partition(";")[0])
"""


def test_a_key_that_is_declared_is_an_option_of_every_verb_and_a_keyword_of_run() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITH_PLANETS], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [
        "['run', 'retrain', 'why', 'submit', 'export-activations']",
        "True",
        "suite 'smoke' with the options given: unknown key 'planets'",
        "suite 'core' with the options given: unknown key 'planets'",
    ]


def test_every_key_is_a_field_of_a_suite() -> None:
    assert CHANGES.keys() < Suite.model_fields.keys()


def test_the_signature_of_run_names_every_key_and_says_what_it_is() -> None:
    parameters = inspect.signature(memgen_bench.run).parameters
    assert CHANGES.items() <= {name: each.annotation for name, each in parameters.items()}.items()
    assert CHANGES["rates"].__metadata__ == ("A shuffle rate in [0, 1]",)
    assert parameters["rates"].default is None
    assert not any(each.kind is each.VAR_KEYWORD for each in parameters.values())


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("model", "did you mean 'models'?"),
        ("cachedir", "did you mean 'cache_dir'?"),
        ("quantum", "it takes suite, slow, "),
        ("checkpoints", "it takes suite, slow, "),  # of a suite, but no axis
    ],
)
def test_an_unknown_keyword_of_run_gets_one_clear_line(typed: str, says: str) -> None:
    with pytest.raises(TypeError) as caught:
        memgen_bench.run("smoke", **{typed: ["mlp"]})  # type: ignore[arg-type]
    start = f"run() got an unexpected keyword argument {typed!r}; "
    assert str(caught.value).startswith(start + says)
    assert "\n" not in str(caught.value)
