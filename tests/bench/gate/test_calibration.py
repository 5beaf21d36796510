"""The gate's calibration on a few decoders: benchmark/calibrate_gate.py does all of them."""

from __future__ import annotations

import importlib.util
import sys
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import torch

from memgen_bench import load_registry
from memgen_bench.fixtures.fixture import load_fixtures

DECODERS = load_registry().decoders
SPECS = [DECODERS[name] for name in ("masc", "ncm")]
FIXTURES = {each.about["dataset"]: each for each in load_fixtures() if not each.null}


@pytest.fixture(scope="module")
def calibration() -> Any:
    path = Path(__file__).parents[3] / "benchmark" / "calibrate_gate.py"
    spec = importlib.util.spec_from_file_location("calibrate_gate", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["calibrate_gate"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_harmless_changes_pass(calibration: Any) -> None:
    for name, ways in calibration.HARMLESS:
        for around, change in ways:
            found = calibration.verdicts(SPECS, [FIXTURES["digits"]], around, change)
            assert {verdict.outcome for verdict in found} <= {"fine", "drift"}, name


def test_every_module_computes_in_blocks_of_the_asked_size(calibration: Any) -> None:
    importing = {
        name: module
        for name, module in sys.modules.items()
        if name.startswith("memgen_") and hasattr(module, "block_rows")
    }
    assert {"memgen_bench.compute", "memgen_bench.decode.moments"} < set(importing)
    with calibration.blocks_of(100):
        for name, module in importing.items():
            assert module.block_rows(64) == 100, name


@pytest.mark.parametrize("rows", [100, 500])
def test_decoders_see_blocks_of_the_asked_size(
    calibration: Any, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    sizes: dict[str, set[int]] = {}
    split = torch.split

    def spy(tensor: torch.Tensor, size: int, **named: Any) -> Any:
        sizes.setdefault(sys._getframe(1).f_globals["__name__"], set()).add(size)
        return split(tensor, size, **named)

    monkeypatch.setattr(torch, "split", spy)
    specs = [DECODERS[name] for name in ("masc", "knn-5")]
    calibration.verdicts(specs, [FIXTURES["digits"]], partial(calibration.blocks_of, rows))
    for module in ("compute", "decode.moments", "decode.neighbors"):
        assert sizes[f"memgen_bench.{module}"] == {rows}, module


def test_moments_are_added_up_where_that_is_asked(
    calibration: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ((around, change),) = dict(calibration.HARMLESS)["moments added up in float64"]
    adding = Mock(wraps=calibration.added_up)
    monkeypatch.setattr(calibration, "added_up", adding)
    calibration.verdicts(SPECS, [FIXTURES["digits"]], around, change)
    assert adding.call_count == len(FIXTURES["digits"].layers)  # once for both decoders


def test_defects_that_cost_a_point_are_caught(calibration: Any) -> None:
    costly = 0
    for name, broken in calibration.defects(SPECS):
        for verdict in calibration.verdicts(broken, [FIXTURES["fashion-mnist"]]):
            if verdict.before - verdict.after > calibration.COSTLY:
                costly += 1
                assert verdict.outcome == "regression", name
    assert costly >= 3
