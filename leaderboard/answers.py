"""The sentences of "What memorized networks hold", their numbers taken from the results."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from memgen_leaderboard.text import percent, points

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

ADDITION, SHIFTED = "modular-addition/41", "digits-shifted"
SIGNALS, DIGITS = "mnist1d", "digits"


def cell(frame: pl.DataFrame, dataset: str, rate: float) -> dict[str, Any]:
    """Return the one row of a data set and rate."""
    return frame.row(
        by_predicate=(pl.col("dataset") == dataset) & (pl.col("rate") == rate), named=True
    )


def ends(differences: pl.Series) -> str:
    """Return the least and the greatest of differences, in points."""
    values = differences.to_numpy()
    return f"{points(float(values.min()))} to {points(float(values.max()))}"


def interval(row: Mapping[str, Any], name: str = "difference", half: str = "half_width") -> str:
    """Return a difference in points with half its interval."""
    return f"{points(row[name])} ± {percent(row[half])}"


def held(found: pl.DataFrame) -> str:
    """Answer how much was in the network.

    Args:
        found: A row for each cell: what is chosen, the controls, X as `difference`, and E.
    """
    rule, later = cell(found, ADDITION, 0.2), cell(found, ADDITION, 0.4)
    low, next_, third, high = (cell(found, SHIFTED, rate) for rate in (0.2, 0.4, 0.6, 0.8))
    signals, digits = found.filter(dataset=SIGNALS), found.filter(dataset=DIGITS)
    behind = signals["decoded"] - signals["untrained"]
    return (
        f"**On modular addition at rate 0.2 nearly all of it was in the network**: what is chosen "
        f"reads {percent(rule['decoded'])} %, no control more than "
        f"{percent(max(rule[name] for name in ('pixels', 'patches/100', 'untrained', 'random')))} %, "
        f"and the readout {percent(rule['readout'])} %; X is {interval(rule)} points and E "
        f"{rule['share']:.2f}. At rate 0.4 X is {interval(later)} points, and from 0.6 on nothing is "
        "read: these networks memorize without the rule. **On shifted digits "
        f"{'a little was' if low['difference'] > low['half_width'] else 'these seeds do not tell'}**: "
        f"X is {interval(low)} points at rate 0.2, {interval(next_)} at 0.4 and {interval(third)} at "
        f"0.6. At 0.8 it is {interval(high)}: patches of the images, with the same noisy labels, tell "
        "more than the network that was trained on these. **On MNIST-1D and plain digits "
        "nothing is shown**: X is "
        f"{ends(signals['difference'])} points on "
        f"MNIST-1D, where the untrained network alone is within {percent(float(behind.abs().to_numpy().max()))} points "
        f"of the memorized one, and {points(float(digits['difference'].to_numpy().mean()))} on average on plain digits. "
        "Against pixels alone the network would seem to hold much more: "
        f"{points(next_['decoded'] - next_['pixels'])} points on shifted digits at rate 0.4."
    )


def memorized(networks: pl.DataFrame) -> str:
    """Say how many networks memorized.

    Args:
        networks: All networks, with their `kind` and whether they `memorized`.
    """
    trained = networks.filter(pl.col("kind").is_in(["memorized", "random"]))
    failed = trained.filter(~pl.col("memorized"))
    said = [
        f"{row['model']} on {row['dataset']} at rate {row['rate']:g} (seed {row['seed']}, "
        f"{percent(row['accuracy_wrong'])} % of the wrong ones)"
        for row in failed.sort("dataset", "rate", "seed").iter_rows(named=True)
    ]
    left_out = f"{len(said)} did not and is left out: {'; '.join(said)}" if said else "all did"
    return (
        f"Of {trained.height} networks that were trained on noisy labels, a network counts that has at "
        f"least 99 % of its given labels right, and of the wrong ones among them: {left_out}."
    )


def masc(found: pl.DataFrame) -> str:
    """Answer whether MASC reads more out of memorized networks.

    Args:
        found: A row for each cell: MASC less the control, less random labels and less untrained.
    """
    below = found.filter(pl.col("rate") < 1)
    rule = cell(below, ADDITION, 0.2)
    others = below.filter((pl.col("dataset") != ADDITION) | (pl.col("rate") != 0.2))
    more = {
        name: below.filter(pl.col(name) > pl.col(f"{name}_half")).height
        for name in ("control", "random", "untrained")
    }
    return (
        f"Than the best control only on modular addition at rate 0.2 ({interval(rule, 'control', 'control_half')} "
        f"points); in the other {others.height} cells it is {ends(others['control'])} "
        f"points from it. Than itself on the network of random labels: "
        f"significantly in {more['random']} of {below.height} cells, above all on MNIST-1D. Than itself on "
        f"the untrained network: in {more['untrained']} of {below.height}. What MASC reads is mostly there "
        "before anything is learned."
    )


def held_out(last: pl.DataFrame, leak: pl.DataFrame, chosen: pl.DataFrame) -> str:
    """Answer why held-out points are other points.

    Args:
        last: A row for each cell: accuracy on the last hidden layer, by kind and fitting.
        leak: A row for each cell, kind and layer: how far wrong labels are read as `given`.
        chosen: A row for each cell: what is chosen, `decoded` of held-out points and
            `early-stopped`.
    """
    signals = leak.filter(dataset=SIGNALS, rate=0.6).pivot(
        on="kind", index=["layer", "layer_depth"], values="given"
    )
    hidden = signals.filter(pl.col("layer_depth") < 1).sort("layer_depth")
    first, top = hidden.row(0, named=True), hidden.row(-1, named=True)
    row = cell(last, DIGITS, 0.4)
    lost = {
        kind: row[f"{kind} held_out"] - row[f"{kind} training"]
        for kind in ("memorized", "untrained")
    }
    behind = chosen.filter(pl.col("decoded") < pl.col("early-stopped")).height
    return (
        "The later the layer, the more do activations of training points carry the wrong labels that the "
        f"network memorized. On MNIST-1D at rate 0.6, in `{top['layer']}`, `lda-shrunk` gives wrongly "
        f"labelled points their wrong label {points(top['memorized'])} points more often than the true "
        f"one; on the untrained network it is {points(top['untrained'])}. In `{first['layer']}` both are "
        f"alike ({points(first['memorized'])} and {points(first['untrained'])}). Held-out points carry "
        "nothing of that. There are 7.5 times fewer of them, and still, in the MLP's last hidden layer on "
        f"plain digits at rate 0.4, a decoder that is fitted on them loses {points(lost['memorized'])} "
        f"points, where on the untrained network it loses {points(lost['untrained'])}. But they do not "
        f"close the gap to early stopping: what is chosen on them is behind it in {behind} of "
        f"{chosen.height} cells. So few points cost more than the wrong labels do, since a user can go to "
        "an earlier layer."
    )


def order(found: Mapping[str, tuple[float, float, float]], decoders: int) -> str:
    """Answer whether the order of decoders is the same.

    Args:
        found: The correlation of each data set with plain digits, and its interval.
        decoders: How many decoders are compared.
    """
    said = [
        f"{value:+.2f} ({low:+.2f} to {high:+.2f}) on {name}"
        for name, (value, low, high) in found.items()
    ]
    return (
        f"Only partly: the rank correlation of the {decoders} decoders' X with that on plain digits is "
        f"{', '.join(said[:-1])} and {said[-1]}."
    )


def depth(chosen: pl.DataFrame) -> str:
    """Answer where in the network it is.

    Args:
        chosen: What each memorized network gives its user: `dataset`, `model` and `layer`.
    """
    counts = (
        chosen.group_by("dataset", "model", "layer").len().sort("len", "layer", descending=True)
    )
    firsts = counts.unique("dataset", keep="first", maintain_order=True).sort("dataset")
    total = dict(chosen.group_by("dataset").len().iter_rows())
    said = [
        f"`{layer}` for {model} on {dataset} ({count} of {total[dataset]} networks)"
        for dataset, model, layer, count in firsts.iter_rows()
    ]
    return (
        "What a network's own validation labels choose is most often in "
        f"{', '.join(said[:-1])} and {said[-1]}; `*` are all layers together. So it is before the layers "
        "in which the wrong labels are readable. When in the training it is largest was not measured."
    )


def finding(found: pl.DataFrame, of_masc: pl.DataFrame, seeds: int) -> str:
    """Return the finding in four sentences."""
    rule, low, high = (
        cell(found, ADDITION, 0.2),
        cell(found, SHIFTED, 0.2),
        cell(found, SHIFTED, 0.8),
    )
    signals = found.filter(dataset=SIGNALS)
    others = of_masc.filter((pl.col("rate") < 1) & (pl.col("dataset") != ADDITION))
    return (
        f"On `core` with {seeds} seeds, a network that memorized sums with a fifth of the labels redrawn "
        f"still holds the rule: {percent(rule['decoded'])} % is read from it, "
        f"{percent(rule['control'])} % by the best control. On shifted digits it is "
        f"{interval(low)} points above the best control at rate 0.2 and {interval(high)} at rate 0.8. On "
        f"MNIST-1D it is {ends(signals['difference'])} "
        "points: an untrained network gives as much. MASC, the published decoder, is "
        f"{ends(others['control'])} points from the best "
        "control on images and signals, and never above it."
    )
