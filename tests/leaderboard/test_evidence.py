"""The findings on networks: made from the committed results, and in words that these bear out."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from memgen_bench.plan.suite import load_suite
from memgen_bench.results.store import read_frame

SCRIPT = Path(__file__).parents[2] / "leaderboard" / "evidence.py"


@pytest.fixture(scope="module")
def evidence() -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(SCRIPT.parent))
        return runpy.run_path(str(SCRIPT))


@pytest.fixture(scope="module")
def held(evidence: dict[str, Any]) -> pl.DataFrame:
    found = evidence["held"]()
    assert isinstance(found, pl.DataFrame)
    return found


def cells(frame: pl.DataFrame, dataset: str, *rates: float) -> pl.DataFrame:
    return frame.filter(pl.col("dataset") == dataset, pl.col("rate").is_in(rates)).sort("rate")


def test_tables_sentences_and_figures_come_from_the_committed_results(
    evidence: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", [str(SCRIPT), "--check"])
    with pytest.raises(SystemExit) as stopped:
        evidence["main"]()
    assert stopped.value.code == 0, capsys.readouterr().out


def test_the_network_found_the_rule_of_addition_at_the_lowest_rate_alone(
    held: pl.DataFrame,
) -> None:
    low, *rest = cells(held, "modular-addition/41", 0.2, 0.4, 0.6, 0.8).iter_rows(named=True)
    assert low["difference"] - low["half_width"] > 0.5
    assert low["share"] > 0.8
    assert low["control"] < 0.06
    assert low["decoded"] > low["readout"] + 0.1
    assert all(row["decoded"] < 0.06 for row in rest[1:])


def test_of_shifted_digits_patches_tell_more_at_the_highest_rate(held: pl.DataFrame) -> None:
    low, _, _, high = cells(held, "digits-shifted", 0.2, 0.4, 0.6, 0.8).iter_rows(named=True)
    assert low["difference"] > 0
    assert high["difference"] < -high["half_width"]
    assert high["source"] == "patches/100"


def test_on_signals_a_difference_is_shown_at_the_lower_rates_alone(held: pl.DataFrame) -> None:
    signals = cells(held, "mnist1d", 0.2, 0.4, 0.6, 0.8)
    shown = signals.filter(pl.col("difference") > pl.col("half_width"))
    assert shown["rate"].to_list() == [0.2, 0.4]
    assert (signals["difference"] < 0.07).all()
    assert (signals["decoded"] > signals["pixels"]).all()  # nor is it for want of anything to read


def test_masc_is_below_the_best_control_on_images_and_signals(evidence: dict[str, Any]) -> None:
    found = evidence["of_decoder"]("masc").filter(pl.col("rate") < 1)
    images = found.filter(pl.col("dataset") != "modular-addition/41")
    assert (images["control"] < 0).all()
    (rule,) = cells(found, "modular-addition/41", 0.2).iter_rows(named=True)
    assert rule["control"] > rule["control_half"]


def test_wrong_labels_are_readable_in_late_layers_of_memorized_networks(
    evidence: dict[str, Any],
) -> None:
    leak = evidence["leak"]().filter(pl.col("rate") < 1)
    assert (leak["given"].abs() <= 1).all()
    signals = leak.filter(dataset="mnist1d", rate=0.6)
    found = dict(signals.select(pl.concat_str("kind", "layer", separator=" "), "given").iter_rows())
    assert found["memorized fc1"] > found["untrained fc1"] + 0.5
    assert abs(found["memorized conv1"] - found["untrained conv1"]) < 0.05
    logits = leak.filter(layer="logits").pivot(on="kind", index=["dataset", "rate"], values="given")
    assert (logits["memorized"] > logits["untrained"] + 0.2).all()


def test_held_out_points_make_up_for_their_number_on_plain_digits_alone(
    evidence: dict[str, Any],
) -> None:
    lost = {
        kind: pl.col(f"{kind} training") - pl.col(f"{kind} held_out")
        for kind in ("memorized", "untrained")
    }
    means = (
        evidence["last_hidden"]()
        .filter(pl.col("rate") < 1)
        .group_by("dataset")
        .agg(**{kind: expression.mean() for kind, expression in lost.items()})
    )
    saved = {row["dataset"]: row["untrained"] - row["memorized"] for row in means.to_dicts()}
    assert saved["digits"] > 0.1
    assert max(saved["digits-shifted"], saved["mnist1d"]) < 0.05
    both = evidence["both_fittings"]()
    ahead = [(both[name] > both["early-stopped"]).mean() for name in ("trained", "decoded")]
    assert ahead[0] > 0.7 > 0.3 > ahead[1]


def test_where_labels_say_nothing_every_source_is_at_chance(evidence: dict[str, Any]) -> None:
    found = evidence["tables"].at_rate_one()
    assert set(found["fitted_on"]) == {"training", "held_out"}
    assert set(found["source"]) == {"memorized", "untrained", "pixels", "patches/100"}
    away = (found["accuracy"] - found["chance"]) / found["chance"]
    assert away.abs().max() < 0.35
    pooled = found.with_columns(away=away).group_by("dataset").agg(pl.col("away").mean())
    assert pooled["away"].abs().max() < 0.2


def test_nearly_all_networks_memorized_and_none_failed() -> None:
    networks = read_frame(SCRIPT.parent / "results" / "core", "networks")
    trained = networks.filter(pl.col("kind").is_in(["memorized", "clean", "random"]))
    assert trained.filter(~pl.col("memorized")).height <= 0.02 * trained.height
    assert set(networks["status"]) == {"ok"}


def test_the_headroom_of_each_pair_is_as_measured(held: pl.DataFrame) -> None:
    room = held.with_columns(room=100 * (pl.col("ceiling") - pl.col("control")))
    measured = dict(room.group_by("dataset").agg(pl.col("room").mean().round(1)).iter_rows())
    pairs = load_suite("core").combinations()
    assert {pair.dataset: pair.headroom for pair in pairs} == measured


def test_what_is_said_of_the_search_is_what_was_read() -> None:
    text = " ".join((SCRIPT.parents[1] / "docs" / "findings" / "networks.md").read_text().split())
    best = []
    for copies in ("two", "four"):
        folder = SCRIPT.parent / "studies" / "development" / f"{copies}-copies"
        rows = read_frame(folder, "readings").filter(
            pl.col("rate") == 0.4,
            pl.col("status") == "ok",
            pl.col("labels") == "corrupted",
            pl.col("decoder").is_in(
                ["ridge-tuned", "lda-shrunk", "masc", "knn-50", "rda-50", "ncm"]
            ),
        )
        order = ["validation_accuracy", "layer_index"]
        chosen = rows.sort(order, descending=[True, False]).unique(
            ["model", "kind", "decoder"], keep="first"
        )
        for kind in ("memorized", "features"):
            accuracy = chosen.filter(kind=kind)["test_accuracy"].to_numpy().max()
            best.append(f"{100 * accuracy:.1f}")
    assert f"read {best[0]} % at rate 0.4 and {best[1]} % on patches" in text
    assert f"with four, which were kept, {best[2]} and {best[3]} %" in text


@pytest.fixture(scope="module")
def purposes(evidence: dict[str, Any]) -> Any:
    """The module of the sentences on decoders; it was imported with the script's own folder."""
    return sys.modules[evidence["purposes"].__module__]


def clearly(contrasted: str) -> bool:
    """Tell whether a difference in points, as `+1.7 ± 0.7`, is above 0 with its interval."""
    difference, half_width = map(float, contrasted.split(" ± "))
    return difference > half_width


def test_words_on_decoders_are_borne_out(purposes: Any) -> None:
    of, more, chosen = purposes.of, purposes.more, purposes.chosen()
    first, *_, last = purposes.means()["decoder"]
    assert clearly(more(chosen, of(first)))  # it pays to choose
    assert clearly(more(of(first), of(last)))
    assert clearly(more(of("ensemble-lda"), of("lda-shrunk")))
    less, cells = purposes.behind("masc", "lda-shrunk")
    assert less > cells / 2
    assert clearly(more(of("lda-shrunk"), of("masc")))
    assert clearly(more(of(first), of("ncm")))
    seconds = dict(purposes.means().select("decoder", "seconds").iter_rows())
    assert seconds["ncm"] < seconds[first] / 10
    assert clearly(more(chosen, of("early-stopped")))
    assert clearly(more(of("early-stopped"), of("masc")))


def test_the_first_decoder_is_another_on_each_kind_of_data(purposes: Any) -> None:
    of_each = purposes.means(["dataset"]).unique("dataset", keep="first", maintain_order=True)
    assert of_each["decoder"].n_unique() >= 3
    rule = dict(
        purposes.means(["dataset"])
        .filter(dataset="modular-addition/41")
        .select("decoder", "decoded")
        .iter_rows()
    )
    assert max(rule.values()) > rule["ncm"] + 0.2


def test_each_purpose_has_its_sentence(purposes: Any) -> None:
    lines = purposes.purposes().splitlines()
    assert len(lines) == len(purposes.SENTENCES) == 13
    assert all(line.startswith("- **") for line in lines)


def test_excess_comes_before_the_end_on_images_and_after_memorization_on_addition(
    evidence: dict[str, Any],
) -> None:
    epochs = sys.modules[evidence["when"].__module__]
    found = epochs.largest()
    images = found.filter(pl.col("dataset") != "modular-addition/41")
    assert images.height == 8
    assert (images["difference"] > images["last"]).all()
    (rule,) = cells(found, "modular-addition/41", 0.2).iter_rows(named=True)
    early = epochs.cell_at(rule, epochs.EARLY)
    assert early["difference"] < 0.3 < 0.8 < rule["last"] - rule["last_half"]
    trained = read_frame(epochs.STUDY, "networks").filter(model="quadratic", rate=0.2)
    assert all(curve[epochs.EARLY - 1] > 0.995 for curve in trained["curve_train_accuracy"])


def rows_of(markdown: str) -> list[list[str]]:
    """Return the cells of the rows that have an interval."""
    lines = [line.split("|")[1:-1] for line in markdown.splitlines() if "±" in line]
    return [[part.strip() for part in line] for line in lines]


def test_marks_on_signals_are_reached_by_stacked_and_those_on_shifted_digits_by_nobody(
    evidence: dict[str, Any],
) -> None:
    *of_cells, auto, stacked = rows_of(evidence["marks"]())
    reached = {
        (mark.split(":")[0], decoder)
        for mark, asked, decoder, found, _ in of_cells
        if float(found.split(" ± ")[0]) >= float(asked)
    }
    first = {row[0].split(":")[0]: row[2] for row in of_cells[::2]}
    of_stacked = {("MNIST-1D, ρ 0.4", "stacked"), ("MNIST-1D, ρ 0.6", "stacked")}
    assert reached == of_stacked | {("MNIST-1D, ρ 0.6", first["MNIST-1D, ρ 0.6"])}
    assert auto[2] == "auto"
    assert clearly(auto[3].lstrip("-"))  # behind, with its interval
    assert auto[3].startswith("-")
    assert (stacked[2], clearly(stacked[3])) == ("stacked", True)


def test_even_true_labels_do_not_reach_the_mark_on_shifted_digits(held: pl.DataFrame) -> None:
    text = " ".join((SCRIPT.parents[1] / "docs" / "findings" / "decoders.md").read_text().split())
    rows = read_frame(SCRIPT.parent / "studies" / "bounds", "readings").filter(
        pl.col("kind") == "memorized", pl.col("status") == "ok", pl.col("decoder") != "readout"
    )
    order = [-pl.col("validation_accuracy"), pl.col("layer_index")]
    best = rows.sort(order).unique(["rate", "seed", "decoder"], keep="first", maintain_order=True)
    means = best.group_by("rate", "decoder").agg(pl.col("test_accuracy").mean())
    shares = []
    for rate in (0.4, 0.8):
        (row,) = cells(held, "digits-shifted", rate).iter_rows(named=True)
        read = float(means.filter(rate=rate)["test_accuracy"].to_numpy().max())
        shares.append((read - row["control"]) / (row["ceiling"] - row["control"]))
        for said in (read, row["control"], row["ceiling"]):
            assert f"{100 * said:.1f}" in text.split("Even with true labels")[1]
    assert f"E is at most {shares[0]:.2f} and {shares[1]:.2f}" in text
    assert shares[0] < 0.75


def test_what_is_said_of_stacked_is_true(evidence: dict[str, Any]) -> None:
    _, itself = evidence["checks"]().split(" And `stacked`")
    assert "MNIST-1D at 0.2, 0.4 and" in itself
    assert "plain digits" not in itself


def test_what_is_shown_on_shifted_digits_is_shown_without_trajectories_too(
    evidence: dict[str, Any],
) -> None:
    plain, _ = evidence["checks"]().split(" And `stacked`")
    assert "for shifted digits at 0.2," in plain
