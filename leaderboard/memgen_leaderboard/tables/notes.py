"""Notes below a board, and its result in short, as sentences made from its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from memgen_bench.protocol import MEMORIZED, READOUT
from memgen_bench.results.shortfalls import why_not_read, why_unmemorized
from memgen_bench.wording import counted
from memgen_leaderboard.scoring.cells import LEAST_SUITE_HEADROOM
from memgen_leaderboard.scoring.controls import REFERENCES
from memgen_leaderboard.scoring.decoder_choice import CHOSEN
from memgen_leaderboard.scoring.estimates import IMAGES
from memgen_leaderboard.scoring.layer_choice import UNIT
from memgen_leaderboard.scoring.ranking import LEAST_COVERAGE, LEAST_HEADROOM
from memgen_leaderboard.scoring.statistics import LEAST_SEEDS, LEVEL
from memgen_leaderboard.scoring.units import UNMEMORIZED, UNMEMORIZED_CLEAN
from memgen_leaderboard.text import FITTED_ON, SURE, control_name, percent, points

if TYPE_CHECKING:
    from memgen_leaderboard.scoring.suite_scores import Scores

_FEW = 5  # decoders, of which the best is no strong control


def board_notes(scores: Scores, *, brief: bool = False) -> list[str]:
    """Return notes on a board's headroom, columns, intervals and layers, and omitted networks.

    Args:
        scores: The scores of the board.
        brief: Whether to leave out what is the same for all boards of a suite.
    """
    if scores.board.is_empty():
        return ["At these rates the noise hides the true label, so that nothing can be ranked."]
    return [
        *headroom_notes(scores),
        *([] if brief else _legend(scores)),
        *_left_out(scores),
    ]


def _legend(scores: Scores) -> list[str]:
    """Return the legend of a board: accuracy, X, its shares, the other columns, intervals."""
    parts = [_accuracy, _excess, _shares, _others, _certainty]
    return [" ".join(said) for part in parts if (said := part(scores))]


def headroom_notes(scores: Scores) -> list[str]:
    """Return sentences on the room above the control: whether it suffices, and void cells."""
    cells, mean = scores.cells, scores.suite_headroom
    if cells["control"].null_count() == cells.height:
        return ["There is no control here, so that X and E are undefined and nothing is ranked."]
    without = _without_ceiling(scores)
    if mean is None:
        return without
    void = [_cell(row, cells) for row in cells.filter("is_void").iter_rows(named=True)]
    least = 100 * LEAST_SUITE_HEADROOM
    sentences = [
        f"Mean headroom of the suite, ceiling - control: {points(mean).lstrip('+')} points.",
        *[f"Under {least:.0f}, this suite cannot measure what networks hold beyond the controls."]
        * (round(mean, 12) < LEAST_SUITE_HEADROOM),
        *[f"Void, with a headroom under {100 * LEAST_HEADROOM:.0f} points: {', '.join(void)}."]
        * bool(void),
        *without,
        *_no_recovery(scores),
    ]
    return [" ".join(sentences)]


def _no_recovery(scores: Scores) -> list[str]:
    """Return why recovery is undefined though there are ceilings, in a sentence."""
    room: Any = (scores.cells["ceiling"] - scores.cells["readout"]).mean()
    if room is None or round(room, 12) >= LEAST_HEADROOM:
        return []
    return [
        f"Recovery is undefined, as the readout is less than {100 * LEAST_HEADROOM:.0f} points "
        "below the ceiling: memorization cost next to nothing."
    ]


def _without_ceiling(scores: Scores) -> list[str]:
    """Return where clean networks that memorized are missing, and why, in a sentence."""
    cells = scores.cells
    without = cells.filter(pl.col("ceiling").is_null())
    if without.is_empty():
        return []
    lost = scores.lost.filter(kind="clean")
    if cells["ceiling"].null_count() == cells.height and lost.is_empty():
        return ["There is no clean network here, so that E is undefined; X needs none."]
    named = ", ".join(_cell(row, cells) for row in without.iter_rows(named=True))
    why = "; ".join(why_unmemorized(lost))
    reason = f": {why}" if why else ""
    return [
        f"No ceiling, so that E and recovery are undefined, at {named}, where clean networks are "
        f"missing or did not memorize{reason}. X needs no ceiling."
    ]


def _cell(row: dict[str, Any], cells: pl.DataFrame) -> str:
    """Return a cell's name: the rate, and those of its axes that differ among the cells."""
    shown = [
        row[name]
        for name in ("model", "dataset", "noise")
        if cells[name].drop_nulls().n_unique() > 1
    ]
    return " ".join([*(f"{value}" for value in shown), f"ρ {row['rate']:g}"])


def _accuracy(scores: Scores) -> list[str]:
    view, units = scores.view, scores.units
    cells, networks = scores.cells.height, _networks(_counted(scores))
    hidden = ", without rates at which the noise hides the true label"
    return [
        f"Test accuracy on true labels in %, decoders fitted on {view.labels} labels of "
        f"{FITTED_ON[view.fitted_on]}: means over {counted(cells, 'cell')} of "
        f"{counted(networks, f'{view.kind} network')}{'' if units['rankable'].all() else hidden}.",
        *_how_far(scores),
        *["Only memorized networks are ranked, and only on corrupted labels."]
        * (not view.is_ranked),
    ]


def _excess(scores: Scores) -> list[str]:
    if scores.cells["control"].null_count() == scores.cells.height:
        return []
    return [
        "X is accuracy minus that of the control, in points: the best on noisy validation labels "
        "of what knows no label (features of the images, untrained network, network of random "
        "labels).",
        *_few_decoders(scores),
    ]


def _shares(scores: Scores) -> list[str]:
    cells = scores.cells
    ceiling: Any = cells["ceiling"].mean()
    if ceiling is None:
        return []
    sums = ", sums over cells, void ones left out of E" if cells.height > 1 else ""
    return [
        "E: X in % of ceiling - control; recovery: accuracy - readout in % of ceiling - "
        f"readout{sums}; ceiling: the clean network's readout, {percent(ceiling)} %."
    ]


def _others(scores: Scores) -> list[str]:
    board, kind = scores.board, scores.view.kind
    there = [name for name in REFERENCES if name in set(board["decoder"])]
    columns = {
        "clean net: the same decoder on the clean network": board["clean"].count(),
        "s: seconds of fit and predictions": board["seconds"].count(),
        f"ok: how many of the planned {kind} networks were read": True,
    }
    return [
        _layers(scores),
        f"{'; '.join(said for said, is_there in columns.items() if is_there)}.",
        *[f"Never ranked, as of the network's own training: {', '.join(there)}."] * bool(there),
    ]


def _how_far(scores: Scores) -> list[str]:
    """Return the share of given labels that unmemorized networks have right, in a sentence."""
    kind = {UNMEMORIZED: "memorized", UNMEMORIZED_CLEAN: "clean"}.get(scores.view.kind)
    if kind is None:
        return []
    right = scores.lost.filter(kind=kind)["accuracy_given"]
    if right.is_empty():
        return []
    least, most = (percent(share) for share in (right.min(), right.max()))  # type: ignore[arg-type]
    shares = least if least == most else f"{least} to {most}"
    return [
        f"They have {shares} % of their given labels right; {100 * MEMORIZED:.0f} % are asked for."
    ]


def _counted(scores: Scores) -> pl.DataFrame:
    """Return the units that the board's means average."""
    compared = scores.ranking.compared  # empty where no decoder covers enough
    return scores.units.filter("rankable") if compared.is_empty() else compared


def _networks(units: pl.DataFrame) -> int:
    return units.select(UNIT).n_unique()


def _few_decoders(scores: Scores) -> list[str]:
    """Say that a control by few decoders is a low one."""
    own = pl.col("kind").is_in(["features", "untrained", "random"])
    read = scores.readings.filter(own, ~pl.col("decoder").is_in([READOUT, *REFERENCES]))
    count = read["decoder"].n_unique()
    if not 0 < count < _FEW:
        return []
    return [
        f"The control is by {counted(count, 'decoder')} alone: beside others it may be higher, and "
        "X lower."
    ]


def _certainty(scores: Scores) -> list[str]:
    intervals = scores.board["interval"].drop_nulls()
    if intervals.is_empty():
        return []
    alone = (
        f"the test images alone: with fewer than {LEAST_SEEDS} seeds of {scores.view.kind} "
        "networks in a cell, intervals and ranks say nothing of other seeds"
    )
    seeds = (
        f"{counted(scores.units['seed'].n_unique(), 'seed')} and the test images; data sets with "
        "the pool of images that seeds split, models and rates are fixed"
    )
    over = alone if intervals[0] == IMAGES else seeds
    sentences = [f"± is half the width of a {SURE} interval over {over}."]
    if comparisons := scores.differences.height:
        sentences.append(
            f"Ranks are ranges ({SURE}, Holm's correction for "
            f"{counted(comparisons, 'paired comparison')}); the first is best in hindsight."
        )
    return sentences


def _layers(scores: Scores) -> str:
    if "validation" in scores.units["chosen_by"]:
        counts = " or ".join(f"{count}" for count in sorted(set(scores.units["validation_count"])))
        beside = "" if scores.chosen.is_empty() else f" ({CHOSEN}: with its decoder)"
        return (
            f"layer: the best on each network's own noisy validation labels, {counts} points"
            f"{beside}; oracle: the best on test, never ranked;"
        )
    return (
        "layer: without a validation part, the last before the logits; oracle: the best on test, "
        "never ranked;"
    )


def _left_out(scores: Scores) -> list[str]:
    board, readings = scores.board, scores.view.select(scores.readings)
    of_unmemorized = scores.view.kind in (UNMEMORIZED, UNMEMORIZED_CLEAN)
    reference = pl.col("decoder").is_in(REFERENCES)
    told = board.filter("told_noise")["decoder"].to_list()
    saw_test = board.filter("saw_test", ~reference)["decoder"].to_list()
    short = board.filter(pl.col("coverage") < LEAST_COVERAGE, ~reference)["decoder"].to_list()
    failed = scores.failures.height
    reasons = [f"{line}." for line in why_not_read(scores.failures)[:3]] if failed else []
    noisy = ~pl.col("memorized") & (pl.col("kind") == "memorized")
    lost = 0 if of_unmemorized else readings.filter(noisy)["network_id"].n_unique()
    why = " ".join(f"{line}." for line in why_unmemorized(scores.lost.filter(kind="memorized")))
    uncommon = _networks(scores.units.filter("rankable")) - _networks(_counted(scores))
    outdated, missing = (counted(n, "reading") for n in (scores.outdated, scores.missing))
    sentences = [
        (told, f"Not ranked, as they are told the noise: {', '.join(told)}."),
        (saw_test, f"Not ranked, as they know test labels or their rule: {', '.join(saw_test)}."),
        (short, f"Not ranked, too few networks: {', '.join(short)}."),
        (
            uncommon,
            f"Left out, as not all ranked decoders cover them: {counted(uncommon, 'network')}.",
        ),
        (failed, f"Readings that failed: {failed:,}. {' '.join(reasons)}".rstrip()),
        (scores.unread, f"No reading is fine: {', '.join(scores.unread)}."),
        (lost, f"Left out, as they did not memorize: {lost:,} of the networks. {why}".rstrip()),
        (
            scores.outdated,
            f"Left out, as of an older protocol: {outdated}.",
        ),
        (
            scores.missing,
            f"Planned in the suite and not run: {missing}.",
        ),
    ]
    return [sentence for said, sentence in sentences if said]


def in_short(scores: Scores) -> list[str]:
    """Return the result in short, pair by pair: the best decoder, the control, the references."""
    if all(one.board.is_empty() or one.board["rank"][0] is None for one in scores.of_pairs):
        return ["Nothing is ranked here."]
    several = len(scores.of_pairs) > 1
    sentences = []
    for one in scores.of_pairs:
        if one.board.is_empty() or one.board["rank"][0] is None:
            continue
        said = " ".join(_of_pair(one))
        (pair,) = one.units.select("model", "dataset").unique().iter_rows()
        where = ", noise ".join([f"On {pair[1]}, {pair[0]}", *one.view.noises])
        sentences.append(f"{where}: {said}" if several else said)
    first = scores.of_pairs[0]
    return [*headroom_notes(scores), *sentences, " ".join(_certainty(first))]


def _of_pair(scores: Scores) -> list[str]:
    first = scores.board.row(0, named=True)
    return [
        *_chosen(scores),
        *_best(scores, first),
        _rivals(scores, first),
        *_references(scores),
    ]


def _chosen(scores: Scores) -> list[str]:
    """Return whether what a network gives its user is more than the control, in a sentence."""
    sentences = []
    for row in scores.chosen_board.drop_nulls("excess_half_width").iter_rows(named=True):
        excess, half_width = row["excess"], row["excess_half_width"]
        if excess > half_width:
            verdict = "so these networks hold more than the controls"
        elif excess < -half_width:
            verdict = "less than the control"
        else:
            verdict = "which is not significantly different from the control"
        share = "" if row["share"] is None else f", {percent(row['share'])} % of the headroom"
        sentences.append(
            f"What is {row['decoder']} has X = {points(excess, half_width)} points{share}: "
            f"{percent(row['decoded'])} % against {percent(row['control'])} %, {verdict}."
        )
    return sentences


def _best(scores: Scores, first: dict[str, Any]) -> list[str]:
    excess, half_width = first["excess"], first["excess_half_width"]
    if first["p_holm"] >= 1 - LEVEL:
        verdict = "which is not significantly different from what the control reads"
    else:
        verdict = f"significantly {'more' if excess > 0 else 'less'} than the control"
    share = "" if first["share"] is None else f", {percent(first['share'])} % of the headroom"
    said = f"X = {points(excess, half_width)} points{share}"
    sentences = [
        f"The best decoder, {first['decoder']}, has {said}: "
        f"{percent(first['decoded'])} % against {percent(first['control'])} %, {verdict}."
    ]
    if first["recovery"] is not None:
        room = first["ceiling"] - first["readout"]
        control = (first["control"] - first["readout"]) / room
        sentences.append(
            f"It recovers {percent(first['recovery'])} % of what memorization cost, where the "
            f"control, which saw none of the network's labels, has {percent(control)} %."
        )
    names = dict.fromkeys(map(control_name, scores.cells.iter_rows(named=True)))
    return [*sentences, f"The control is {_and(list(names))}."]


def _rivals(scores: Scores, first: dict[str, Any]) -> str:
    pairs = scores.differences.filter(decoder=first["decoder"])
    tied = pairs.filter(pl.col("p_holm") >= 1 - LEVEL)["other"].to_list()
    if not pairs.height:
        return "No other decoder is ranked."
    if not tied:
        return "It beats all others significantly."
    if len(tied) == pairs.height:
        return "It cannot be told apart from any other."
    return f"It cannot be told apart from {len(tied)} of {counted(pairs.height, 'other')}."


def _references(scores: Scores) -> list[str]:
    means = {name: scores.cells[name].mean() for name in REFERENCES}
    found = [f"{name} has {percent(mean)} %" for name, mean in means.items() if mean is not None]  # type: ignore[arg-type]
    return [f"For reference, {_and(found, 'and')}."] * bool(found)


def _and(names: list[str], word: str = "or") -> str:
    return f" {word} ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
