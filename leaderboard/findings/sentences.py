"""The sentences of "What memorized networks hold", their numbers and their words from the results."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from memgen_leaderboard.text import percent, points

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

ADDITION, SHIFTED = "modular-addition/41", "digits-shifted"
SIGNALS, DIGITS = "mnist1d", "digits"
PAIRS = (DIGITS, SHIFTED, SIGNALS, ADDITION)
NAMES = {
    DIGITS: "plain digits",
    SHIFTED: "shifted digits",
    SIGNALS: "MNIST-1D",
    ADDITION: "modular addition",
}
KINDS = ("memorized", "untrained")


def cell(frame: pl.DataFrame, dataset: str, rate: float) -> dict[str, Any]:
    """Return the one row of a data set and rate."""
    its = (pl.col("dataset") == dataset) & (pl.col("rate") == rate)
    return frame.row(by_predicate=its, named=True)


def ends(differences: pl.Series) -> str:
    """Return the least and the greatest of differences, in points."""
    values = differences.to_numpy()
    return f"{points(float(values.min()))} to {points(float(values.max()))}"


def interval(row: Mapping[str, Any], name: str = "difference", half: str = "half_width") -> str:
    """Return a difference in points with half its interval."""
    return f"{points(row[name])} ± {percent(row[half])}"


def above(frame: pl.DataFrame, name: str = "difference", half: str = "half_width") -> pl.DataFrame:
    """Keep the cells whose interval is above 0."""
    return frame.filter(pl.col(name) > pl.col(half))


def places(frame: pl.DataFrame) -> str:
    """Return the data sets and rates of cells, in words."""
    said = [
        f"{NAMES[dataset]} at {', '.join(f'{rate:g}' for rate in sorted(rates))}"
        for dataset, rates in frame.group_by("dataset").agg("rate").sort("dataset").iter_rows()
    ]
    return " and ".join([", ".join(said[:-1]), said[-1]] if said[1:] else said) or "none"


def shown(cells: pl.DataFrame) -> str:
    """Say where a difference from the control is shown in the cells of one data set."""
    rates = sorted(above(cells)["rate"])
    at = " and ".join(f"{rate:g}" for rate in rates)
    return (
        f"a difference is shown at rate {at} alone"
        if rates
        else "no difference from the control is shown"
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
    left_out = f"left out, as they did not: {'; '.join(said)}" if said else "all did"
    return (
        f"Of {trained.height} networks that were trained on noisy labels, those count that have at "
        f"least 99 % of their given labels right, and of the wrong ones among them; {left_out}."
    )


def held(found: pl.DataFrame) -> str:
    """Answer how much was in the network.

    Args:
        found: A row for each cell: what is chosen, the controls, X as `difference`, and E.
    """
    rule, later = cell(found, ADDITION, 0.2), cell(found, ADDITION, 0.4)
    best = max(rule[name] for name in ("pixels", "patches/100", "untrained", "random"))
    signals, digits = found.filter(dataset=SIGNALS), found.filter(dataset=DIGITS)
    shifted = [
        f"{interval(row)} at rate {row['rate']:g}"
        for row in found.filter(dataset=SHIFTED).sort("rate").iter_rows(named=True)
    ]
    next_, high = cell(found, SHIFTED, 0.4), cell(found, SHIFTED, 0.8)
    return (
        f"The interval of X is above 0 for {places(above(found))}; it is not corrected for "
        f"{found.height} cells. **On modular addition at rate 0.2** what is chosen reads "
        f"{percent(rule['decoded'])} %, no control more than {percent(best)} %, and the readout "
        f"{percent(rule['readout'])} %: X is {interval(rule)} points, and E {rule['share']:.2f}. At rate "
        f"0.4 X is {interval(later)} points; at 0.6 and 0.8 what is chosen is at chance: these networks "
        f"memorize without the rule. **On shifted digits** X is {', '.join(shifted)}; at 0.8 the control is "
        f"on {high['source']}, with the same noisy labels. **On MNIST-1D** X is "
        f"{ends(signals['difference'])} points (± {percent(float(signals['half_width'].to_numpy().max()))} at "
        f"most): {shown(signals)}. **On plain digits** it is "
        f"{ends(digits['difference'])} points. Against pixels alone the network would seem to hold much: "
        f"{points(next_['decoded'] - next_['pixels'])} points on shifted digits at rate 0.4. The control is "
        "chosen on the validation labels of all seeds together, what is chosen on one network's own, which "
        "makes X smaller; the last column has both pooled."
    )


def masc(found: pl.DataFrame) -> str:
    """Answer whether MASC reads more out of memorized networks.

    Args:
        found: A row for each cell: MASC less the control, less random labels and less untrained.
    """
    below = found.filter(pl.col("rate") < 1)
    images = below.filter(pl.col("dataset") != ADDITION)
    more = {name: above(below, name, f"{name}_half") for name in ("control", "random", "untrained")}
    return (
        f"Than the best control: its interval is above 0 for {places(more['control'])}. On images and signals "
        f"it is {ends(images['control'])} points from the best control. Than itself on the network of random "
        f"labels: for {places(more['random'])}. Than itself on the untrained network: for "
        f"{places(more['untrained'])}; on images and signals the difference is "
        f"{ends(images['untrained'])} points. These intervals are not corrected for {below.height} cells."
    )


def held_out(last: pl.DataFrame, leak: pl.DataFrame, both: pl.DataFrame) -> str:
    """Answer why held-out points are other points.

    Args:
        last: A row for each cell: accuracy on the last hidden layer, by kind and fitting.
        leak: A row for each cell, kind and layer: how far wrong labels are read as `given`.
        both: A row for each cell that is not at chance: what is chosen on training points as
            `trained`, on held-out ones as `decoded`, and `early-stopped`.
    """
    rows = leak.filter(dataset=SIGNALS, rate=0.6).pivot(
        on="kind", index=["layer", "layer_depth"], values="given"
    )
    hidden = rows.filter(pl.col("layer_depth") < 1).sort("layer_depth")
    first, top = hidden.row(0, named=True), hidden.row(-1, named=True)
    lost = {
        kind: last.filter(pl.col("rate") < 1)
        .group_by("dataset")
        .agg(lost=(pl.col(f"{kind} training") - pl.col(f"{kind} held_out")).mean())
        for kind in KINDS
    }
    costs = [
        f"{percent(lost['memorized'].filter(dataset=name)['lost'][0])} and "
        f"{percent(lost['untrained'].filter(dataset=name)['lost'][0])} on {NAMES[name]}"
        for name in (DIGITS, SHIFTED, SIGNALS)
    ]
    ahead = {
        name: both.filter(pl.col(name) > pl.col("early-stopped")) for name in ("trained", "decoded")
    }
    return (
        "The last hidden layer and the logits of a memorized network carry the wrong labels of its training "
        f"points. On MNIST-1D at rate 0.6, in `{top['layer']}`, `lda-shrunk` gives wrongly labelled points "
        f"their wrong label {points(top['memorized'])} points more often than the true one; on the untrained "
        f"network it is {points(top['untrained'])}. In `{first['layer']}` both are alike "
        f"({points(first['memorized'])} and {points(first['untrained'])}). Held-out points carry nothing of "
        "that, but there are 7.5 times fewer. On the last hidden layer decoders that are fitted on them lose, "
        f"on the memorized and on the untrained network, in points over the rates: {'; '.join(costs)}. So it "
        "is on plain digits alone that they make up for their number, and the number of points and their "
        "labels are not separated here. Early stopping is behind what is chosen on training points in "
        f"{ahead['trained'].height} of {both.height} cells that are above chance, and behind what is chosen on "
        f"held-out points in {ahead['decoded'].height}."
    )


def order(found: Mapping[str, tuple[float, float, float]], decoders: int) -> str:
    """Answer whether the order of decoders is the same.

    Args:
        found: The correlation of each data set with plain digits, and its interval.
        decoders: How many decoders are compared.
    """
    said = [
        f"{value:+.2f} ({low:+.2f} to {high:+.2f}) on {NAMES[name]}"
        for name, (value, low, high) in found.items()
    ]
    sure = [NAMES[name] for name, (_, low, _) in found.items() if low > 0]
    return (
        f"The rank correlation of the {decoders} decoders' X with that on plain digits is "
        f"{', '.join(said[:-1])} and {said[-1]}. Its interval is above 0 on {' and '.join(sure) or 'none'}: so "
        "few decoders tell little, and a ranking on plain digits should not be taken to others."
    )


def depth(chosen: pl.DataFrame) -> str:
    """Answer where in the network it is.

    Args:
        chosen: What each memorized network gives its user, in cells above chance: `dataset`,
            `model` and `layer`.
    """
    counts = (
        chosen.group_by("dataset", "model", "layer").len().sort("len", "layer", descending=True)
    )
    firsts = counts.unique("dataset", keep="first", maintain_order=True).sort("dataset")
    total = dict(chosen.group_by("dataset").len().iter_rows())
    said = [
        f"`{layer}` for {model} on {NAMES[dataset]} ({count} of {total[dataset]} networks)"
        for dataset, model, layer, count in firsts.iter_rows()
    ]
    return (
        "What a network's own validation labels choose is most often in "
        f"{', '.join(said[:-1])} and {said[-1]}; `*` are all layers together. On modular addition the rule and "
        "the wrong labels are in the same layer."
    )


def finding(found: pl.DataFrame, of_masc: pl.DataFrame, seeds: int) -> str:
    """Return the finding in four sentences."""
    rule = cell(found, ADDITION, 0.2)
    low, high = (cell(found, SHIFTED, rate) for rate in (0.2, 0.8))
    signals = found.filter(dataset=SIGNALS)
    images = of_masc.filter((pl.col("rate") < 1) & (pl.col("dataset") != ADDITION))
    return (
        f"On `core` with {seeds} seeds, a network that memorized sums with a fifth of the labels redrawn still "
        f"holds the rule: {percent(rule['decoded'])} % is read from it, {percent(rule['control'])} % by the "
        "best control. On shifted digits X, what is read beyond the best control, is "
        f"{interval(low)} points at rate 0.2 and {interval(high)} at rate 0.8. On MNIST-1D it is "
        f"{ends(signals['difference'])} points: {shown(signals)}. MASC, the published decoder, is "
        f"{ends(images['control'])} points from the best control on images and signals."
    )


def stricter(plain: pl.DataFrame, stacked: pl.DataFrame) -> str:
    """Say where an excess is left under two stricter conditions.

    Args:
        plain: Cells in which what is chosen without trajectories has more than every source.
        stacked: Cells in which `stacked` has more than itself on every source.
    """
    return (
        "Two stricter looks. `aum>lda-shrunk` uses the trajectory of a training, which is not in the network and which no "
        "control has: what is chosen without it is above each source alone, with its interval, for "
        f"{places(plain)}. And `stacked`, the decoder that reads the most, is above itself on each source for "
        f"{places(stacked)}."
    )
