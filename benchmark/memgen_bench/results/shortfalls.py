"""Reasons for which networks did not memorize and readings were not made, a line each; pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import polars as pl

from memgen_bench.protocol import ALL_LAYERS, FEATURES, MEMORIZED
from memgen_bench.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST = 10  # reasons that are listed
# The columns that reasons are found from.
NETWORK_COLUMNS = (
    *("network_id", "model", "dataset", "kind", "noise", "rate", "seed", "memorized"),
    *("accuracy_given", "accuracy_wrong", "target", "max_epochs", "epochs", "stop_reason"),
    "curve_train_accuracy",
)
READING_COLUMNS = (
    *("key", "model", "dataset", "kind", "noise", "rate", "seed", "decoder", "layer"),
    *("status", "error_type", "message"),
)

_MENDS = {
    "timeout": "--timeout allows a step more seconds",
    "oom": "a smaller --jobs or --max-layer-dim takes less memory",
}
_MEND = "mend it, and --retry-failed computes them again"
_NUMBER = re.compile(r"\d+(\.\d+)?(e[+-]?\d+)?")


def why_unmemorized(networks: pl.DataFrame) -> list[str]:
    """Say why networks did not memorize their labels, and what to do.

    Args:
        networks: Rows with `NETWORK_COLUMNS`; those that memorized or were not trained are passed
            over.

    Returns:
        A line for each reason: the number of networks, one of them, how far they came, the mend.
    """
    lost = networks.filter(~pl.col("memorized")).sort("dataset", "model", "rate", "seed")
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in lost.iter_rows(named=True):
        groups.setdefault(_reason(row), []).append(row)
    return [
        f"{counted(len(rows), 'network')} ({_as(rows)}{_label(rows[0])}) {_HOW_FAR[reason](rows)}"
        for reason, rows in sorted(groups.items(), key=lambda group: -len(group[1]))
    ]


def why_not_read(readings: pl.DataFrame) -> list[str]:
    """Say why readings failed or were skipped, and what to do.

    Args:
        readings: Rows with `READING_COLUMNS`; those that are `ok` are passed over.

    Returns:
        A line for each reason, the failed ones first: the number of readings, one of them, the
        mend. Messages that differ only in their numbers are one reason.
    """
    short = readings.filter(pl.col("status") != "ok")
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in short.iter_rows(named=True):
        message = _NUMBER.sub("#", row["message"] or "")
        reason = (row["status"], row["error_type"] or "", message)
        groups.setdefault(reason, []).append(row)
    order = sorted(groups.items(), key=lambda group: (group[0][0], -len(group[1])))
    return [_why(*reason[:2], rows) for reason, rows in order[:MOST]] + [
        f"and {len(order) - MOST} other reasons, in the column message of the results"
    ] * (len(order) > MOST)


def _why(status: str, error_type: str, rows: list[dict[str, Any]]) -> str:
    first = rows[0]
    decoders = len({row["decoder"] for row in rows})
    others = f", of {decoders} decoders" if decoders > 1 else ""
    place = "" if first["layer"] in (ALL_LAYERS, FEATURES) else f", layer {first['layer']}"
    example = f"{first['decoder']} on {_label(first)}{place}"
    count = f"{counted(len(rows), 'reading')} {status}{others}"
    said = f"{count} ({_as(rows)}{example}): {first['message']}"
    return f"{said}; {_MENDS.get(error_type, _MEND)}" if status == "failed" else said


def _as(rows: list[dict[str, Any]]) -> str:
    return "as " if len(rows) > 1 else ""


def _label(row: dict[str, Any]) -> str:
    given = f"{row['noise']} {row['rate']:g}" if row["noise"] else row["kind"]
    where = "of" if row["kind"] == FEATURES else "on"
    return f"{row['model']} {where} {row['dataset']}, {given}, seed {row['seed']}"


# why networks did not memorize


def _in_training(row: dict[str, Any]) -> float | None:
    """Return the running accuracy of the last epoch."""
    curve: list[float] = row["curve_train_accuracy"] or []
    return curve[-1] if curve else None


def _reason(row: dict[str, Any]) -> str:
    running, target = _in_training(row), row["target"]
    if row["stop_reason"] == "max_epochs":
        return "unfinished"
    if target is not None and target < MEMORIZED:
        return "low target"
    if (row["accuracy_given"] or 0) >= MEMORIZED:
        return "wrong labels"
    return "eval mode" if running is not None and running >= MEMORIZED else "stopped"


def _range(values: Iterable[float | None], scale: float = 100, digits: int = 1) -> str:
    there = [round(scale * value, 9) for value in values if value is not None]
    if not there:
        return "an unknown share"
    low, high = f"{min(there):.{digits}f}", f"{max(there):.{digits}f}"
    return low if low == high else f"{low} to {high}"


def _given(rows: list[dict[str, Any]]) -> str:
    return _range(row["accuracy_given"] for row in rows)


def _longer(rows: list[dict[str, Any]]) -> int:
    """Return a number of epochs that is three times as long as the longest of these trainings."""
    return 3 * max(row["epochs"] or 1 for row in rows)


_ASKED = f"where {100 * MEMORIZED:.0f} % are asked for"
_HOW_FAR = {
    "unfinished": lambda rows: (
        f"had {_given(rows)} % of their labels right after max_epochs = "
        f"{_range((row['max_epochs'] for row in rows), 1, 0)}, {_ASKED}: raise max_epochs in the "
        "recipe of the suite's pair"
    ),
    "low target": lambda rows: (
        f"stopped at their target of {_range(row['target'] for row in rows)} %, {_ASKED}: raise "
        "target in the recipe of the suite's pair"
    ),
    "wrong labels": lambda rows: (
        f"had {_range(row['accuracy_wrong'] for row in rows)} % of their wrong labels right, "
        f"{_ASKED}: they train on with recipe = {{ min_epochs = {_longer(rows)} }} in the suite's "
        "pair"
    ),
    "eval mode": lambda rows: (
        f"had {_range(_in_training(row) for row in rows)} % of their labels right in training, and "
        f"{_given(rows)} % in eval mode, {_ASKED}: the last steps of an epoch changed them, or "
        "running statistics, as of BatchNorm, lag behind after few steps; they train on with "
        f"recipe = {{ min_epochs = {_longer(rows)} }} in the suite's pair"
    ),
    "stopped": lambda rows: (
        f"had {_given(rows)} % of their labels right, {_ASKED}: they train on with recipe = "
        f"{{ min_epochs = {_longer(rows)} }} in the suite's pair"
    ),
}
