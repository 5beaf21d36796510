"""The findings: their tables are up to date, and the sentences around them true."""

from __future__ import annotations

import runpy
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pytest

from memgen_bench.plan.suite import load_suite
from memgen_bench.results.store import read_frame
from memgen_leaderboard.figures.frames import epoch_frame
from memgen_leaderboard.scoring.layer_choice import regret
from memgen_leaderboard.scoring.published import best_layers, compare, read_published
from memgen_leaderboard.scoring.suite_scores import View, all_scores, all_suites
from memgen_leaderboard.scoring.units import units
from memgen_leaderboard.scoring.variance import CROSSED, variance_table
from memgen_leaderboard.text import points

if TYPE_CHECKING:
    from memgen_leaderboard.scoring.suite_scores import Scores

SCRIPT = Path(__file__).parents[2] / "leaderboard" / "studies.py"
STUDIES = runpy.run_path(str(SCRIPT))
LOST: Final = "unmemorized"  # what networks on Fashion-MNIST turned out to be
FINDINGS = SCRIPT.parents[1] / "docs" / "findings"
TEXT = " ".join(word for page in FINDINGS.glob("*.md") for word in page.read_text().split())


def test_the_tables_come_from_the_committed_results(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", [str(SCRIPT), "--check"])
    with pytest.raises(SystemExit) as stopped:
        STUDIES["main"]()
    assert stopped.value.code == 0, capsys.readouterr().out


def test_pooling_the_seeds_loses_less_than_each_network_for_itself() -> None:
    found = regret(STUDIES["readings"]("layer-rules"), ["rate"])
    lost = {(kind, rate, rule): value for kind, rate, _, _, value, *_, rule in found.rows()}
    places = {place[:2] for place in lost}
    assert len(places) == 2 * 4
    for place in places:
        assert lost[*place, "cell"] < lost[*place, "network"] + 0.0002
        assert max(lost[*place, "rates"], lost[*place, "network"]) < lost[*place, "penultimate"]
        if place[0] == "memorized":
            assert lost[*place, "network"] < lost[*place, "rates"]
    gains = {
        rate: lost["memorized", rate, "network"] - lost["memorized", rate, "cell"]
        for _, rate in places
    }
    assert max(gains, key=lambda rate: gains[rate]) == 0.8


def test_the_layer_before_the_logits_loses_more_the_higher_the_rate() -> None:
    found = regret(STUDIES["readings"]("layer-rules"), ["rate"]).filter(rule="penultimate")
    memorized, untrained = (
        found.filter(kind=kind).sort("rate")["regret"].to_list()
        for kind in ("memorized", "untrained")
    )
    assert memorized == sorted(memorized)
    assert max(memorized) - min(memorized) > 10 * (max(untrained) - min(untrained))


def test_of_the_seeds_the_noise_draw_decides() -> None:
    found = variance_table(units(STUDIES["readings"]("crossed")))
    for column in ("accuracy", "difference"):
        alone = found.filter(pl.col("axis").is_in(CROSSED)).sort(column)
        assert alone["axis"][-1] == "noise_seed"
        assert alone[column][-1] > 2 * alone[column][-2]


def test_memorization_takes_from_the_readout_what_it_leaves_to_decoders() -> None:
    (scores,) = all_scores(SCRIPT.parent / "studies" / "dynamics")
    at_checkpoint = pl.col("epoch").is_in(scores.checkpoints["epoch"].unique().implode())
    frame = epoch_frame(scores).filter(at_checkpoint)
    frame = frame.group_by("rate", "decoder", "epoch").agg(pl.col("accuracy").mean())
    by_epoch = frame.sort("epoch").group_by("rate", "decoder", maintain_order=True)
    ends = by_epoch.agg(
        first=pl.col("accuracy").first(),
        last=pl.col("accuracy").last(),
        lost=pl.col("accuracy").max() - pl.col("accuracy").last(),
        best=pl.col("epoch").sort_by("accuracy").last(),
    )
    readout = ends.filter(pl.col("decoder").is_null()).sort("rate")
    assert readout["best"].to_list() == [8, 8, 8]
    assert [round(100 * lost) for lost in readout["lost"]][::2] == [16, 34]
    assert readout["lost"].to_list() == sorted(readout["lost"])
    ncm = by_epoch.agg(pl.col("accuracy", "epoch")).filter(rate=0.4, decoder="ncm").row(0)
    course = dict(zip(ncm[3], (round(100 * value, 1) for value in ncm[2]), strict=True))
    assert (course[1], course[8], course[128]) == (79.8, 90.8, 86.0)
    decoders = ends.filter(pl.col("decoder").is_not_null())
    assert round(100 * max(decoders["lost"]), 1) == 8.3
    winner = decoders.filter(decoder=STUDIES["WINNER"])
    assert ((winner["last"] - winner["first"]).abs() <= 0.03).all()


def shares(frame: pl.DataFrame, column: str) -> dict[str, float]:
    """Return a column in points, by decoder."""
    found = frame.select("decoder", column).drop_nulls().rows()
    return {name: round(100 * value, 1) for name, value in found}


def test_on_digits_there_is_nothing_to_measure() -> None:
    scores = STUDIES["board"]()
    assert points(scores.suite_headroom) == "+2.6"
    means = [round(100 * scores.cells[name].mean(), 1) for name in ("control", "ceiling")]
    assert means == [94.4, 97.0]
    assert scores.cells["is_void"].mean() == 0.5
    for one in scores.of_pairs:
        assert one.board.drop_nulls("rank")["excess"].max() <= 0


def test_what_is_said_of_the_winner_is_true() -> None:
    winner, judged = STUDIES["WINNER"], STUDIES["judged"]()
    means = judged.summary.group_by("decoder").agg(pl.col("excess").mean(), pairs=pl.len())
    whole = means.filter(pairs=4)
    assert max(whole.select("excess", "decoder").rows())[1] == winner
    own = judged.summary.filter(decoder=winner).sort("excess")
    of_models = dict(zip(own["model"], (round(100 * x, 1) for x in own["excess"]), strict=True))
    assert (of_models["timm/test_convnext"], of_models["mlp"]) == (-27.2, 0.1)
    early = judged.summary.filter(decoder="early-stopped").sort("excess")
    assert [round(-100 * x, 1) for x in (early["excess"][-1], early["excess"][0])] == [8.0, 19.3]
    both = own.join(early, on="model").filter(pl.col("excess_right") > pl.col("excess"))
    assert both["model"].to_list() == ["timm/test_convnext"]


def test_the_winner_owes_it_to_the_highest_rate() -> None:
    winner, whole = STUDIES["WINNER"], STUDIES["board"]()
    ranked = whole.board.drop_nulls("rank")
    rates = whole.rates.join(ranked, on="decoder", how="semi").filter("rankable")
    own = rates.filter(decoder=winner).select("rate", own="decoded")
    ahead = rates.join(own, on="rate").filter(pl.col("decoded") > pl.col("own"))
    counts = dict(ahead.group_by("rate").len().rows())
    assert min(counts[0.2], counts[0.4]) > 10
    assert (counts[0.6], counts.get(0.8, 0)) == (3, 0)
    found = {
        (d, r): f"{100 * a:.1f}" for d, r, a in rates.select("decoder", "rate", "decoded").rows()
    }
    earlier = max(found[name, 0.8] for name in STUDIES["FIRST"])
    assert f"at 0.8 it has {found[winner, 0.8]} %, the best earlier decoder {earlier} %" in TEXT
    other = "lda-shrunk>qda-shrunk"
    assert f"`{other}` has {found[other, 0.2]} and {found[other, 0.4]} %" in TEXT


def test_what_is_said_to_gain_little_is_true() -> None:
    board = shares(STUDIES["board"]().board, "decoded")
    for name in ("ncm-debiased", "ncm", "ncm-told", "trimmed-lda", "lda-shrunk"):
        assert f"{board[name]}" in TEXT
    assert f"gives {board['masc-tuned']} % instead of {board['masc']}, which is less" in TEXT
    assert board["masc-tuned"] < board["ncm"]
    assert max(board[f"edit-{rows}"] for rows in ("velpic", "ncm", "lda")) < 70


def test_slow_decoders_gain_what_the_text_says() -> None:
    folder = SCRIPT.parent / "studies" / "slow"
    (scores,) = all_scores(folder)
    board = {row["decoder"]: row for row in scores.board.iter_rows(named=True)}
    accuracy = {name: row["decoded"] for name, row in board.items()}
    gains = {name: accuracy[name] - accuracy[other] for name, other in STUDIES["SLOW"].items()}
    not_told = [name for name in gains if not name.endswith("told")]
    assert max(not_told, key=lambda name: gains[name]) == "logreg-forward"
    assert abs(accuracy["confident-lda"] - accuracy[STUDIES["WINNER"]]) < 0.01
    named = ("confident-lda", "logreg-forward", "masc-white-tuned", "rda", "lda-debiased")
    assert [points(gains[name]) for name in named] == ["+4.0", "+4.6", "+3.3", "+1.7", "+0.7"]
    assert gains["qda-debiased"] < gains["lda-debiased"]
    told_lose = [points(gains[name]) for name in ("lda-told", "qda-told")]
    assert told_lose == ["-6.6", "-7.3"]
    for told, other in (("lda-told", "lda-shrunk"), ("qda-told", "rda-50")):
        for place in ("decoded", "untrained", "clean", "pixels"):
            assert -0.09 < board[told][place] - board[other][place] < -0.05
    rows = read_frame(folder, "readings").filter(kind="memorized")
    debiased = rows.filter(pl.col("decoder").is_in(["lda-debiased", "qda-debiased"]))
    left_in = debiased["chosen"].cast(pl.String).str.contains('"rate": 0.0')
    assert left_in.sum() > left_in.len() / 2


def test_slow_decoders_on_fashion_mnist_gain_what_the_text_says() -> None:
    def gains(rate: float) -> dict[str, float]:
        found = dict(on_fashion(LOST, rate).board.select("decoder", "decoded").iter_rows())
        return {name: found[name] - found[other] for name, other in STUDIES["SLOW"].items()}

    low, high = gains(0.4), gains(0.8)
    for name in ("lda-told", "qda-told"):
        assert -0.01 < min(low[name], high[name]) <= max(low[name], high[name]) < 0
    assert points(high["lda-debiased"]) == "+2.1"
    most = {name: points(max(low[name], high[name])) for name in low}
    assert max(most["confident-lda"], most["logreg-forward"]) == "+2.5"
    assert most["masc-white-tuned"] == "+3.6"


@cache
def on_fashion(kind: Any, *rates: float) -> Scores:
    """Return the scores of networks on Fashion-MNIST, once for all tests that look at them."""
    (scores,) = all_scores(STUDIES["FASHION"], [View(kind=kind, rates=rates)])
    return scores


def fashion(kind: Any, column: str, rate: float) -> dict[str, float]:
    rows = on_fashion(kind, rate).units.select("decoder", column).drop_nulls().iter_rows()
    return {decoder: round(100 * accuracy, 1) for decoder, accuracy in rows}


def test_on_fashion_mnist_the_network_knew_more_than_the_controls() -> None:
    best = {}
    for rate in (0.4, 0.8):
        trained, pixels = (fashion(LOST, name, rate) for name in ("decoded", "pixels"))
        untrained = fashion("untrained", "decoded", rate)
        gains = [
            (trained[name] - control[name], name)
            for control in (pixels, untrained)
            for name in control
        ]
        worse = {name for gain, name in gains if gain < (2 if rate == 0.4 else 0)}
        assert worse == (set() if rate == 0.4 else {"edit-lda"})
        decoders = pixels.keys() | untrained.keys()
        best[rate] = [
            max((found[name], name) for name in decoders & found.keys())
            for found in (trained, pixels, untrained)
        ]
        assert max(fashion("clean", "decoded", 0.8).values()) == pytest.approx(91.2)
    assert best == {
        0.4: [(88.2, "logreg-forward"), (84.5, "spreading-tuned"), (82.8, "knn-50")],
        0.8: [(83.3, "spreading-tuned"), (82.5, "rda"), (81.0, "spreading")],
    }


def test_patches_of_fashion_mnist_tell_more_than_the_trained_network() -> None:
    rows = read_frame(SCRIPT.parent / "studies" / "fashion-patches", "readings")
    patches = dict(rows.select("rate", "test_accuracy").iter_rows())
    assert f"has {100 * patches[0.4]:.1f} and {100 * patches[0.8]:.1f} %" in TEXT
    for rate, accuracy in patches.items():
        assert 100 * accuracy > max(fashion(LOST, "decoded", rate).values())
    (kind,) = rows["kind"].unique()
    assert (kind, set(rows["train_count"])) == ("features", {54_000})


def test_early_stopping_on_fashion_mnist_is_ahead_of_all_decoders() -> None:
    found = [fashion(LOST, "decoded", rate) for rate in (0.4, 0.8)]
    for trained in found:
        decoders = {name for name in trained if name != "best-epoch"}
        assert max(decoders, key=lambda name: trained[name]) == "early-stopped"
    names = ("early-stopped", STUDIES["WINNER"], "spreading", "lda", "masc")
    assert [found[0][name] for name in names] == [88.6, 86.2, 87.2, 86.6, 82.5]
    assert [found[1][name] for name in names] == [84.0, 81.8, 83.3, 79.8, 73.5]


def test_on_fashion_mnist_what_is_said_of_excess_is_true() -> None:
    scores = on_fashion(LOST)
    assert points(scores.suite_headroom) == "+7.6"
    columns = ("decoder", "source", "control", "headroom")
    cells = [
        (*row[:2], *(round(100 * x, 1) for x in row[2:]))
        for row in scores.cells.sort("rate").select(columns).rows()
    ]
    assert cells == [("logreg-forward", "pixels", 84.3, 6.7), ("rda", "pixels", 82.5, 8.5)]
    by_rate = scores.by("rate").sort("rate")
    for rate, best, above in ((0.4, ("logreg-forward", 3.9), 47), (0.8, ("spreading", 0.8), 13)):
        board = by_rate.filter(rate=rate)
        excess = shares(board, "excess")
        decoders = set(excess) - {"early-stopped", "best-epoch", "spreading-tuned"}
        assert (board.filter(pl.col("decoder").is_in(decoders))["decoder"][0], best[1]) == (
            best[0],
            max(excess[name] for name in decoders),
        )
        assert board.filter(pl.col("excess") > 0).height == above
        assert board.height == 53
    masc = by_rate.filter(decoder="masc")
    gains = [points(own - other) for own, other in masc.select("decoded", "pixels").rows()]
    assert gains == ["+12.2", "+6.9"]
    assert [round(-100 * x, 1) for x in masc["excess"]] == [1.7, 9.0]


def test_readings_on_fashion_mnist_agree_with_the_papers() -> None:
    (scores,) = all_suites(STUDIES["FASHION"])
    found = compare(scores.readings, best_layers(read_published())).with_columns(
        far=(pl.col("difference").abs() > 0.02)
    )
    far = found.filter("far").select("decoder", "rate", "own", "published").sort("rate").rows()
    assert [(name, rate, round(100 * (own - theirs), 1)) for name, rate, own, theirs in far] == [
        ("readout", 0.4, 3.0),
        ("knn-5", 0.8, 3.0),
    ]
    assert found.height - len(far) == 22
    of_lda_and_masc = found.filter(pl.col("decoder").is_in(["lda", "masc"]))["difference"]
    assert max(map(abs, of_lda_and_masc)) < 0.016


def test_five_neighbours_differ_most_in_the_last_layers() -> None:
    cell = {"decoder": "knn-5", "rate": 0.8, "kind": "memorized", "labels": "corrupted"}
    own = read_frame(STUDIES["FASHION"], "readings").filter(**cell)
    of_test = {"model": "paper-cnn", "dataset": "fashion-mnist", "split": "test"}
    theirs = read_published().filter(**cell, **of_test).group_by("layer")
    both = own.join(theirs.agg(pl.col("accuracy").mean()), on="layer")
    found = {
        layer: (round(100 * accuracy, 1), round(100 * other, 1))
        for layer, accuracy, other in both.select("layer", "test_accuracy", "accuracy").rows()
    }
    assert found["fc3"] == (37.6, 31.2)
    assert [round(own - theirs, 1) for own, theirs in (found["flatten"], found["fc2"])] == [
        1.7,
        1.8,
    ]


def test_networks_on_fashion_mnist_trained_as_far_as_the_text_says() -> None:
    networks = read_frame(STUDIES["FASHION"], "networks").filter(kind="memorized").sort("rate")
    found = networks.select("rate", "epochs", "stop_reason", "accuracy_given").rows()
    assert [(*row[:3], round(100 * row[3], 1)) for row in found] == [
        (0.4, 425, "target", 98.6),
        (0.8, 500, "max_epochs", 98.0),
    ]
    ends = [
        (round(100 * min(last), 1), round(100 * max(last), 1))
        for last in (networks[f"curve_{name}_accuracy"][0][-100:] for name in ("train", "test"))
    ]
    assert ends == [(97.0, 99.1), (59.9, 65.1)]
    cell = {"model": "paper-cnn", "dataset": "fashion-mnist", "rate": 0.8, "split": "train"}
    theirs = read_published().filter(**cell, decoder="readout")["accuracy"]
    assert [round(100 * accuracy) for accuracy in theirs] == [92, 92, 91]


def test_the_headroom_of_addition_is_as_measured() -> None:
    (scores,) = all_scores(STUDIES["ADDITION"])
    below = scores.units.filter(pl.col("rate") < 1).unique(["rate", "seed"])
    room = below.group_by("rate").agg((pl.col("ceiling") - pl.col("control")).mean().alias("room"))
    (pair,) = load_suite("addition").combinations()
    assert pair.headroom == round(100 * float(room["room"].to_numpy().mean()), 1)


def test_of_addition_what_is_said_was_read() -> None:
    (scores,) = all_scores(STUDIES["ADDITION"])
    units = scores.units.group_by("decoder", "rate").agg(pl.col("decoded", "readout").mean())
    found = {}
    for decoder, rate, decoded, readout in units.iter_rows():
        found[decoder, rate], found["readout", rate] = 100 * decoded, 100 * readout
    at = {place: f"{accuracy:.1f}" for place, accuracy in found.items()}
    assert sorted(scores.units["seed"].unique()) == [0, 1, 2, 3, 4]
    assert (scores.units["control"] < 0.025).all()
    controls = scores.readings.filter(
        pl.col("decoder") == "ridge-iterated",
        pl.col("rate") == 0.4,
        pl.col("kind").is_in(["features", "untrained", "random"]),
    )
    assert controls["model"].n_unique() == 3
    most = f"{100 * controls['test_accuracy'].to_numpy().max():.1f}"
    for said in (
        f"right, and so are {found['readout', 0.2]:.0f} and {found['readout', 0.4]:.0f} % of",
        f"the readout has {at['readout', 0.6]} %",
        f"reads {at['ridge-tuned', 0.2]} % where the readout has {at['readout', 0.2]}. Stopped",
        f"early the same networks have {at['early-stopped', 0.2]} %",
        f"`ridge-iterated` reads {at['ridge-iterated', 0.4]} % where the readout has "
        f"{at['readout', 0.4]} and early stopping {at['early-stopped', 0.4]} %",
        f"reads {at['ridge-tuned', 0.4]} % (`ridge-tuned`), and the decoder that is told "
        f"{at['fourier-told', 0.4]} %",
        f"labels `ridge-iterated` reads no more than {most} %",
        f"`fourier-told` reads {at['fourier-told', 0.6]} %, `ipr-pruned` {at['ipr-pruned', 0.6]} %",
        f"redrawn labels has {at['readout', 0.4]} % of new sums right",
        f"layer `ridge-iterated` reads {at['ridge-iterated', 0.4]} %, and no more than {most} %",
        f"the told decoder has {at['fourier-told', 0.8]} %",
        f"reads {at['masc', 0.2]} % at ρ .2 and {at['masc', 0.4]} % at ρ .4",
    ):
        assert said in TEXT
    knows = ("fourier-told", "ipr-pruned")
    others = {n: value for (n, rate), value in found.items() if rate == 0.6 and n not in knows}
    assert f"arithmetic more than {max(others.values()):.1f} %" in TEXT
    lines = [line.split("|") for line in STUDIES["bounds"]("bounds-addition").splitlines()]
    bound = {line[2].strip(): float(line[4]) for line in lines if "quadratic" in str(line)}
    assert 40 < bound["0.6"] < found["fourier-told", 0.6]
    assert bound["0.8"] < 1.5
    assert found["ridge-iterated", 0.4] > max(99, found["fourier-told", 0.4] + 2)
    assert found["fourier-told", 0.6] > 5 * max(others.values())
    assert max(value for (_, rate), value in found.items() if rate == 0.8) < 2
