"""Scores on readings made by hand: which layer, which control, which rank."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from memgen_bench import store
from memgen_bench.errors import StoreError
from memgen_leaderboard import scores, tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    Row = dict[str, Any]
    ReadingMaker = Callable[..., Row]
    # layer to (noisy validation accuracy, test accuracy)
    Profile = Mapping[str, tuple[float | None, float | None]]

DEPTHS = {"input": 0.0, "fc1": 0.25, "fc2": 0.5, "fc3": 0.75, "logits": 1.0}
LATER = datetime(2026, 6, 1, tzinfo=UTC)
FLAT: Profile = dict.fromkeys(DEPTHS, (0.5, 0.5))


def frame(rows: Iterable[Row]) -> pl.DataFrame:
    found = pl.from_arrow(store.table("readings", rows))
    assert isinstance(found, pl.DataFrame)
    return found


class Bench:
    """Writes the readings of networks; a decoder's profile is its accuracies layer by layer."""

    def __init__(self, make_reading: ReadingMaker) -> None:
        self.make, self.rows = make_reading, list[dict[str, Any]]()

    def decode(self, profile: Profile, **columns: Any) -> Bench:
        for layer, (validation, test) in profile.items():
            place = {
                "layer": layer,
                "layer_index": list(DEPTHS).index(layer),
                "layer_depth": DEPTHS[layer],
            }
            accuracies = {"validation_accuracy": validation, "test_accuracy": test}
            self.rows.append(self.make(**place, **accuracies, **columns))
        return self

    def readout(self, accuracy: float, **columns: Any) -> Bench:
        return self.decode(
            {"logits": (0.5, accuracy)}, **{"decoder": "readout", "labels": None, **columns}
        )

    def clean_readout(self, accuracy: float, **columns: Any) -> Bench:
        """Add the ceiling: the readout of a network trained on true labels."""
        at_zero = {"kind": "clean", "noise": None, "rate": 0.0, "noise_seed": None}
        return self.readout(accuracy, **{**at_zero, **columns})

    def cell(self, decoded: float, readout: float, ceiling: float, **columns: Any) -> Bench:
        """Add a memorized network that one layer is decoded of, its readout and its ceiling."""
        seeds = {name: columns[name] for name in ("seed", "model") if name in columns}
        own = {name: value for name, value in columns.items() if name != "decoder"}
        self.decode({"fc1": (0.5, decoded)}, **columns)
        return self.readout(readout, **own).clean_readout(ceiling, **seeds)

    def units(self) -> pl.DataFrame:
        return scores.units(frame(self.rows))

    def board(self) -> dict[str, Row]:
        return {row["decoder"]: row for row in scores.board(self.units()).iter_rows(named=True)}

    def chosen(self) -> list[tuple[str, str]]:
        return scores.choose_layers(frame(self.rows)).select("layer", "chosen_by").rows()


@pytest.fixture(scope="session")
def new_bench(make_reading: ReadingMaker) -> Callable[[], Bench]:
    return lambda: Bench(make_reading)


@pytest.fixture
def bench(new_bench: Callable[[], Bench]) -> Bench:
    return new_bench()


# which layer


def test_the_layer_is_the_best_on_validation_not_on_test(bench: Bench) -> None:
    bench.decode({"fc1": (0.3, 0.9), "fc2": (0.6, 0.1), "fc3": (0.4, 0.8)})
    assert bench.chosen() == [("fc2", "validation")]


def test_the_layer_is_chosen_on_the_mean_over_the_seeds(bench: Bench) -> None:
    bench.decode({"fc1": (0.9, 0.5), "fc2": (0.7, 0.5)}, seed=0)
    bench.decode({"fc1": (0.1, 0.5), "fc2": (0.7, 0.5)}, seed=1)
    assert bench.chosen() == [("fc2", "validation")]


@pytest.mark.parametrize(
    "other",
    [
        {"rate": 0.6},
        {"noise": "flip"},
        {"model": "cnn"},
        {"dataset": "mnist"},
        {"train_count": 30},
        {"validation_count": 10},
        {"test_count": 20},
        {"max_layer_dim": 0},
    ],
)
def test_a_layer_is_chosen_for_each_cell(other: Row, bench: Bench) -> None:
    bench.decode({"fc1": (0.9, 0.5), "fc2": (0.7, 0.5)})
    bench.decode({"fc1": (0.1, 0.5), "fc2": (0.7, 0.5)}, **other)
    assert sorted(bench.chosen()) == [("fc1", "validation"), ("fc2", "validation")]


def test_the_input_is_never_eligible(bench: Bench) -> None:
    bench.decode({"input": (0.99, 0.99), "fc1": (0.1, 0.1), "logits": (0.2, 0.2)})
    assert bench.chosen() == [("logits", "validation")]
    (unit,) = bench.units().iter_rows(named=True)
    assert (unit["decoded"], unit["oracle"], unit["pixels"]) == (0.2, 0.2, 0.99)


def test_of_equal_layers_the_earlier_is_chosen(bench: Bench) -> None:
    bench.decode({"logits": (0.7, 0.5), "fc3": (0.7, 0.5), "fc2": (0.7, 0.5), "fc1": (0.6, 0.5)})
    assert bench.chosen() == [("fc2", "validation")]


def test_layers_equal_but_for_rounding_are_equal(bench: Bench) -> None:
    for seed, (first, second) in enumerate([(0.1, 0.0), (0.95, 0.1), (0.0, 0.95)]):
        bench.decode({"fc1": (first, 0.5), "fc2": (second, 0.5)}, seed=seed)
    assert bench.chosen() == [("fc1", "validation")]


def test_without_validation_it_is_the_last_layer_before_the_logits(bench: Bench) -> None:
    bench.decode(dict.fromkeys(DEPTHS, (None, 0.5)), validation_count=0)
    assert bench.chosen() == [("fc3", "fixed")]


def test_readings_that_failed_do_not_count(bench: Bench) -> None:
    bench.decode({"fc1": (0.9, None)}, status="failed")
    bench.decode({"fc2": (0.8, None)}, status="skipped")
    bench.decode({"fc3": (0.2, 0.4)})
    assert bench.chosen() == [("fc3", "validation")]


def test_a_decoder_of_all_layers_has_no_layer_to_choose(bench: Bench) -> None:
    for validation in (0.5, None):
        row = {"layer": "*", "layer_index": None, "layer_depth": None, "test_accuracy": 0.7}
        decoder = f"all-{validation}"
        bench.rows.append(bench.make(**row, decoder=decoder, validation_accuracy=validation))
    assert bench.units().select("layer", "decoded").rows() == [("*", 0.7), ("*", 0.7)]


def test_networks_that_did_not_memorize_have_no_say(bench: Bench) -> None:
    bench.decode({"fc1": (0.6, 0.5), "fc2": (0.5, 0.5)}, seed=0)
    bench.decode({"fc1": (0.1, 0.5), "fc2": (0.9, 0.5)}, seed=1, memorized=False)
    units = bench.units()
    assert units["layer"].to_list() == ["fc1"]


def test_the_oracle_layer_is_the_best_on_test(bench: Bench) -> None:
    bench.decode({"input": (0.1, 1.0), "fc1": (0.6, 0.2), "fc2": (0.1, 0.8)})
    (unit,) = bench.units().iter_rows(named=True)
    assert (unit["layer"], unit["decoded"], unit["oracle"]) == ("fc1", 0.2, 0.8)


ACCURACY = st.integers(0, 20).map(lambda hits: hits / 20)


@given(tests=st.lists(ACCURACY, min_size=5, max_size=5), data=st.data())
def test_test_accuracies_never_move_the_chosen_layer(
    tests: list[float], data: st.DataObject, new_bench: Callable[[], Bench]
) -> None:
    validations = data.draw(st.lists(ACCURACY, min_size=5, max_size=5))
    names = list(DEPTHS)
    blind = new_bench().decode({n: (v, 0.5) for n, v in zip(names, validations, strict=True)})
    seen = new_bench().decode(
        {n: (v, t) for n, v, t in zip(names, validations, tests, strict=True)}
    )
    assert seen.chosen() == blind.chosen()


# controls


def test_each_control_comes_from_its_own_rows(bench: Bench) -> None:
    draw_of_clean = {"kind": "clean", "memorized": True}
    untrained = {"kind": "untrained", "memorized": None, "order_seed": None}
    at_zero = {"rate": 0.0, "noise": None, "noise_seed": None, "labels": "true"}
    for seed, shift in ((0, 0.0), (1, 0.01)):
        bench.decode({"input": (0.9, 0.11 + shift), "fc1": (0.9, 0.6 + shift)}, seed=seed)
        bench.decode({"fc1": (0.2, 0.1), "fc2": (0.9, 0.9 + shift)}, labels="true", seed=seed)
        bench.readout(0.3 + shift, seed=seed)
        bench.clean_readout(0.8 + shift, seed=seed)
        bench.decode({"fc3": (0.9, 0.5 + shift)}, **draw_of_clean, seed=seed)
        bench.decode({"fc3": (0.9, 0.98)}, **draw_of_clean, **at_zero, seed=seed)
        bench.decode({"fc1": (0.9, 0.4 + shift), "fc2": (0.1, 0.97)}, **untrained, seed=seed)
        bench.decode({"fc1": (0.9, 0.96)}, **untrained, **at_zero, seed=seed)
        bench.readout(0.09, **untrained, **{**at_zero, "labels": None}, seed=seed)
    expected = {
        "decoded": 0.6,
        "pixels": 0.11,
        "true_labels": 0.9,
        "readout": 0.3,
        "ceiling": 0.8,
        "clean": 0.5,
        "untrained": 0.4,
    }
    units = bench.units().sort("seed")
    assert units.height == 2
    for unit, shift in zip(units.iter_rows(named=True), (0.0, 0.01), strict=True):
        found = {name: unit[name] for name in expected}
        assert found == pytest.approx({name: value + shift for name, value in expected.items()})


def test_one_untrained_and_one_clean_network_serve_all_rates(bench: Bench) -> None:
    for rate in (0.2, 0.6):
        bench.decode(FLAT, rate=rate).readout(0.4, rate=rate)
        untrained = {"kind": "untrained", "memorized": None, "order_seed": None}
        bench.decode({"fc1": (0.5, rate / 2)}, **untrained, rate=rate)
    bench.clean_readout(0.9)
    units = bench.units()
    assert units.select("rate", "untrained", "ceiling").rows() == [(0.2, 0.1, 0.9), (0.6, 0.3, 0.9)]


def test_one_untrained_network_serves_all_orders(bench: Bench) -> None:
    untrained = {"kind": "untrained", "memorized": None, "order_seed": None}
    bench.decode({"fc1": (0.5, 0.25)}, **untrained)
    for order in (0, 1):
        bench.decode(FLAT, order_seed=order).readout(0.4, order_seed=order)
        bench.clean_readout(0.8 + order / 10, order_seed=order)
    units = bench.units()
    assert units.select("order_seed", "untrained", "ceiling").rows() == [
        (0, 0.25, 0.8),
        (1, 0.25, 0.9),
    ]


def test_controls_that_were_not_run_are_null(bench: Bench) -> None:
    (unit,) = bench.decode({"fc1": (0.5, 0.5)}).units().iter_rows(named=True)
    names = ("readout", "ceiling", "untrained", "pixels", "clean", "true_labels")
    assert [unit[name] for name in names] == [None] * len(names)


def test_networks_that_share_a_cell_and_seeds_are_not_crossed(bench: Bench) -> None:
    for size, shift in ((100, 0.0), (300, 0.1)):
        own = {"train_count": size, "network_id": f"net-{size}"}
        bench.decode({**FLAT, "fc1": (0.9, 0.6 + shift)}, **own).readout(0.3 + shift, **own)
    units = bench.units().sort("decoded")
    assert units.select("decoded", "readout").rows() == [(0.6, 0.3), (0.7, pytest.approx(0.4))]


# what counts


def test_a_newer_reading_of_a_decoder_supersedes_the_older(bench: Bench) -> None:
    bench.decode({"fc1": (0.5, 0.9)}, decoder_version=1)
    bench.decode({"fc1": (0.5, 0.6)}, decoder_version=2, created=LATER)
    assert bench.units()["decoded"].to_list() == [0.6]


def test_a_newer_version_that_fails_supersedes_the_older_too(bench: Bench) -> None:
    bench.decode({"fc1": (0.5, 0.9)}, decoder_version=1)
    bench.decode({"fc1": (None, None)}, decoder_version=2, created=LATER, status="failed")
    assert bench.units().is_empty()


def test_a_newer_version_counts_even_where_an_older_was_run_last(bench: Bench) -> None:
    bench.decode({"fc1": (0.5, 0.6)}, decoder_version=2)
    bench.decode({"fc1": (0.5, 0.9)}, decoder_version=1, created=LATER)
    assert bench.units()["decoded"].to_list() == [0.6]


def test_protocol_versions_are_not_mixed(bench: Bench) -> None:
    bench.decode({"fc1": (0.5, 0.9)}, protocol_version=1, seed=0, created=LATER)
    bench.decode({"fc1": (0.5, 0.6)}, protocol_version=2, seed=1)
    assert bench.units().select("seed", "decoded").rows() == [(1, 0.6)]


def test_no_readings_are_no_units(bench: Bench) -> None:
    assert bench.units().is_empty()


# recovery


def test_recovery_is_a_ratio_of_sums(bench: Bench) -> None:
    bench.cell(0.7, 0.5, 0.9, seed=0)
    bench.cell(0.9, 0.8, 0.9, seed=1)
    # Not the mean of the ratios, which is 0.75.
    assert bench.board()["masc"]["recovery"] == pytest.approx((0.2 + 0.1) / (0.4 + 0.1))


@pytest.mark.parametrize(("decoded", "recovery"), [(0.3, -0.5), (1.0, 3.0), (0.4, 0.0)])
def test_recovery_is_not_clipped(decoded: float, recovery: float, bench: Bench) -> None:
    bench.cell(decoded, 0.4, 0.6)
    assert bench.board()["masc"]["recovery"] == pytest.approx(recovery)


def test_recovery_needs_two_points_of_headroom(bench: Bench) -> None:
    bench.cell(0.9, 0.5, 0.51875)
    row = bench.board()["masc"]
    assert (row["recovery"], row["rank"]) == (None, None)
    assert row["decoded"] == 0.9


def test_recovery_is_null_without_a_ceiling(bench: Bench) -> None:
    bench.decode(FLAT).readout(0.3)
    assert bench.board()["masc"]["recovery"] is None


@given(shift=st.integers(-16, 16).map(lambda sixteenths: sixteenths / 64))
def test_recovery_does_not_feel_what_all_accuracies_gain(
    shift: float, new_bench: Callable[[], Bench]
) -> None:
    def recovery(plus: float) -> float:
        bench = new_bench()
        for seed, (decoded, readout, ceiling) in enumerate([(0.5, 0.3, 0.7), (0.4, 0.35, 0.6)]):
            bench.cell(decoded + plus, readout + plus, ceiling + plus, seed=seed)
        found: float = bench.board()["masc"]["recovery"]
        return found

    assert recovery(shift) == pytest.approx(recovery(0.0))


# ranks


def test_decoders_are_ranked_by_recovery(bench: Bench) -> None:
    bench.cell(0.6, 0.4, 0.8)
    bench.decode({"fc1": (0.5, 0.7)}, decoder="better")
    bench.decode({"fc1": (0.5, 0.3)}, decoder="worse")
    bench.decode({"fc1": (0.5, 0.6)}, decoder="equal")
    ranks = {name: row["rank"] for name, row in bench.board().items()}
    assert list(ranks.items()) == [("better", 1), ("equal", 2), ("masc", 2), ("worse", 4)]


@pytest.mark.parametrize("flag", [{"memorized": False}, {"rankable": False}])
def test_networks_that_do_not_qualify_are_left_out(flag: Row, bench: Bench) -> None:
    bench.cell(0.6, 0.4, 0.8, seed=0)
    bench.cell(0.2, 0.1, 0.8, seed=1, **flag)
    row = bench.board()["masc"]
    assert (row["units"], row["decoded"], row["coverage"]) == (1, 0.6, 1.0)


def test_a_rate_that_cannot_be_ranked_is_shown_by_rate(bench: Bench) -> None:
    bench.cell(0.6, 0.4, 0.8)
    bench.cell(0.1, 0.1, 0.8, rate=1.0, rankable=False)
    bench.cell(0.9, 0.9, 0.8, seed=1, rate=0.2, memorized=False)
    rates = scores.by_rate(bench.units()).select("rate", "decoded", "rankable").rows()
    assert rates == [(0.4, 0.6, True), (1.0, 0.1, False)]


def test_coverage_below_95_percent_is_not_ranked(bench: Bench) -> None:
    for seed in range(20):
        bench.cell(0.5, 0.4, 0.8, seed=seed)
        for decoder, covered in (("most", 19), ("few", 18)):
            if seed < covered:
                bench.decode({"fc1": (0.5, 0.9)}, seed=seed, decoder=decoder)
    board = bench.board()
    assert {name: row["rank"] for name, row in board.items()} == {"most": 1, "masc": 2, "few": None}
    assert board["few"]["coverage"] == pytest.approx(0.9)
    assert list(board)[-1] == "few"


def test_a_decoder_that_is_told_the_noise_is_not_ranked(bench: Bench) -> None:
    bench.cell(0.6, 0.4, 0.8)
    bench.decode({"fc1": (0.5, 0.8)}, decoder="told", told_noise=True)
    board = bench.board()
    assert (board["told"]["rank"], board["masc"]["rank"]) == (None, 1)
    assert board["told"]["recovery"] == pytest.approx(1.0)


def test_gains_are_against_the_same_decoder(bench: Bench) -> None:
    bench.cell(0.75, 0.5, 1.0)
    bench.decode({"input": (0.5, 0.5)})
    untrained = {"kind": "untrained", "memorized": None, "order_seed": None}
    bench.decode({"fc1": (0.5, 0.25)}, **untrained)
    bench.decode({"fc1": (0.5, 0.7), "input": (0.5, 0.9)}, decoder="other")
    row = bench.board()["masc"]
    assert (row["gain_untrained"], row["gain_pixels"]) == (0.5, 0.25)
    assert bench.board()["other"]["gain_untrained"] is None


def big_bench(bench: Bench) -> Bench:
    """Two models, two rates, three seeds, two decoders and all kinds; every mean is exact."""
    rng = random.Random(5)

    def profile() -> Profile:
        return {layer: (rng.randrange(64) / 64, rng.randrange(64) / 64) for layer in DEPTHS}

    for model in ("mlp", "cnn"):
        for seed in range(4):
            own = {"model": model, "seed": seed}
            bench.clean_readout(0.875, **own)
            for rate in (0.25, 0.5):
                bench.readout(rng.randrange(32) / 64, **own, rate=rate)
                for kind in ("memorized", "clean", "untrained"):
                    order = {"order_seed": None} if kind == "untrained" else {}
                    for decoder in ("masc", "ncm"):
                        kinds = {"kind": kind, "decoder": decoder, "rate": rate, **order}
                        bench.decode(profile(), **own, **kinds)
    return bench


@given(order=st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(
    order: random.Random, new_bench: Callable[[], Bench]
) -> None:
    readings = frame(big_bench(new_bench()).rows)
    index = list(range(readings.height))
    order.shuffle(index)
    expected, found = scores.units(readings), scores.units(readings[index])
    assert_frame_equal(found, expected)
    assert_frame_equal(scores.board(found), scores.board(expected))


# tables


def planned(rows: Iterable[Row], folder: Path, suite: str = "toy", version: int = 1) -> Path:
    plan = [{"suite": suite, "suite_version": version, "key": row["key"]} for row in rows]
    store.write_part(folder, "plans", suite, store.table("plans", plan))
    return folder


def stored(bench: Bench, folder: Path) -> Path:
    store.write_part(folder, "readings", "net", store.table("readings", bench.rows))
    return planned(bench.rows, folder)


def test_a_board_shows_readout_and_decoders(bench: Bench, tmp_path: Path) -> None:
    bench.cell(0.65, 0.4, 0.9).cell(0.1, 0.1, 0.9, rate=1.0, rankable=False)
    (board,) = tables.boards(stored(bench, tmp_path))
    assert board.title == "toy v1: digits × mlp, noise uniform, 1 seeds"
    rows = [dict(zip(board.columns, row, strict=True)) for row in board.rows]
    assert [row["decoder"] for row in rows] == ["readout", "masc"]
    readout, masc = rows
    assert (readout["recovery"], readout["accuracy"], readout["ρ 1"]) == ("0.0", "40.0", "10.0")
    assert (masc["#"], masc["recovery"], masc["accuracy"]) == ("1", "50.0", "65.0")
    assert (masc["ρ 0.4"], masc["ρ 1"], masc["vs untrained"]) == ("65.0", "10.0", "–")


def test_a_suite_has_its_own_board(bench: Bench, tmp_path: Path) -> None:
    bench.cell(0.65, 0.4, 0.9)
    shared = list(bench.rows)
    bench.cell(0.55, 0.4, 0.9, decoder="ncm")
    stored(bench, tmp_path)
    planned(shared, tmp_path, suite="other")
    boards = {board.title.partition(":")[0]: board for board in tables.boards(tmp_path)}
    decoders = {suite: [row[1] for row in board.rows] for suite, board in boards.items()}
    assert decoders == {"other v1": ["readout", "masc"], "toy v1": ["readout", "masc", "ncm"]}


def test_versions_of_a_suite_have_boards_of_their_own(bench: Bench, tmp_path: Path) -> None:
    bench.cell(0.65, 0.4, 0.9)
    stored(bench, tmp_path)
    planned(bench.rows, tmp_path, version=2)
    titles = [board.title.partition(":")[0] for board in tables.boards(tmp_path)]
    assert titles == ["toy v1", "toy v2"]


def test_what_no_plan_names_is_on_no_board(bench: Bench, tmp_path: Path) -> None:
    bench.cell(0.65, 0.4, 0.9)
    store.write_part(tmp_path, "readings", "net", store.table("readings", bench.rows))
    with pytest.raises(StoreError, match="lacks plans/"):
        tables.boards(tmp_path)


def test_what_is_planned_and_not_done_is_no_obstacle(bench: Bench, tmp_path: Path) -> None:
    bench.cell(0.65, 0.4, 0.9)
    stored(bench, tmp_path)
    planned([*bench.rows, {"key": "not done yet"}], tmp_path, suite="later")
    assert len(tables.boards(tmp_path)) == 2


def test_a_board_says_what_it_leaves_out(bench: Bench, tmp_path: Path) -> None:
    for seed in range(2):
        bench.cell(0.65, 0.4, 0.9, seed=seed)
    bench.decode({"fc1": (0.5, 0.5)}, decoder="rare")
    bench.decode({"fc1": (None, None)}, decoder="rare", seed=1, status="failed")
    bench.cell(0.65, 0.4, 0.9, seed=2, memorized=False)
    (board,) = tables.boards(stored(bench, tmp_path))
    notes = " ".join(board.notes)
    assert "1 readings failed." in notes
    assert "1 networks did not memorize and are left out." in notes
    assert "Not ranked, too few readings: rare." in notes


def test_a_board_says_how_the_layer_was_chosen(bench: Bench, tmp_path: Path) -> None:
    bench.decode({"fc1": (None, 0.5)}, validation_count=0).readout(0.3)
    (board,) = tables.boards(stored(bench, tmp_path))
    assert any("No validation part" in note for note in board.notes)


def test_results_without_a_memorized_network_have_no_board(bench: Bench, tmp_path: Path) -> None:
    bench.decode(FLAT, kind="untrained", memorized=None)
    assert tables.boards(stored(bench, tmp_path)) == []


def test_markdown_escapes_hostile_names() -> None:
    hostile = "<script>alert(1)</script> | [x](y) *b* `c` _d_ \\"
    board = tables.Board(
        title=hostile, columns=("#", "decoder"), rows=(("1", hostile),), notes=(hostile,)
    )
    text = tables.markdown(board)
    assert "<script>" not in text.replace("\\<", "")
    row = text.splitlines()[4]
    bare = row.replace("\\\\", "").replace("\\|", "")
    assert bare.count("|") == 3  # two cells
    for character in "<>[]*`_":
        assert character not in bare.replace(f"\\{character}", "")


def marked(content: str) -> str:
    return f"# Title\n{tables.BEGIN}\n{content}\n{tables.END}\nThe end.\n"


def test_update_replaces_what_is_between_the_marks(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text(marked("old"))
    assert tables.update(path, "new", check=False) is False
    assert path.read_text() == marked("new")
    assert tables.update(path, "new", check=False) is True


def test_update_with_check_leaves_the_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text(marked("old"))
    assert tables.update(path, "new", check=True) is False
    assert path.read_text() == marked("old")
    assert tables.update(path, "old", check=True) is True


@pytest.mark.parametrize(
    "text", ["", f"{tables.BEGIN}\n", f"{tables.END}\n", f"{tables.END}\n{tables.BEGIN}\n"]
)
def test_update_needs_both_marks(text: str, tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text(text)
    with pytest.raises(StoreError, match=r"README\.md: needs the marks"):
        tables.update(path, "new", check=False)
    assert path.read_text() == text


def test_update_of_a_file_that_is_not_there_is_an_error_for_the_user(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"README\.md"):
        tables.update(tmp_path / "README.md", "new", check=False)
