"""An observer is told of a run, and is entered and left with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import memgen_bench
from helpers.small_run import SUITE

if TYPE_CHECKING:
    from pathlib import Path


class Noting(memgen_bench.Observer):
    def __init__(self) -> None:
        self.said: list[str] = []

    def __enter__(self) -> Noting:
        self.said.append("begins")
        return self

    def __exit__(self, *_: object) -> None:
        self.said.append("ends")

    def planned(self, plan: Any, missing_work: Any) -> None:
        self.said.append(f"{len(missing_work.networks)} networks")

    def stored(self, network: Any, readings: Any, done: bool) -> None:
        self.said += ["stored"] * done


def run(folder: Path, **options: Any) -> None:
    own = {"kinds": ["untrained"], "decoders": ["ncm"], "engine": "serial"}
    places = {"results": folder / "results", "cache_dir": folder / "cache"}
    memgen_bench.run(SUITE, **{**own, **places, **options})


def test_an_observer_is_told_how_a_run_goes_on(tmp_path: Path) -> None:
    noting = Noting()
    run(tmp_path, observer=noting)
    assert noting.said == ["begins", "1 networks", "stored", "ends"]


def test_a_run_speaks_unless_it_is_told_not_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path / "a")
    assert "1/1 mlp on digits, untrained" in capsys.readouterr().err
    run(tmp_path / "b", observer=memgen_bench.Observer())
    assert capsys.readouterr() == ("", "")


def test_one_name_where_a_list_belongs_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(memgen_bench.UsageError, match=r"decoders takes a list, .*=\['masc'\]"):
        run(tmp_path, decoders="masc")


def test_what_can_be_completed_is_what_is_public() -> None:
    shown = {name for name in dir(memgen_bench) if not name.startswith("_")}
    assert shown == set(memgen_bench.__all__)
