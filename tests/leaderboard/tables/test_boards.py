"""Boards as tables of text: what is in them, and what is said beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from memgen_bench.results import store
from memgen_leaderboard.scoring.decoder_choice import CHOSEN
from memgen_leaderboard.scoring.suite_scores import View, all_scores
from memgen_leaderboard.tables import boards
from memgen_leaderboard.tables.notes import board_notes, in_short
from memgen_leaderboard.tables.report import suite_boards

if TYPE_CHECKING:
    from pathlib import Path

    from helpers.readings import Bench
    from memgen_leaderboard.scoring.suite_scores import Scores
    from memgen_leaderboard.text import Table


def scores_of(bench: Bench, folder: Path, **view: Any) -> Scores:
    (found,) = all_scores(bench.stored(folder), [View(**view)])
    return found


def rows_of(table: Table, by: str = "decoder") -> dict[str, dict[str, str]]:
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    return {row[by]: row for row in rows}


# the board


def test_a_board_shows_readout_control_and_decoders(bench: Bench, tmp_path: Path) -> None:
    bench.cell(0.65, 0.4, 0.9, control=0.5)
    table = boards.main_table(scores_of(bench, tmp_path))
    assert table.title == "toy v1: digits × mlp, noise uniform, 1 seed"
    rows = rows_of(table)
    assert list(rows) == ["readout", "control", CHOSEN, "masc"]
    names = ("X", "E", "recovery", "accuracy")
    assert [rows["readout"][name] for name in names] == ["-10.0", "-25.0", "0.0", "40.0"]
    assert [rows["control"][name] for name in names] == ["+0.0", "0.0", "20.0", "50.0"]
    masc = rows["masc"]
    assert (masc["rank"], masc["accuracy"], masc["ok"]) == ("1", "65.0", "1/1")
    assert masc["X"].startswith("+15.0 ± ")
    assert (masc["E"], masc["recovery"], masc["clean net"]) == ("37.5", "50.0", "–")
    own = {name: masc[name] for name in (*names, "ok")} | {"rank": "", "oracle": "–"}
    assert own.items() <= rows[CHOSEN].items()


def test_references_stand_beside_the_control_without_a_rank(bench: Bench, tmp_path: Path) -> None:
    bench.cell(0.65, 0.4, 0.9, control=0.5).decode({"fc1": (0.5, 0.8)}, decoder="early-stopped")
    rows = boards.main_table(scores_of(bench, tmp_path)).rows
    assert [row[:2] for row in rows] == [
        *(("", "readout"), ("", "control"), ("", CHOSEN), ("", "early-stopped"), ("1", "masc"))
    ]


def test_decoders_that_cannot_be_told_apart_have_a_range_of_ranks(
    bench: Bench, tmp_path: Path
) -> None:
    bench.cell(0.6, 0.4, 0.8).decode({"fc1": (0.5, 0.605)}, decoder="hardly")
    bench.decode({"fc1": (0.5, 0.8)}, decoder="told", told_noise=True)
    rows = rows_of(boards.main_table(scores_of(bench, tmp_path)))
    ranks = {name: row["rank"] for name, row in rows.items()}
    shared = dict.fromkeys(("readout", "control", CHOSEN), "")
    assert ranks == {**shared, "hardly": "1–2", "masc": "1–2", "told": "–"}


def test_accuracies_by_rate_include_those_that_are_not_ranked(bench: Bench, tmp_path: Path) -> None:
    bench.cell(0.65, 0.4, 0.9).cell(0.1, 0.12, 0.9, rate=1.0, rankable=False)
    table = boards.rates_table(scores_of(bench, tmp_path))
    assert table.columns == ("decoder", "ρ 0.4", "ρ 1")
    assert table.rows == (
        *(("readout", "40.0", "12.0"), ("control", "40.0", "–")),
        *((CHOSEN, "65.0", "–"), ("masc", "65.0", "10.0")),
    )


def test_several_noises_stand_at_their_rates(bench: Bench, tmp_path: Path) -> None:
    bench.cell(0.65, 0.4, 0.9).cell(0.6, 0.4, 0.9, noise="flip")
    table = boards.rates_table(scores_of(bench, tmp_path))
    assert table.columns == ("decoder", "flip ρ 0.4", "uniform ρ 0.4")


def test_a_summary_shows_each_pair_and_the_spread(bench: Bench, tmp_path: Path) -> None:
    bench.cell(0.6, 0.4, 0.8, control=0.5).cell(0.7, 0.4, 0.8, model="cnn", control=0.5)
    table = boards.summary_table(scores_of(bench, tmp_path))
    assert table.columns[3:] == ("cnn on digits", "mlp on digits")
    of_chosen, (name, spread, mean, cnn, mlp) = table.rows
    assert of_chosen == (CHOSEN, spread, mean, cnn, mlp)
    assert (name, spread, mean) == ("masc", "+10.0 to +20.0", "+15.0")
    assert (cnn[:5], cnn.split()[-1]) == ("+20.0", "(66.7)")
    assert (mlp[:5], mlp.split()[-1]) == ("+10.0", "(33.3)")


def test_a_table_of_cells_names_the_control_and_what_is_void(bench: Bench, tmp_path: Path) -> None:
    bench.cell(0.65, 0.4, 0.9, control=0.5).cell(0.9, 0.7, 0.9, control=0.89, rate=0.2)
    untrained = {"kind": "untrained", "memorized": None, "order_seed": None}
    bench.decode({"fc2": (0.6, 0.55)}, **untrained, decoder="lda")
    table = boards.cells_table(scores_of(bench, tmp_path))
    rows = rows_of(table, "ρ")
    names = ("readout", "control", "ceiling", "headroom", "what the control is")
    assert [rows["0.2"][name] for name in names] == [
        *("70.0", "89.0", "90.0", "+1.0 void", "masc on raw pixels")
    ]
    assert [rows["0.4"][name] for name in names] == [
        *("40.0", "55.0", "90.0", "+35.0", "lda on fc2 of the untrained network")
    ]


def test_each_source_has_a_control_of_its_own(bench: Bench, tmp_path: Path) -> None:
    bench.cell(0.6, 0.4, 0.8, control=0.5).features(0.7, 0.4, model="patches/400", decoder="ncm")
    rows = rows_of(boards.sources_table(scores_of(bench, tmp_path)), "what the control is")
    found = {name: (row["accuracy"], row["best of"]) for name, row in rows.items()}
    assert found == {"masc on raw pixels": ("50.0", "1"), "ncm on patches/400": ("70.0", "1")}


def test_a_mean_over_fewer_networks_than_others_says_so(bench: Bench, tmp_path: Path) -> None:
    for seed in range(2):
        bench.cell(0.65, 0.4 + seed / 10, 0.9, seed=seed)
    bench.decode({"fc1": (0.5, 0.5)}, decoder="rare").decode({"fc1": (0.5, 0.5)}, decoder="a")
    scores = scores_of(bench, tmp_path)
    rows = boards.rates_table(scores).rows
    assert rows[:2] == (("readout", "45.0"), ("control", "45.0"))
    assert rows[2] == (CHOSEN, "57.5")  # where all are equally good, the first in the alphabet
    assert set(rows[3:]) == {("masc", "65.0"), ("rare", "50.0 (1/2)"), ("a", "50.0 (1/2)")}
    pairs = {row[0]: row[-1] for row in boards.summary_table(scores).rows}
    assert pairs["rare"].endswith(" (1/2)")
    assert not pairs["masc"].endswith("/2)")


def test_a_rate_that_hides_the_label_has_no_board(bench: Bench, tmp_path: Path) -> None:
    bench.cell(0.1, 0.12, 0.9, rate=1.0, rankable=False)
    scores = scores_of(bench, tmp_path)
    assert boards.main_table(scores).rows == ()
    (note,) = board_notes(scores)
    assert "nothing can be ranked" in note
    assert boards.rates_table(scores).rows == (("readout", "12.0"), ("masc", "10.0"))


def test_oracle_and_true_labels_are_shown(bench: Bench, tmp_path: Path) -> None:
    bench.cell(0.6, 0.4, 0.8).decode({"fc2": (0.1, 0.7)})
    bench.decode({"fc1": (0.5, 0.95)}, labels="true")
    table = boards.unranked_table(scores_of(bench, tmp_path))
    assert table.rows == (("masc", "60.0", "70.0", "95.0"),)


def test_mean_ranks_need_eight_data_sets(bench: Bench, tmp_path: Path) -> None:
    def decode(dataset: str) -> None:
        bench.cell(0.6, 0.4, 0.8, dataset=dataset)
        for place in range(2):
            bench.decode({"fc1": (0.5, 0.7 + place / 10)}, dataset=dataset, decoder=f"d{place}")

    for dataset in "abcdefg":
        decode(dataset)
    assert boards.mean_ranks_table(scores_of(bench, tmp_path / "seven")) is None
    decode("h")
    table = boards.mean_ranks_table(scores_of(bench, tmp_path / "eight"))
    assert table is not None
    assert table.rows == (("d1", "1.00"), ("d0", "2.00"), ("masc", "3.00"))
    assert "Over 8 data sets" in table.notes[0]


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
    assert list(rows_of(boards.main_table(scores))) == ["readout", "control", CHOSEN, "masc"]
    on_its_own = {
        one.view.models[0]: set(rows_of(boards.main_table(one))) for one in scores.of_pairs
    }
    assert "lda (published)" in on_its_own["paper-cnn"]
    assert "lda (published)" not in on_its_own["mlp"]


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
        "Not ranked, as they know test labels or their rule: oracle.",
        "over the test images alone",
        "say nothing of other seeds",
        "The control is by 1 decoder alone: beside others it may be higher, and X lower.",
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
    assert "means over 1 cell of 19 memorized networks" in notes
    assert "Left out, as not all ranked decoders cover them: 1 network." in notes


def test_where_nothing_is_ranked_means_are_over_all_networks(bench: Bench, tmp_path: Path) -> None:
    for seed in range(3):
        bench.decode({"fc1": (0.5, 0.6)}, seed=seed).readout(0.4, seed=seed)
    notes = " ".join(board_notes(scores_of(bench, tmp_path)))
    assert "means over 1 cell of 3 memorized networks" in notes
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
        "means over 1 cell of 1 unmemorized network.",
        "They have 95.1 % of their given labels right; 99 % are asked for.",
        "X is accuracy minus that of the control",
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
    [(0.5, 100, "noisy validation labels, 100 points"), (None, 0, "without a validation part")],
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


def test_the_notes_of_a_small_board_are_six(bench: Bench, tmp_path: Path) -> None:
    bench.cell(0.6, 0.4, 0.8, validation_count=100).decode({"fc1": (0.5, 0.5)}, decoder="ncm")
    notes = board_notes(scores_of(bench, tmp_path))
    assert len(notes) == 6
    assert sum(map(len, notes)) < 1200


def test_a_board_whose_rates_are_chosen_names_them(bench: Bench, tmp_path: Path) -> None:
    bench.cell(0.6, 0.4, 0.8).cell(0.5, 0.4, 0.8, rate=0.8)
    scores = scores_of(bench, tmp_path, rates=(0.8,))
    assert boards.title(scores) == "toy v1: digits × mlp, noise uniform, ρ 0.8, 1 seed"
    assert "hides the true label" not in " ".join(board_notes(scores))


def test_a_board_says_that_rates_without_a_true_label_are_left_out(
    bench: Bench, tmp_path: Path
) -> None:
    bench.cell(0.65, 0.4, 0.9).cell(0.1, 0.12, 0.9, rate=1.0, rankable=False)
    notes = " ".join(board_notes(scores_of(bench, tmp_path)))
    assert "1 memorized network, without rates at which the noise hides the true label." in notes


# in short


def test_in_short_names_the_best_its_excess_and_the_control(bench: Bench, tmp_path: Path) -> None:
    for seed in range(3):
        bench.cell(0.6, 0.4, 0.8, seed=seed, control=0.5)
        bench.decode({"fc1": (0.5, 0.605)}, decoder="hardly", seed=seed)
        bench.decode({"fc1": (0.5, 0.4)}, decoder="worse", seed=seed)
        bench.decode({"fc1": (0.5, 0.55)}, decoder="early-stopped", seed=seed)
    text = " ".join(in_short(scores_of(bench, tmp_path)))
    for said in (
        "Mean headroom of the suite, ceiling - control: 30.0 points.",
        "The best decoder, hardly, has X = +10.5 ± ",
        "points, 35.0 % of the headroom: 60.5 % against 50.0 %, significantly more than the",
        "It recovers 51.2 % of what memorization cost, where the control, which saw none of the "
        "network's labels, has 25.0 %.",
        "The control is masc on raw pixels.",
        "It cannot be told apart from 1 of 2 others.",
        "For reference, early-stopped has 55.0 %.",
        "over 3 seeds and the test images",
    ):
        assert said in text
    assert "cannot measure" not in text


def test_in_short_speaks_of_each_pair(bench: Bench, tmp_path: Path) -> None:
    bench.cell(0.6, 0.4, 0.8, control=0.5).cell(0.5, 0.4, 0.8, model="cnn", control=0.5)
    _, cnn, mlp, _ = in_short(scores_of(bench, tmp_path))
    assert cnn.startswith(f"On digits, cnn: What is {CHOSEN} has X = +0.0 ± ")
    assert " The best decoder, masc, has X = +0.0 ± " in cnn
    for who in ("from the control.", "from what the control reads."):
        assert f"which is not significantly different {who}" in cnn
    assert mlp.startswith(f"On digits, mlp: What is {CHOSEN} has X = +10.0 ± ")
    assert " The best decoder, masc, has X = +10.0 ± " in mlp


def test_in_short_says_that_networks_hold_something_by_what_is_chosen(
    bench: Bench, tmp_path: Path
) -> None:
    """The best in hindsight is good on each model; validation finds it on one alone."""
    for model, validation in (("mlp", 0.9), ("cnn", 0.1)):
        bench.cell(0.2, 0.2, 0.8, model=model, control=0.4)
        bench.decode({"fc1": (validation, 0.7)}, decoder="best", model=model)
    _, cnn, mlp, _ = in_short(scores_of(bench, tmp_path))
    verdicts = {
        cnn: ("X = -20.0", ", less than the control."),
        mlp: ("X = +30.0", ", so these networks hold more than the controls."),
    }
    for text, (excess, verdict) in verdicts.items():
        assert excess in text
        assert verdict in text
        assert "The best decoder, best, has X = +30.0" in text


def test_no_sentence_gives_recovery_without_the_controls(bench: Bench, tmp_path: Path) -> None:
    bench.cell(0.6, 0.4, 0.8, control=0.3).cell(0.5, 0.4, 0.8, model="cnn", control=0.5)
    for sentence in " ".join(in_short(scores_of(bench, tmp_path))).split(". "):
        assert ("recover" in sentence) <= ("where the control" in sentence)


def test_in_short_says_when_nobody_is_close(bench: Bench, tmp_path: Path) -> None:
    bench.cell(0.7, 0.4, 0.8).decode({"fc1": (0.5, 0.5)}, decoder="worse")
    text = " ".join(in_short(scores_of(bench, tmp_path)))
    assert "It beats all others significantly." in text


# headroom


def test_every_board_of_a_suite_without_headroom_says_that_it_cannot_measure(
    bench: Bench, tmp_path: Path
) -> None:
    bench.cell(0.6, 0.4, 0.8, control=0.75).cell(0.6, 0.4, 0.8, model="cnn", control=0.75)
    bench.cell(0.6, 0.4, 0.8, control=0.79, rate=0.2)
    scores = scores_of(bench, tmp_path)
    for part in (*scores.of_pairs, scores):
        for brief in (False, True):
            first = board_notes(part, brief=brief)[0]
            assert "ceiling - control: 3.7 points. Under 10, this suite" in first
    assert "under 2 points: ρ 0.2." in board_notes(scores.of_pairs[1])[0]
    assert "under 2 points: mlp ρ 0.2." in board_notes(scores)[0]


def test_without_clean_networks_there_is_no_headroom(bench: Bench, tmp_path: Path) -> None:
    bench.decode({"fc1": (0.5, 0.7)}).readout(0.2).features(0.5)
    assert "no clean network here" in board_notes(scores_of(bench, tmp_path))[0]


def test_a_cell_whose_clean_networks_did_not_memorize_is_named(
    bench: Bench, tmp_path: Path
) -> None:
    bench.cell(0.6, 0.4, 0.9, control=0.5)
    own = {"model": "cnn"}
    bench.decode({"fc1": (0.5, 0.7)}, **own).readout(0.2, **own)
    bench.clean_readout(0.9, memorized=False, **own)
    notes = board_notes(scores_of(bench, tmp_path))
    assert "No ceiling, so that E and recovery are undefined, at cnn ρ 0.4, where" in notes[0]


# networks that did not memorize


def lost_clean_twin(bench: Bench, folder: Path) -> Scores:
    """Return scores of two networks, the clean twin of one of which did not learn its labels."""
    bench.cell(0.65, 0.4, 0.9, control=0.5)
    own = {"seed": 1}
    bench.decode({"fc1": (0.5, 0.75)}, **own).readout(0.6, **own).features(0.6, **own)
    bench.clean_readout(0.34, memorized=False, network_id="lost", **own)
    certificate = {
        **{"network_id": "lost", "model": "mlp", "dataset": "digits", "kind": "clean"},
        **{"rate": 0.0, "seed": 1, "memorized": False, "status": "ok", "epochs": 8},
        **{"accuracy_given": 0.34, "curve_train_accuracy": [1.0], "stop_reason": "target"},
    }
    store.write_part(folder, "networks", "net", store.table("networks", [certificate]))
    return scores_of(bench, folder, rates=(0.4,))


def test_excess_stays_where_a_clean_twin_did_not_learn_its_labels(
    bench: Bench, tmp_path: Path
) -> None:
    scores = lost_clean_twin(bench, tmp_path)
    rows = rows_of(boards.main_table(scores))
    assert rows["masc"]["X"].startswith("+15.0 ± ")  # of both networks
    assert (rows["masc"]["E"], rows["masc"]["recovery"], rows["masc"]["ok"]) == ("–", "–", "2/2")
    (note,) = (note for note in board_notes(scores) if "No ceiling" in note)
    assert "undefined, at ρ 0.4" in note
    assert "1 network (mlp on digits, clean, seed 1) had 100.0 % of their labels right" in note
    assert "34.0 % in eval mode" in note
    (shown,) = boards.lost_table(scores).rows
    assert shown[:6] == ("mlp", "digits", "clean", "–", "0", "1/1")


def test_accuracy_by_rate_is_of_the_networks_of_the_board(bench: Bench, tmp_path: Path) -> None:
    for seed in range(20):
        bench.cell(0.65, 0.4 + 0.2 * (seed == 0), 0.9, seed=seed)
        if seed:
            bench.decode({"fc1": (0.5, 0.5)}, decoder="other", seed=seed)
    scores = scores_of(bench, tmp_path)
    board, by_rate = boards.main_table(scores), boards.rates_table(scores)
    assert rows_of(board)["readout"]["accuracy"] == rows_of(by_rate)["readout"]["ρ 0.4"] == "40.0"
    assert rows_of(board)["masc"]["accuracy"] == rows_of(by_rate)["masc"]["ρ 0.4"] == "65.0"


def test_a_pair_of_which_no_network_memorized_is_named(bench: Bench, tmp_path: Path) -> None:
    bench.cell(0.65, 0.4, 0.9).cell(0.7, 0.4, 0.9, model="cnn", memorized=False)
    lost = [
        {name: row[name] for name in ("network_id", "kind", "model", "dataset", "memorized")}
        | {"noise": "uniform", "rate": 0.4, "seed": 0, "status": "ok", "accuracy_given": 0.8}
        for row in bench.rows
        if row["memorized"] is False and row["kind"] == "memorized"
    ]
    store.write_part(tmp_path, "networks", "net", store.table("networks", lost))
    (*_, last) = suite_boards(scores_of(bench, tmp_path))
    assert last.notes[0] == "Without a board, as no network memorized: cnn on digits."
    assert "80.0 % of their labels right" in last.notes[1]


# parts of a suite


def two_noises(bench: Bench) -> Bench:
    bench.cell(0.6, 0.4, 0.9).cell(0.8, 0.4, 0.9, noise="flip")
    return bench


def test_noises_have_boards_of_their_own(bench: Bench, tmp_path: Path) -> None:
    scores = scores_of(two_noises(bench), tmp_path)
    shown = suite_boards(scores)
    titles = [table.title for table in shown if "rank" in table.columns]
    assert [title.split(", ")[1] for title in titles] == ["noise flip", "noise uniform"]
    masc = [rows_of(table)["masc"]["accuracy"] for table in shown if "rank" in table.columns]
    assert masc == ["80.0", "60.0"]
    assert shown[-1].columns[3:] == ("mlp on digits, noise flip", "mlp on digits, noise uniform")


def test_a_noise_and_decoders_are_selected(bench: Bench, tmp_path: Path) -> None:
    two_noises(bench).decode({"fc1": (0.7, 0.85)}, decoder="ncm", noise="flip")
    scores = scores_of(bench, tmp_path, noises=("flip",), decoders=("masc",))
    rows = rows_of(boards.main_table(scores))
    assert list(rows) == ["readout", "control", CHOSEN, "masc"]
    assert (rows["masc"]["accuracy"], rows["masc"]["rank"]) == ("80.0", "1")
    assert rows[CHOSEN]["accuracy"] == "85.0"  # of all decoders


def test_a_board_names_the_layer_that_was_mostly_chosen(bench: Bench, tmp_path: Path) -> None:
    for seed, layer in enumerate(["fc1", "fc2", "fc2"]):
        bench.cell(0.6, 0.4, 0.9, seed=seed)
        bench.decode({layer: (0.9, 0.7)}, decoder="ncm", seed=seed)
    rows = rows_of(boards.main_table(scores_of(bench, tmp_path)))
    assert (rows["ncm"]["layer"], rows["masc"]["layer"]) == ("fc2 (2/3)", "fc1")


def test_a_decoder_of_which_no_reading_is_fine_is_on_the_board(
    bench: Bench, tmp_path: Path
) -> None:
    bench.cell(0.6, 0.4, 0.9)
    failed = {"status": "failed", "error_type": "error", "message": "ValueError: boom"}
    bench.decode({"fc1": (None, None), "fc2": (None, None)}, decoder="bad", **failed)
    scores = scores_of(bench, tmp_path)
    row = rows_of(boards.main_table(scores))["bad"]
    assert (row["rank"], row["accuracy"], row["ok"]) == ("–", "–", "0/1")
    notes = " ".join(board_notes(scores))
    assert "Readings that failed: 2. 2 readings failed (as bad on mlp on digits" in notes
    assert "ValueError: boom" in notes
    assert "No reading is fine: bad." in notes


def test_a_board_says_why_there_is_no_recovery(bench: Bench, tmp_path: Path) -> None:
    bench.cell(0.6, 0.895, 0.9, control=0.5)
    scores = scores_of(bench, tmp_path)
    assert rows_of(boards.main_table(scores))["masc"]["recovery"] == "–"
    assert "Recovery is undefined, as the readout is less than 2 points" in board_notes(scores)[0]
