"""Figures for a paper: files that are there, the same each time, with names as they are."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import pytest

from memgen_leaderboard.figures.plots import FORMATS, save_board, save_figures
from memgen_leaderboard.scoring.suite_scores import all_scores, decoder_order

if TYPE_CHECKING:
    from pathlib import Path

    from helpers.readings import Bench
    from memgen_leaderboard.scoring.suite_scores import Scores

STRANGER = "<script>alert(1)</script> $x_1$"
PAIRS = [("b/c", "digits"), *(("a", f"set-{place}") for place in range(7))]


@pytest.fixture
def scores(bench: Bench, tmp_path: Path) -> Scores:
    for model, dataset in PAIRS:
        bench.cell(0.6, 0.4, 0.9, model=model, dataset=dataset)
        for decoder in ("ncm", STRANGER):
            seconds = {"fit_seconds": 0.1, "predict_seconds": 0.1}
            bench.decode(
                {"fc1": (0.5, 0.65)}, decoder=decoder, model=model, dataset=dataset, **seconds
            )
    (found,) = all_scores(bench.stored(tmp_path / "results"))
    return found


def test_all_figures_are_written_in_all_formats(scores: Scores, tmp_path: Path) -> None:
    written = save_figures(scores, decoder_order(scores), tmp_path / "out")
    layers = [
        f"{name}-{dataset}-{model.replace('/', '-')}"
        for name, (model, dataset) in product(("layers", "controls"), PAIRS)
    ]
    assert {path.name for path in written} == {
        f"toy-v1-{name}.{extension}"
        for name in (*layers, "rates", "pairs", "time", "ranks")
        for extension in FORMATS
    }
    assert all(path.stat().st_size > 1000 for path in written)


@pytest.mark.slow
def test_figures_are_the_same_each_time(scores: Scores, tmp_path: Path) -> None:
    first, again = (
        {path.name: path.read_bytes() for path in save_figures(scores, ["ncm"], tmp_path / name)}
        for name in ("one", "two")
    )
    assert first == again


def test_names_of_strangers_are_shown_as_they_are(scores: Scores, tmp_path: Path) -> None:
    written = save_figures(scores, decoder_order(scores), tmp_path / "out")
    for path in written:
        if path.suffix == ".svg":
            assert "<script" not in path.read_text()
    times = (tmp_path / "out" / "toy-v1-time.svg").read_text()
    assert "&lt;script&gt;alert(1)&lt;/script&gt; $x_1$" in times
    latex = save_board(scores, tmp_path / "out").read_text()
    assert (
        r"\textless{}script\textgreater{}alert(1)\textless{}/script\textgreater{} \$x\_1\$" in latex
    )
