"""What a plan is told of results that are there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from memgen_bench.results import rows, store
from memgen_bench.results.snapshot import Snapshot
from memgen_bench.running.missing import find_missing
from memgen_bench.running.observer import Observer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from memgen_bench.plan.plan import Plan


def test_data_that_are_in_the_results_under_another_name_are_noticed(
    tmp_path: Path, plan_digits: Callable[..., Plan]
) -> None:
    plan = plan_digits()
    stored = (
        rows.network_row(replace(network, data=replace(network.data, name=name))) | {"status": "ok"}
        for name, network in zip(("digits", "numbers", "numbers"), plan.networks, strict=True)
    )
    store.write_part(tmp_path, "networks", "part", store.table("networks", stored))
    found = find_missing(plan, Snapshot(tmp_path), ())
    assert found.renamed == {"digits": "numbers"}
    assert found.notices[0].startswith("digits: the same images and labels as numbers, under")
    assert find_missing(plan, Snapshot(tmp_path), (), fresh=True).notices == ()
    assert find_missing(plan, Snapshot(tmp_path / "new"), ()).notices == ()


def test_an_observer_that_does_nothing_else_warns_of_a_notice() -> None:
    with pytest.warns(UserWarning, match="^3 left out$"):
        Observer().notice("3 left out")
