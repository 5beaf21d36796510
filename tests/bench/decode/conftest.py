"""What tests of passes and of the reader share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from helpers.reading_lab import PLUGIN, SUITE, Counted, Lab
from memgen_bench.decode import moments, scratch
from memgen_bench.decode import training_points as points_module
from memgen_bench.decode.passes import Passes

if TYPE_CHECKING:
    from pathlib import Path

    from memgen_bench.decode.decoding import Outcome


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plugin") / "small.py"
    path.write_text(PLUGIN)
    return path


@pytest.fixture(scope="module")
def lab(plugin: Path) -> Lab:
    return Lab(plugin)


@pytest.fixture(scope="module")
def everything() -> dict[str, dict[str, Outcome]]:
    """What is read with all decoders and plenty of memory, by form, once it was."""
    return {}


@pytest.fixture
def expected(lab: Lab, form: str, everything: dict[str, dict[str, Outcome]]) -> dict[str, Outcome]:
    if form not in everything:
        everything[form] = lab.read(SUITE.decoders)
    return everything[form]


@pytest.fixture(params=["kept", "streamed"])
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The form of all moments; these layers are small enough to be kept."""
    if request.param == "streamed":
        for module in (moments, points_module):
            monkeypatch.setattr(module, "keeps_points", lambda *shape: False)
    return str(request.param)


@pytest.fixture
def counted(expected: Any, monkeypatch: pytest.MonkeyPatch) -> Counted:
    """Count passes over the training images, and files, which even small arrays may get now."""
    found, read, reserve = Counted(), Passes.read, scratch._reserve

    def counted_read(self: Passes, demands: Any) -> Any:
        found.passes += 1
        return read(self, demands)

    def counted_reserve(file: Any, size: int) -> None:
        found.files += 1
        reserve(file, size)

    monkeypatch.setattr(Passes, "read", counted_read)
    monkeypatch.setattr(scratch, "_reserve", counted_reserve)
    monkeypatch.setattr(scratch, "_SMALL", 0)
    return found
