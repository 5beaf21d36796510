"""The gate's calibration on a few decoders: benchmark/calibrate_gate.py does all of them."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

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


def test_defects_that_cost_a_point_are_caught(calibration: Any) -> None:
    costly = 0
    for name, broken in calibration.defects(SPECS):
        for verdict in calibration.verdicts(broken, [FIXTURES["fashion-mnist"]]):
            if verdict.before - verdict.after > calibration.COSTLY:
                costly += 1
                assert verdict.outcome == "regression", name
    assert costly >= 3
