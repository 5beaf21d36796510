"""Notes below a board, and its result in short, as sentences made from its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from memgen_bench.protocol import MEMORIZED
from memgen_leaderboard.scoring.estimates import IMAGES
from memgen_leaderboard.scoring.ranking import LEAST_COVERAGE, best_decoders
from memgen_leaderboard.scoring.statistics import LEAST_SEEDS, LEVEL
from memgen_leaderboard.scoring.units import UNIT, UNMEMORIZED
from memgen_leaderboard.text import PLACES, SURE, percent, points

if TYPE_CHECKING:
    from memgen_leaderboard.scoring.suite_scores import Scores


def board_notes(scores: Scores) -> list[str]:
    """Return notes on the board's columns, its intervals, its layers, and omitted networks."""
    if scores.board.is_empty():
        return ["At these rates the noise hides the true label, so that nothing can be ranked."]
    return [*_columns(scores), *_certainty(scores), _layers(scores), *_left_out(scores)]


def _columns(scores: Scores) -> list[str]:
    view = scores.view
    ceiling: Any = scores.board["ceiling"].drop_nulls().first()
    what_recovery_is = (
        "Recovery is Σ(accuracy - readout) / Σ(ceiling - readout); the ceiling is the clean "
        f"network's readout ({percent(ceiling)} %)."
    )
    not_ranked = "Only memorized networks are ranked, and only on corrupted labels."
    networks = _networks(_counted(scores))
    return [
        f"Test accuracy on true labels in %, decoders fitted on {view.labels} labels of "
        f"{view.kind} networks: means over {networks} network{'s' * (networks != 1)} at rates at "
        "which the noise leaves the true label the likeliest.",
        *_how_far(scores),
        *[what_recovery_is] * scores.board["recovery"].is_not_null().any(),
        *[not_ranked] * (not view.is_ranked),
        "The gains are over the same decoder on the untrained network and on raw pixels, in "
        "points; clean net is the same decoder on the clean network; s is seconds of fit and "
        "predictions; ok is how many of the planned networks it was read from.",
    ]


def _how_far(scores: Scores) -> list[str]:
    """Return the share of given labels that unmemorized networks have right, in a sentence."""
    if scores.view.kind != UNMEMORIZED:
        return []
    right = scores.networks.filter(~pl.col("memorized"), kind="memorized")["accuracy_given"]
    if right.is_empty():
        return []
    least, most = (percent(share) for share in (right.min(), right.max()))  # type: ignore[arg-type]
    shares = least if least == most else f"{least} to {most}"
    return [
        f"They have {shares} % of their given labels right; {100 * MEMORIZED:.0f} % are asked for."
    ]


def _counted(scores: Scores) -> pl.DataFrame:
    """Return the units that the board's means average."""
    compared = scores.ranking.compared  # empty where no decoder is ranked
    return scores.units.filter("rankable") if compared.is_empty() else compared


def _networks(units: pl.DataFrame) -> int:
    return units.select(UNIT).n_unique()


def _certainty(scores: Scores) -> list[str]:
    intervals = scores.board["interval"].drop_nulls()
    if intervals.is_empty():
        return []
    few = intervals[0] == IMAGES
    seeds = f"{scores.units['seed'].n_unique()} seeds and the test images"
    sentences = [
        f"± is half the width of a {SURE} interval over "
        f"{'the test images alone' if few else seeds}; data sets, models and rates are fixed.",
    ]
    if few:
        sentences.append(
            f"With fewer than {LEAST_SEEDS} seeds intervals and ranks say nothing of other seeds."
        )
    if count := scores.pairs.height:
        sentences.append(
            f"Ranks are ranges: what paired differences leave open ({SURE}, Holm's correction for "
            f"{count} pair{'s' * (count > 1)})."
        )
    return sentences


def _layers(scores: Scores) -> str:
    if "validation" in scores.units["chosen_by"]:
        counts = sorted(set(scores.units["validation_count"]))
        return (
            f"The layer is chosen on noisy validation labels ({' or '.join(map(str, counts))} "
            "points) pooled over the seeds; the oracle layer, chosen on test, is never ranked."
        )
    return "No validation part: the layer is the last before the logits; the oracle is not ranked."


def _left_out(scores: Scores) -> list[str]:
    board, readings = scores.board, scores.view.select(scores.readings)
    told = board.filter("told_noise")["decoder"].to_list()
    saw_test = board.filter("saw_test")["decoder"].to_list()
    short = board.filter(pl.col("coverage") < LEAST_COVERAGE)["decoder"].to_list()
    failed = readings.filter(pl.col("status") == "failed").height
    others = ~pl.col("memorized") & (scores.view.kind != UNMEMORIZED)
    lost = readings.filter(others)["network_id"].n_unique()
    uncommon = _networks(scores.units.filter("rankable")) - _networks(_counted(scores))
    sentences = [
        (told, f"Not ranked, as they are told the noise: {', '.join(told)}."),
        (saw_test, f"Not ranked, as they saw test labels: {', '.join(saw_test)}."),
        (short, f"Not ranked, too few networks: {', '.join(short)}."),
        (uncommon, f"Left out, as not all ranked decoders cover them: {uncommon:,} networks."),
        (failed, f"Readings that failed: {failed:,}."),
        (lost, f"Left out, as they did not memorize: {lost:,} of the networks."),
        (scores.outdated, f"Left out, as of an older protocol: {scores.outdated:,} readings."),
        (scores.missing, f"Planned in the suite and not run: {scores.missing:,} readings."),
    ]
    return [sentence for said, sentence in sentences if said]


def in_short(scores: Scores) -> list[str]:
    """Return the result in short: the best decoder, its lead, the intervals, the controls."""
    board = scores.board
    if board.is_empty() or board["rank"][0] is None:
        return ["Nothing is ranked here."]
    first = board.row(0, named=True)
    sure = " ".join(_certainty(scores))
    return [
        _best(first),
        _rivals(scores, first),
        sure,
        *_against_controls(first),
        _whatever_the_decoder(board),
    ]


def _best(first: dict[str, Any]) -> str:
    return (
        f"The best decoder is {first['decoder']}: it recovers "
        f"{percent(first['recovery'], first['recovery_half_width'])} % of what memorization cost. "
        f"{percent(first['decoded'])} % of the test images are right, where the networks' own "
        f"readout has {percent(first['readout'])} % and that of clean networks "
        f"{percent(first['ceiling'])} %."
    )


def _rivals(scores: Scores, first: dict[str, Any]) -> str:
    pairs = scores.pairs.filter(decoder=first["decoder"])
    sure = pairs.filter(pl.col("p_holm") < 1 - LEVEL)
    tied = pairs.filter(pl.col("p_holm") >= 1 - LEVEL)["other"].to_list()
    sentences = []
    if tied:
        sentences.append(f"It cannot be told apart from {_and(tied)}.")
    for row in sure.head(1).iter_rows(named=True):
        margin = points(row["recovery_difference"], row["recovery_half_width"]).lstrip("+")
        others = (
            "The first that it beats significantly is"
            if tied
            else "It beats all others significantly; next is"
        )
        sentences.append(f"{others} {row['other']}, by {margin} points of recovery.")
    return " ".join(sentences)


def _against_controls(first: dict[str, Any]) -> list[str]:
    headroom = first["ceiling"] - first["readout"]
    controls = {"untrained": "the untrained network", "pixels": "raw pixels"}
    sentences = []
    for name, words in controls.items():
        gain, half_width = first[f"gain_{name}"], first[f"gain_{name}_half_width"]
        if gain is None or half_width is None:
            continue
        if abs(gain) <= half_width:
            verdict = "no significant difference"
        else:
            verdict = "significantly more" if gain > 0 else "significantly less"
        worth = (first[name] - first["readout"]) / headroom
        sentences.append(
            f"On {words} the same decoder has {percent(first[name])} %, worth a recovery of "
            f"{percent(worth)} %: the memorized network gives {points(gain, half_width)} points, "
            f"{verdict}."
        )
    return sentences


def _whatever_the_decoder(board: pl.DataFrame) -> str:
    best = best_decoders(board).filter(pl.col("column") != "clean")
    found = [
        f"{percent(row['accuracy'])} % out of {PLACES[row['column']]} ({row['decoder']})"
        for row in best.iter_rows(named=True)
    ]
    return f"The most that any decoder gets is {', '.join(found)}."


def _and(names: list[str]) -> str:
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
