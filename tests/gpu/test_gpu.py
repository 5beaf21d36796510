"""What a GPU computes is what the CPU computes; the comparison itself is tried on the CPU, too."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import memgen_bench
from memgen_bench.compute import compute_exactly
from memgen_bench.network.training import initial_module

SCRIPT = Path(__file__).parents[2] / "benchmark" / "gpu_check.py"
ON_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
DEVICES = [pytest.param("cuda", marks=[pytest.mark.gpu, ON_GPU]), "cpu"]
AGREE = 0.995  # of predictions on the same activations


@pytest.fixture(scope="module")
def check() -> dict[str, Any]:
    return runpy.run_path(str(SCRIPT))


@pytest.mark.slow
@pytest.mark.parametrize("device", DEVICES)
def test_a_device_decodes_as_the_cpu_does_and_memorizes(
    device: str, check: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = {"suite": "smoke", "decoders": ["masc", "lda-shrunk", "ridge-tuned", "knn-50"]}
    monkeypatch.setitem(check["RUNS"], "smoke", few)
    for name in {"cpu", device}:
        assert check["seconds"]("smoke", name, tmp_path / name) > 0
    folders = [tmp_path / name / "results" for name in ("cpu", device)]
    mean, least, share = check["agreement"](*folders)
    assert AGREE <= share <= mean <= 1, least
    assert [check["certified"](folder) for folder in folders] == ["3 of 3"] * 2


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", ["mlp", "cnn-pooled", "paper-cnn", "timm/test_resnet"])
def test_a_forward_pass_gives_the_same_features(device: str, name: str) -> None:
    compute_exactly()
    task = memgen_bench.Task(channels=1, height=16, width=16, num_classes=10)
    module = initial_module(memgen_bench.load_registry().models.find(name), task, 0).eval()
    x = torch.from_numpy(np.random.default_rng(0).random((64, 1, 16, 16), np.float32))
    with torch.inference_mode():
        expected = module(x)
        found = module.to(device)(x.to(device)).cpu()
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))
