"""Figures for a paper: files that are there, the same each time, with names as they are."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from helpers.once import made_once
from memgen_leaderboard.figures import plots
from memgen_leaderboard.figures.frames import controls_frame, layer_frame
from memgen_leaderboard.figures.palette import styles
from memgen_leaderboard.figures.plots import FORMATS, save_board, save_figures
from memgen_leaderboard.scoring.suite_scores import all_scores, decoder_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from helpers.readings import Bench
    from memgen_leaderboard.scoring.suite_scores import Scores

STRANGER = "<script>alert(1)</script> $x_1$"
PAIRS = [("b/c", "digits"), *(("a", f"set-{place}") for place in range(7))]


@pytest.fixture(scope="module")
def scores(new_bench: Callable[[], Bench], tmp_path_factory: pytest.TempPathFactory) -> Scores:
    bench = new_bench()
    for model, dataset in PAIRS:
        bench.cell(0.6, 0.4, 0.9, model=model, dataset=dataset)
        for decoder in ("ncm", STRANGER):
            seconds = {"fit_seconds": 0.1, "predict_seconds": 0.1}
            bench.decode(
                {"fc1": (0.5, 0.65)}, decoder=decoder, model=model, dataset=dataset, **seconds
            )
    (found,) = all_scores(bench.stored(tmp_path_factory.mktemp("results")))
    return found


@pytest.fixture(scope="module")
def drawn(scores: Scores, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all figures."""

    def make(folder: Path) -> None:
        written = save_figures(scores, decoder_order(scores), folder)
        assert set(written) == set(folder.iterdir())

    return made_once(tmp_path_factory, "figures", make)


def test_all_figures_are_written_in_all_formats(drawn: Path) -> None:
    layers = [
        f"{name}-{dataset}-{model.replace('/', '-')}"
        for name, (model, dataset) in product(("layers", "controls"), PAIRS)
    ]
    written = list(drawn.iterdir())
    assert {path.name for path in written} == {
        f"toy-v1-{name}.{extension}"
        for name in (*layers, "rates", "pairs", "time", "ranks")
        for extension in FORMATS
    }
    assert all(path.stat().st_size > 1000 for path in written)


@pytest.mark.slow
def test_figures_are_the_same_each_time(
    scores: Scores, drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once more one of each kind, as those of other pairs are drawn by the same code."""

    def one_of_each(*parts: Any, figures: Any = plots._figures) -> Iterator[Any]:
        seen = set[str]()
        for name, figure in figures(*parts):
            kind = name.partition("-")[0]
            if kind not in seen:
                seen.add(kind)
                yield name, figure

    monkeypatch.setattr(plots, "_figures", one_of_each)
    again = save_figures(scores, decoder_order(scores), tmp_path / "again")
    assert len(again) == 6 * len(FORMATS)
    assert [
        path.name for path in again if path.read_bytes() != (drawn / path.name).read_bytes()
    ] == []


def test_names_of_strangers_are_shown_as_they_are(
    scores: Scores, drawn: Path, tmp_path: Path
) -> None:
    for path in drawn.glob("*.svg"):
        assert "<script" not in path.read_text()
    times = (drawn / "toy-v1-time.svg").read_text()
    assert "&lt;script&gt;alert(1)&lt;/script&gt; $x_1$" in times
    latex = save_board(scores, tmp_path / "out").read_text()
    assert (
        r"\textless{}script\textgreater{}alert(1)\textless{}/script\textgreater{} \$x\_1\$" in latex
    )


def test_a_line_far_beyond_the_curves_is_named_at_the_edge(bench: Bench, tmp_path: Path) -> None:
    (scores,) = all_scores(bench.cell(0.05, 0.06, 0.9).stored(tmp_path))
    figures = (
        plots.layers_figure(layer_frame(scores), styles(["masc"]), "memorized network"),
        plots.controls_figure(controls_frame(scores), "memorized network"),
    )
    for axes in (figure.axes[0] for figure in figures):
        assert axes.get_ylim()[1] < 20
        assert [text.get_text() for text in axes.texts] == ["↑ ceiling 90.0 %"]
