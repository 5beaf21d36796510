"""Boards as tables of text: what is in them, and what is said beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from memgen_bench.results import store
from memgen_leaderboard.scoring.suite_scores import View, all_scores
from memgen_leaderboard.tables import boards
from memgen_leaderboard.tables.notes import board_notes, in_short

if TYPE_CHECKING:
    from pathlib import Path

    from helpers.readings import Bench
    from memgen_leaderboard.scoring.suite_scores import Scores
    from memgen_leaderboard.text import Table

UNTRAINED = {"kind": "untrained", "memorized": None, "order_seed": None}


def scores_of(bench: Bench, folder: Path, **view: Any) -> Scores:
    (found,) = all_scores(bench.stored(folder), [View(**view)])
    return found


def rows_of(table: Table, by: str = "decoder") -> dict[str, dict[str, str]]:
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    return {row[by]: row for row in rows}


# the board


def test_a_board_shows_readout_and_decoders(bench: Bench, tmp_path: Path) -> None:
    bench.cell(0.65, 0.4, 0.9).decode({"fc1": (0.5, 0.25)}, **UNTRAINED)
    table = boards.main_table(scores_of(bench, tmp_path))
    assert table.title == "toy v1: digits × mlp, noise uniform, 1 seed"
    rows = rows_of(table)
    assert list(rows) == ["readout", "masc"]
    assert (rows["readout"]["recovery"], rows["readout"]["accuracy"]) == ("0.0", "40.0")
    masc = rows["masc"]
    assert (masc["rank"], masc["accuracy"], masc["ok"]) == ("1", "65.0", "1/1")
    assert masc["recovery"].startswith("50.0 ± ")
    assert masc["vs untrained"].startswith("+40.0 ± ")
    assert (masc["vs pixels"], masc["clean net"]) == ("–", "–")


def test_decoders_that_cannot_be_told_apart_have_a_range_of_ranks(
    bench: Bench, tmp_path: Path
) -> None:
    bench.cell(0.6, 0.4, 0.8).decode({"fc1": (0.5, 0.605)}, decoder="hardly")
    bench.decode({"fc1": (0.5, 0.8)}, decoder="told", told_noise=True)
    rows = rows_of(boards.main_table(scores_of(bench, tmp_path)))
    ranks = {name: row["rank"] for name, row in rows.items()}
    assert ranks == {"readout": "", "hardly": "1–2", "masc": "1–2", "told": "–"}


def test_accuracies_by_rate_include_those_that_are_not_ranked(bench: Bench, tmp_path: Path) -> None:
    bench.cell(0.65, 0.4, 0.9).cell(0.1, 0.12, 0.9, rate=1.0, rankable=False)
    table = boards.rates_table(scores_of(bench, tmp_path))
    assert table.columns == ("decoder", "ρ 0.4", "ρ 1")
    assert table.rows == (("readout", "40.0", "12.0"), ("masc", "65.0", "10.0"))


def test_several_noises_stand_at_their_rates(bench: Bench, tmp_path: Path) -> None:
    bench.cell(0.65, 0.4, 0.9).cell(0.6, 0.4, 0.9, noise="flip")
    table = boards.rates_table(scores_of(bench, tmp_path))
    assert table.columns == ("decoder", "flip ρ 0.4", "uniform ρ 0.4")


def test_recovery_is_shown_by_model_and_data_set(bench: Bench, tmp_path: Path) -> None:
    bench.cell(0.6, 0.4, 0.8).cell(0.7, 0.4, 0.8, model="cnn")
    table = boards.blocks_table(scores_of(bench, tmp_path))
    assert table.columns == ("decoder", "cnn on digits", "mlp on digits")
    ((name, cnn, mlp),) = table.rows
    assert (name, cnn.split()[0], mlp.split()[0]) == ("masc", "75.0", "50.0")


def test_a_mean_over_fewer_networks_than_others_says_so(bench: Bench, tmp_path: Path) -> None:
    for seed in range(2):
        bench.cell(0.65, 0.4 + seed / 10, 0.9, seed=seed)
    bench.decode({"fc1": (0.5, 0.5)}, decoder="rare").decode({"fc1": (0.5, 0.5)}, decoder="a")
    scores = scores_of(bench, tmp_path)
    rows = boards.rates_table(scores).rows
    assert rows[0] == ("readout", "45.0")
    assert set(rows[1:]) == {("masc", "65.0"), ("rare", "50.0 (1/2)"), ("a", "50.0 (1/2)")}
    blocks = {row[0]: row[1] for row in boards.blocks_table(scores).rows}
    assert blocks["rare"].endswith(" (1/2)")
    assert not blocks["masc"].endswith(")")


def test_controls_have_their_own_best_decoder(bench: Bench, tmp_path: Path) -> None:
    bench.cell(0.6, 0.4, 0.8).decode({"input": (0.5, 0.5)})
    bench.decode({"fc1": (0.5, 0.5), "input": (0.5, 0.7)}, decoder="ncm")
    table = boards.controls_table(scores_of(bench, tmp_path))
    assert table.rows == (
        ("memorized networks", "masc", "60.0", "50.0"),
        ("raw pixels", "ncm", "70.0", "75.0"),
    )


def test_a_rate_that_hides_the_label_has_no_board(bench: Bench, tmp_path: Path) -> None:
    bench.cell(0.1, 0.12, 0.9, rate=1.0, rankable=False)
    scores = scores_of(bench, tmp_path)
    (rows,) = rows_of(boards.main_table(scores)).values()
    assert (rows["decoder"], rows["recovery"]) == ("readout", "")
    (note,) = board_notes(scores)
    assert "nothing can be ranked" in note
    assert boards.rates_table(scores).rows == (("readout", "12.0"), ("masc", "10.0"))


def test_oracle_and_true_labels_are_shown(bench: Bench, tmp_path: Path) -> None:
    bench.cell(0.6, 0.4, 0.8).decode({"fc2": (0.1, 0.7)})
    bench.decode({"fc1": (0.5, 0.95)}, labels="true")
    table = boards.unranked_table(scores_of(bench, tmp_path))
    assert table.rows == (("masc", "60.0", "70.0", "95.0"),)


def test_mean_ranks_need_four_blocks(bench: Bench, tmp_path: Path) -> None:
    def decode(model: str) -> None:
        bench.cell(0.6, 0.4, 0.8, model=model)
        for place in range(2):
            bench.decode({"fc1": (0.5, 0.7 + place / 10)}, model=model, decoder=f"d{place}")

    for model in "abc":
        decode(model)
    assert boards.mean_ranks_table(scores_of(bench, tmp_path / "three")) is None
    decode("d")
    table = boards.mean_ranks_table(scores_of(bench, tmp_path / "four"))
    assert table is not None
    assert table.rows == (("d1", "1.00"), ("d0", "2.00"), ("masc", "3.00"))
    assert "Over 4 (model, data set) blocks" in table.notes[0]


# published references


def test_published_numbers_are_marked_rows_of_a_board_of_their_pair(
    bench: Bench, tmp_path: Path
) -> None:
    own = {"model": "paper-cnn", "dataset": "fashion-mnist"}
    bench.decode({"fc1": (0.5, 0.7)}, rate=0.8, **own).readout(0.3, rate=0.8, **own)
    bench.clean_readout(0.9, **own)
    scores = scores_of(bench, tmp_path)
    rows = rows_of(boards.main_table(scores))
    row = rows["lda (published)"]
    assert (row["rank"], row["accuracy"], row["oracle"]) == ("", "", "80.9")
    assert float(row["recovery"]) == pytest.approx(100 * (0.809 - 0.256) / (0.910 - 0.256), abs=0.2)
    assert "masc" in rows
    assert any("never ranked: leaderboard/published" in n for n in boards.main_table(scores).notes)
    comparison = boards.comparison_table(scores)
    masc = rows_of(comparison)["masc"]
    assert (masc["own"], masc["inside"]) == ("70.0 (70.0–70.0)", "–")
    assert masc["published"] == "74.9 (74.5–75.5)"
    readouts = [row for row in comparison.rows if row[4] == "readout"]
    assert [row[8] for row in readouts] == ["91.0", "25.6"]  # printed means


def test_published_numbers_stay_away_from_means_over_other_pairs(
    bench: Bench, tmp_path: Path
) -> None:
    own = {"model": "paper-cnn", "dataset": "fashion-mnist"}
    bench.decode({"fc1": (0.5, 0.7)}, rate=0.8, **own).readout(0.3, rate=0.8, **own)
    bench.clean_readout(0.9, **own).cell(0.6, 0.4, 0.8, rate=0.8)
    scores = scores_of(bench, tmp_path)
    assert list(rows_of(boards.main_table(scores))) == ["readout", "masc"]
    blocks = rows_of(boards.blocks_table(scores))
    assert blocks["lda (published)"]["mlp on digits"] == "–"
    assert blocks["lda (published)"]["paper-cnn on fashion-mnist"] == "84.6"


# notes


def test_a_board_says_what_it_leaves_out(bench: Bench, tmp_path: Path) -> None:
    for seed in range(2):
        bench.cell(0.65, 0.4, 0.9, seed=seed)
    bench.decode({"fc1": (0.5, 0.5)}, decoder="rare")
    bench.decode({"fc1": (None, None)}, decoder="rare", seed=1, status="failed")
    bench.decode({"fc1": (0.5, 0.5)}, decoder="told", told_noise=True)
    bench.decode({"fc1": (0.5, 0.8)}, decoder="oracle", saw_test=True)
    bench.cell(0.65, 0.4, 0.9, seed=2, memorized=False)
    notes = " ".join(board_notes(scores_of(bench, tmp_path)))
    for said in (
        "Readings that failed: 1.",
        "Left out, as they did not memorize: 1 of the networks.",
        "Not ranked, too few networks: oracle, rare, told.",
        "Not ranked, as they are told the noise: told.",
        "Not ranked, as they saw test labels: oracle.",
        "over the test images alone",
        "say nothing of other seeds",
    ):
        assert said in notes
    assert "not run" not in notes
    assert "older protocol" not in notes


def test_a_board_says_how_many_networks_are_not_common_to_all(bench: Bench, tmp_path: Path) -> None:
    for seed in range(20):
        bench.cell(0.65, 0.4, 0.9, seed=seed)
        if seed:
            bench.decode({"fc1": (0.5, 0.5)}, decoder="other", seed=seed)
    notes = " ".join(board_notes(scores_of(bench, tmp_path)))
    assert "means over 19 networks" in notes
    assert "Left out, as not all ranked decoders cover them: 1 networks." in notes


def test_where_nothing_is_ranked_means_are_over_all_networks(bench: Bench, tmp_path: Path) -> None:
    for seed in range(3):
        bench.decode({"fc1": (0.5, 0.6)}, seed=seed).readout(0.4, seed=seed)
    notes = " ".join(board_notes(scores_of(bench, tmp_path)))
    assert "means over 3 networks" in notes
    assert "not all ranked" not in notes


def test_a_board_of_networks_that_did_not_memorize_says_how_far_they_came(
    bench: Bench, tmp_path: Path
) -> None:
    bench.cell(0.65, 0.4, 0.9).cell(0.7, 0.4, 0.9, seed=1, memorized=False)
    certificates = [
        {"network_id": row["network_id"], "accuracy_given": 0.951 if row["seed"] else 0.999}
        | {name: row[name] for name in ("kind", "memorized", "rate", "seed", "status")}
        for row in bench.rows
        if row["decoder"] == "masc"
    ]
    store.write_part(tmp_path, "networks", "net", store.table("networks", certificates))
    scores = scores_of(bench, tmp_path, kind="unmemorized")
    assert [row["recovery"] for row in scores.board.iter_rows(named=True)] == pytest.approx([0.6])
    assert scores.board["rank"].to_list() == [None]
    notes = " ".join(board_notes(scores))
    for said in (
        "unmemorized networks: means over 1 network at rates",
        "They have 95.1 % of their given labels right; 99 % are asked for.",
        "Recovery is",
        "Only memorized networks are ranked",
    ):
        assert said in notes
    assert "did not memorize" not in notes


def test_a_part_of_a_board_says_what_itself_leaves_out(bench: Bench, tmp_path: Path) -> None:
    bench.cell(0.65, 0.4, 0.9).cell(0.65, 0.4, 0.9, rate=0.8, memorized=False)
    bench.decode({"fc1": (None, None)}, decoder="rare", rate=0.8, status="failed")
    notes = " ".join(board_notes(scores_of(bench, tmp_path, rates=(0.4,))))
    assert "failed" not in notes
    assert "did not memorize" not in notes


def test_a_board_says_over_how_many_seeds_it_is(bench: Bench, tmp_path: Path) -> None:
    for seed in range(3):
        bench.cell(0.65, 0.4, 0.9, seed=seed)
    notes = " ".join(board_notes(scores_of(bench, tmp_path)))
    assert "over 3 seeds and the test images" in notes
    assert "say nothing of other seeds" not in notes


@pytest.mark.parametrize(
    ("validation", "count", "says"),
    [(0.5, 100, "noisy validation labels (100 points)"), (None, 0, "No validation part")],
)
def test_a_board_says_how_the_layer_was_chosen(
    validation: float | None, count: int, says: str, bench: Bench, tmp_path: Path
) -> None:
    bench.decode({"fc1": (validation, 0.5)}, validation_count=count).readout(0.3)
    assert says in " ".join(board_notes(scores_of(bench, tmp_path)))


def test_other_kinds_and_labels_are_shown_without_ranks(bench: Bench, tmp_path: Path) -> None:
    bench.cell(0.6, 0.4, 0.8).decode({"fc1": (0.5, 0.9)}, labels="true")
    scores = scores_of(bench, tmp_path, labels="true")
    table = boards.main_table(scores, board_notes(scores))
    assert table.title.endswith("memorized networks, true labels")
    assert (rows_of(table)["masc"]["rank"], rows_of(table)["masc"]["accuracy"]) == ("–", "90.0")
    assert "Only memorized networks are ranked" in " ".join(table.notes)
    assert in_short(scores) == ["Nothing is ranked here."]


# in short


def test_in_short_names_the_best_its_lead_and_its_controls(bench: Bench, tmp_path: Path) -> None:
    for seed in range(3):
        bench.cell(0.6, 0.4, 0.8, seed=seed).decode({"input": (0.5, 0.65)}, seed=seed)
        bench.decode({"fc1": (0.5, 0.605)}, decoder="hardly", seed=seed)
        bench.decode({"fc1": (0.5, 0.4), "input": (0.5, 0.7)}, decoder="worse", seed=seed)
        bench.decode({"fc1": (0.5, 0.4)}, **UNTRAINED, seed=seed)
        bench.decode({"fc1": (0.5, 0.4)}, **UNTRAINED, seed=seed, decoder="hardly")
    text = " ".join(in_short(scores_of(bench, tmp_path)))
    for said in (
        "The best decoder is hardly: it recovers 51.2 ± ",
        "It cannot be told apart from masc.",
        "The first that it beats significantly is worse, by 51.2 ± ",
        "over 3 seeds and the test images",
        "On the untrained network the same decoder has 40.0 %, worth a recovery of 0.0 %: ",
        "+20.5 ± ",
        "significantly more.",
        "The most that any decoder gets is 60.5 % out of memorized networks (hardly), ",
        "40.0 % out of untrained networks (hardly), 70.0 % out of raw pixels (worse).",
    ):
        assert said in text
    assert "On raw pixels" not in text  # `hardly` was not fitted on them


def test_in_short_says_when_nobody_is_close(bench: Bench, tmp_path: Path) -> None:
    bench.cell(0.7, 0.4, 0.8).decode({"fc1": (0.5, 0.5)}, decoder="worse")
    text = " ".join(in_short(scores_of(bench, tmp_path)))
    assert "It beats all others significantly; next is worse, by 50.0 ± " in text
