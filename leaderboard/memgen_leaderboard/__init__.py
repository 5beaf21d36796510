"""Scores of recoverable generalization, and the tables that show them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memgen_bench.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from memgen_bench.plan.suite import FittedOn, Labels
    from memgen_leaderboard.scoring.suite_scores import Scores
    from memgen_leaderboard.scoring.units import ShownKind

__all__ = ["scores"]


def scores(
    results: str | Path,
    suite: str | None = None,
    *,
    rates: Sequence[float] = (),
    datasets: Sequence[str] = (),
    models: Sequence[str] = (),
    kind: ShownKind = "memorized",
    labels: Labels = "corrupted",
    fitted_on: FittedOn = "training",
) -> Scores:
    """Return the scores of a suite as polars frames, such as `board` and `summary`.

    Args:
        results: A results folder, or a folder of results folders.
        suite: The suite's name, or its name and version (`core v1`) where it has several.
        rates: Shuffle rates; all by default.
        datasets: Names of data sets; all by default.
        models: Names of models; all by default.
        kind: The networks to decode: those that memorized, `unmemorized` ones that were trained on
            noisy labels and did not, `clean` or `untrained` ones.
        labels: The labels that decoders are fitted on.
        fitted_on: The points that decoders are fitted on.

    Raises:
        StoreError: There is no such folder, or it is damaged.
        UsageError: There is no such suite, or more than one.
    """
    from memgen_leaderboard.scoring.suite_scores import View, all_scores

    view = View(
        rates=tuple(map(float, rates)),
        datasets=tuple(datasets),
        models=tuple(models),
        kind=kind,
        labels=labels,
        fitted_on=fitted_on,
    )
    found = all_scores(results, [view])
    named = [one for one in found if suite in (None, one.suite, one.title)]
    if len(named) != 1:
        there = ", ".join(one.title for one in found) or "nothing to score"
        example = f"suite={found[0].title!r}" if found else "suite=…"
        raise UsageError(
            f"{results}: name one suite of those that are there, as {example}: {there}"
        )
    return named[0]
