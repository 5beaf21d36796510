"""The questions of a plan: what may end a process is asked elsewhere, and costs its own rows."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from memgen_bench.workers.child import ChildLost
from memgen_bench.workers.questions import Questions

if TYPE_CHECKING:
    from pathlib import Path

DIES = """
import os
from memgen_bench import DecoderSpec, hookimpl

@hookimpl
def register_decoders():
    return [DecoderSpec(name="dies", summary="s", build=lambda: os._exit(3))]
"""


def dead(function: str, *args: Any) -> Any:
    raise ChildLost("crash", "its process ended with exit code 3")


def test_a_decoder_whose_building_ends_the_process_has_unknown_parameters() -> None:
    assert Questions(dead).parameters("dies") == "null"


def test_parameters_are_those_of_the_decoder_that_is_built() -> None:
    assert Questions().parameters("masc-75") == '{"variance": 0.75}'


PLANS = """
import sys
from functools import partial
from memgen_bench import load_registry
from memgen_bench.files.places import find_places
from memgen_bench.plan.suite import load_suite
from memgen_bench.running.runner import plan_run
from memgen_bench.workers.child import Children
from memgen_bench.workers.questions import Questions

folder, plugin = sys.argv[1:]
suite = load_suite("smoke").replace({"decoders": ["masc", "dies"]})
with Children() as children:
    ask = Questions(children.call, (plugin,))
    plan = plan_run(suite, load_registry([plugin]), find_places(folder, folder), questions=ask)
print(*(each.params for each in plan.networks[0].decoders), sep="; ")
print({"torch", "sklearn", "scipy"} & set(sys.modules))
"""


@pytest.mark.slow
def test_a_plan_that_asks_children_builds_nothing_itself(tmp_path: Path) -> None:
    plugin = tmp_path / "dies.py"
    plugin.write_text(DIES)
    done = subprocess.run(
        [sys.executable, "-c", PLANS, str(tmp_path), str(plugin)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ['{"variance": 0.99}; null', "set()"]
