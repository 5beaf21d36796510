"""The doors for plugins: each name that is offered is there, documented, and offered on purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import memgen_bench
from memgen_bench.toolkit import decoders, engines

if TYPE_CHECKING:
    from types import ModuleType

TYPES = ("Need", "NoiseNeed", "Report")  # aliases, which have no docstring


@pytest.mark.parametrize("door", [memgen_bench, decoders, engines])
def test_a_door_offers_names_that_are_there_and_documented(door: ModuleType) -> None:
    assert sorted(set(door.__all__)) == sorted(door.__all__)
    for name in door.__all__:
        assert getattr(getattr(door, name), "__doc__", None) or name in TYPES, name


@pytest.mark.parametrize("door", [decoders, engines])
def test_a_door_offers_all_that_it_imports(door: ModuleType) -> None:
    imported = {name for name in vars(door) if name.isidentifier() and name[0] != "_"}
    imported -= {"annotations"}  # of the future
    assert imported == set(door.__all__)
