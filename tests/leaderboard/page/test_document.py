"""The page as a file: self-contained, complete, and with strangers' text made harmless."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import re
import sys
import webbrowser
from typing import TYPE_CHECKING, Any, get_args

import polars as pl
import pytest

from memgen_bench import cli
from memgen_bench.plan.suite import Kind
from memgen_bench.results import store
from memgen_bench.results.schemas import TABLES
from memgen_leaderboard.page.contents import (
    _panels,
    filters,
    page_styles,
    readings_frame,
    suite_data,
)
from memgen_leaderboard.page.document import page
from memgen_leaderboard.scoring.suite_scores import View, all_scores
from memgen_leaderboard.tables.boards import main_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from helpers.readings import Bench
    from memgen_leaderboard.scoring.suite_scores import Scores

STRANGER = "<script>alert(1)</script>"


def small(bench: Bench, folder: Path) -> Path:
    """Store two models at two rates, a decoder with a strange name and a failed reading."""
    for model in ("mlp", "cnn"):
        for rate in (0.2, 0.4):
            bench.cell(0.6, 0.4, 0.9, model=model, rate=rate)
            bench.decode({"fc1": (0.5, 0.65)}, decoder=STRANGER, model=model, rate=rate)
        bench.decode({"fc1": (0.5, 0.7)}, model=model, kind="clean")
    failed = {"status": "failed", "error_type": "error", "message": f'a, "b"\n{STRANGER}'}
    nothing = {"test_accuracy": None, "validation_accuracy": None}
    bench.rows.append(bench.make(decoder="broken", **failed, **nothing))
    ids = {row["network_id"]: row for row in reversed(bench.rows)}  # the first of each
    names = TABLES["networks"].names
    networks = [{k: v for k, v in row.items() if k in names} for row in ids.values()]
    for row in networks:
        curves = [name for name in names if name.startswith("curve_")]
        row |= {name: [0.2, 0.5] for name in curves} | {"environment": '{"python": "3"}'}
    store.write_part(folder, "networks", "net", store.table("networks", networks))
    return bench.stored(folder)


@pytest.fixture(scope="module")
def views(new_bench: Callable[[], Bench], tmp_path_factory: pytest.TempPathFactory) -> list[Scores]:
    folder = small(new_bench(), tmp_path_factory.mktemp("page"))
    return all_scores(folder, [View(), View(kind="clean")])


@pytest.fixture(scope="module")
def html(views: list[Scores]) -> str:
    return page(views)


def blob(html: str, name: str) -> bytes:
    (found,) = re.findall(rf'data-blob="{name}">([^<]*)<', html)
    return base64.b64decode(found)


def test_a_decoder_has_one_look_in_all_figures_and_suites(
    bench: Bench, tmp_path: Path, new_bench: Callable[[], Bench]
) -> None:
    names = ("masc", "ncm", "fisher-ncm", "ridge-tuned", "rda-50", "ensemble-lda", "knn-50")
    for place, suite in enumerate((bench, new_bench())):
        for rank, name in enumerate((*names[place:], *names[:place])):
            suite.cell(0.6 + rank / 100, 0.4, 0.9, decoder=name)
        suite.stored(tmp_path / f"{place}", f"suite-{place}")
    found = all_scores(tmp_path)
    known = page_styles(found)
    shown = [suite_data([scores], known) for scores in found]
    specs = [figure["spec"] for data in shown for figure in data["figures"]]
    scales = [scale for spec in specs for scale in colours_by_decoder(spec)]
    assert len(scales) >= 2 * len(found)
    for scale in scales:
        looks = dict(zip(scale["domain"], scale["range"], strict=True))
        assert looks == {name: known[name].colour for name in looks}
    for data in shown:
        assert len({known[name].colour for name in data["shown"]}) == len(data["shown"]) == 6


def colours_by_decoder(spec: Any) -> Iterator[dict[str, Any]]:
    """Yield the scales of a figure that give decoders their colours."""
    if isinstance(spec, dict):
        colour = spec.get("color")
        if isinstance(colour, dict) and colour.get("field") == "decoder":
            yield colour["scale"]
    parts = spec.values() if isinstance(spec, dict) else spec if isinstance(spec, list) else ()
    for part in parts:
        yield from colours_by_decoder(part)


def test_no_script_is_a_strangers(html: str) -> None:
    assert STRANGER not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert len(re.findall(r"<script[ >]", html)) == len(re.findall("</script>", html)) == 5


def test_only_the_pages_own_scripts_may_run_and_nothing_may_be_loaded(html: str) -> None:
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', html)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    for script in re.findall(r"<script>(.*?)</script>", html, flags=re.DOTALL):
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in rules["script-src"].split()
    assert not re.findall(r'<(?:link|img|iframe)|\bsrc="', html.partition("<script")[0])


def test_csv_and_parquet_hold_the_same_readings(html: str, views: list[Scores]) -> None:
    expected = readings_frame(views[0])
    parquet = pl.read_parquet(io.BytesIO(blob(html, "parquet")))
    assert parquet.equals(expected)
    csv = pl.read_csv(gzip.decompress(blob(html, "readings")), schema=parquet.schema)
    assert csv.equals(expected)
    assert csv.filter(status="failed")["message"].to_list() == [f'a, "b"\n{STRANGER}']


def test_there_is_a_board_for_each_choice_of_the_filters(views: list[Scores]) -> None:
    data: dict[str, Any] = suite_data(views, page_styles(views))
    assert {axis: values for axis, _, values in filters(data["boards"])} == {
        "kind": ["memorized", "clean"],
        "pair": ["cnn on digits", "mlp on digits"],
        "rate": ["", "0.2", "0.4"],
    }
    where = {"kind": "memorized", "pair": "cnn on digits", "rate": "0.2"}
    (found,) = [board for board in data["boards"] if where.items() <= board["where"].items()]
    (alone,) = all_scores(views[0].folder, [View(models=("cnn",), rates=(0.2,))])
    assert found["rows"] == main_table(alone).rows


def test_data_of_the_page_are_json_that_browsers_read(html: str) -> None:
    data = json.loads(gzip.decompress(blob(html, "data")), parse_constant=pytest.fail)
    assert [figure["name"] for figure in data["figures"]] == [
        *("controls", "rates", "layers", "pairs")
    ]
    assert all(figure["spec"]["$schema"] for figure in data["figures"])
    names = {network["name"] for network in data["networks"]}
    assert {"memorized, ρ 0.2, seed 0", "clean, ρ 0, seed 0"} <= names


def test_a_page_of_rates_that_cannot_be_ranked_says_so(bench: Bench, tmp_path: Path) -> None:
    bench.cell(0.1, 0.12, 0.9, rate=1.0, rankable=False)
    assert "Nothing is ranked here." in page(all_scores(bench.stored(tmp_path)))


@pytest.mark.parametrize("kind", get_args(Kind))
def test_networks_of_every_kind_have_a_place(bench: Bench, tmp_path: Path, kind: str) -> None:
    small(bench, tmp_path)
    (scores,) = all_scores(tmp_path)
    others = scores.networks.with_columns(kind=pl.lit(kind))
    vars(scores)["networks"] = others
    assert len(suite_data([scores], page_styles([scores]))["networks"]) == others.height > 0


def command(monkeypatch: pytest.MonkeyPatch, *words: str | Path) -> int:
    monkeypatch.setattr(sys, "argv", ["memgen-bench", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def test_the_command_line_writes_a_page(
    views: list[Scores],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    there = ("leaderboard", "--results", views[0].folder)
    assert command(monkeypatch, *there, "--html", tmp_path / "site", "--open") == 0
    assert opened == [(tmp_path / "site" / "index.html").as_uri()]
    assert command(monkeypatch, *there, "--open") == 2
    assert "--html DIR" in capsys.readouterr().err


def test_the_command_line_draws_the_decoders_that_are_asked_for(
    views: list[Scores],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    there = ("figures", "--results", views[0].folder, "--out", tmp_path / "out")
    assert command(monkeypatch, *there, "--decoder", "mascc") == 2
    assert "no decoder mascc in toy v1; there are" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert command(monkeypatch, *there, "--decoder", "masc") == 0
    drawn = (tmp_path / "out" / "toy-v1-rates.svg").read_text()
    assert ">masc<" in drawn
    assert "alert" not in drawn


def test_panels_are_in_order_though_another_pair_has_one_of_the_same_name() -> None:
    rows = [("masc", "ρ 0.8", "masc, ρ 0.8 beside patches"), ("masc", "ρ 0.2", "masc, ρ 0.2")]
    rows += [("masc", "ρ 0.8", "masc, ρ 0.8 beside patches"), ("ncm", "ρ 0.2", "ncm, ρ 0.2")]
    beside = pl.DataFrame(rows, schema=["decoder", "draw", "panel"], orient="row")
    assert _panels(beside) == ["masc, ρ 0.2", "masc, ρ 0.8 beside patches", "ncm, ρ 0.2"]
