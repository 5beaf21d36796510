"""Which decoder for which purpose: sentences, their numbers and their names from the results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from findings.cells import CELL, both_fittings, held, live, scores
from findings.marks import AUTO, STACKED, by, more, singles
from findings.sentences import ADDITION, NAMES, above, ends, places
from memgen_leaderboard.text import percent, points

if TYPE_CHECKING:
    from collections.abc import Sequence

DEVELOPMENT = Path(__file__).parents[1] / "studies" / "development" / "trajectories.csv"
MASC, LDA, NCM, EARLY = "masc", "lda-shrunk", "ncm", "early-stopped"
CELL_OF_DEVELOPMENT = ("dataset", "rate", "seed")
LOW, HIGH = 0.2, 0.8  # the rates at which few labels are wrong, and most


def units() -> pl.DataFrame:
    """Return the readings of memorized networks in cells above chance, each at its chosen layer."""
    return scores().units.join(live(), on=CELL, how="semi")


def chosen() -> pl.DataFrame:
    """Return likewise what each network's own validation labels choose."""
    return scores().chosen.join(live(), on=CELL, how="semi")


def means(by: Sequence[str] = ()) -> pl.DataFrame:
    """Return the mean accuracy of each single decoder over cells, the highest first, by `by`."""
    of_cells = singles().group_by(*CELL, "decoder").agg(pl.col("decoded", "seconds").mean())
    each = of_cells.group_by(*by, "decoder").agg(pl.col("decoded", "seconds").mean())
    return each.sort(*by, pl.col("decoded"), descending=[*(False for _ in by), True])


def of(decoder: str, **where: object) -> pl.DataFrame:
    """Return the readings of one decoder, in the cells that are asked for."""
    return units().filter(decoder=decoder, **where)


def behind(decoder: str, other: str) -> tuple[int, int]:
    """Return in how many cells a decoder has less than another, and in how many both were read."""
    cells = units().group_by(*CELL, "decoder").agg(pl.col("decoded").mean())
    both = cells.filter(decoder=decoder).join(cells.filter(decoder=other), on=CELL)
    return both.filter(pl.col("decoded") < pl.col("decoded_right")).height, both.height


def one_network() -> str:
    """Say what to take for one network."""
    best = means(CELL).unique(CELL, keep="first", maintain_order=True)["decoded"].to_numpy()
    own = chosen().group_by(CELL).agg(pl.col("decoded").mean())["decoded"].to_numpy()
    first = means()["decoder"][0]
    return (
        "**One network, and no decoder in mind.** Take the decoder and layer that are best on its own noisy "
        f"validation labels. Over the {live().height} cells above chance that reads {percent(float(own.mean()))} % on "
        f"average, where the best decoder of each cell, known in hindsight, has {percent(float(best.mean()))}, and is "
        f"{more(chosen(), of(first))} points from `{first}` alone."
    )


def one_answer() -> str:
    """Say what is gained by decoders that choose among others, or add them up."""
    best = means()["decoder"][0]
    auto, stacked = (more(by(name), of(best)) for name in (AUTO, STACKED))
    return (
        f"**One answer, and no board to read.** `{STACKED}` adds up six decoders of all layers: it is {stacked} points "
        f"from `{best}`, the single decoder that has the highest mean in hindsight, on controls as well as on networks. "
        f"`{AUTO}`, which chooses one of the six and its layer, is {auto} points from it."
    )


def one_decoder() -> str:
    """Say which decoder to take where only one may be tried."""
    found = means()
    first, second = found["decoder"][:2]
    return (
        f"**One decoder for all data.** `{first}` has the highest mean, {percent(found['decoded'][0])} %; "
        f"it is {more(of(first), of(second))} points from the next, `{second}`."
    )


def each_data_set() -> str:
    """Say which decoder is first on each data set."""
    said = []
    for dataset, name in NAMES.items():
        first, second = means(["dataset"]).filter(dataset=dataset)["decoder"][:2]
        ahead = more(of(first, dataset=dataset), of(second, dataset=dataset))
        said.append(f"`{first}` on {name} ({ahead} points on `{second}`)")
    return (
        f"**Data like one of these.** Highest over the rates above chance are "
        f"{', '.join(said)}. Compare on your own data: the order is another on each."
    )


def most_labels_wrong() -> str:
    """Say which decoder is first where most labels are wrong."""
    found = means(["dataset", "rate"]).filter(rate=HIGH)
    firsts = found.unique("dataset", keep="first", maintain_order=True)
    lead = held().join(live(), on=CELL, how="semi").filter(rate=HIGH)
    said = [
        f"`{row['decoder']}` on {NAMES[row['dataset']]} ({percent(row['decoded'])} %)"
        for row in firsts.iter_rows(named=True)
    ]
    return (
        f"**Most labels wrong.** At rate {HIGH:g} the first are {', '.join(said)}; and there what is chosen is "
        f"{ends(lead['difference'])} points from the best control."
    )


def rule() -> str:
    """Say what reads a rule that is in the weights."""
    found = means(["dataset", "rate"]).filter(dataset=ADDITION, rate=LOW)
    first = found["decoder"][0]
    classes = found.filter(decoder=NCM)
    return (
        f"**A rule instead of pictures.** On modular addition at rate {LOW:g} `{first}` reads "
        f"{percent(found['decoded'][0])} %, `{NCM}` {percent(classes['decoded'][0])} %: where a class is no "
        "cloud of points, take a linear classifier that is fitted to labels, and no distance to a mean."
    )


def published() -> str:
    """Say what MASC is good for."""
    less, cells = behind(MASC, LDA)
    seconds = dict(means().select("decoder", "seconds").iter_rows())
    return (
        f"**To compare with the paper.** `{MASC}`, at the layer that validation chooses. `{LDA}` is ahead of it "
        f"in {less} of {cells} cells, by {more(of(LDA), of(MASC))} points on average, in "
        f"{percent(seconds[LDA] / seconds[MASC])} % of its time."
    )


def cheap() -> str:
    """Say what costs the least."""
    found = means()
    first = found["decoder"][0]
    seconds = dict(found.select("decoder", "seconds").iter_rows())
    return (
        f"**Thousands of networks.** `{NCM}` takes {percent(seconds[NCM] / seconds[first])} % of the time of "
        f"`{first}`, and gives up {more(of(first), of(NCM))} points."
    )


def all_layers() -> str:
    """Say what is gained by reading all layers."""
    return (
        f"**No layer in mind.** `ensemble-lda` adds up what `{LDA}` says of all layers: "
        f"{more(of('ensemble-lda'), of(LDA))} points beyond the one layer that validation chooses."
    )


def points_to_fit() -> str:
    """Say which points to fit on."""
    both = both_fittings()
    ahead = both.filter(pl.col("decoded") > pl.col("trained")).height
    held_out = scores("held_out").chosen.join(live(), on=CELL, how="semi")
    return (
        "**Points that the network never saw.** Do not keep a tenth of them back to fit decoders on: what is "
        f"chosen among decoders fitted on held-out points is ahead in {ahead} of {both.height} cells, and "
        f"{more(held_out, chosen())} points on average from those fitted on training points, of which there "
        "are 7.5 times as many."
    )


def early() -> str:
    """Say what stopping early gives."""
    return (
        f"**A network that can be trained again.** Stop it early on the same noisy labels first: "
        f"`{EARLY}` costs no decoder, and what is chosen is {more(chosen(), of(EARLY))} points from it. "
        f"`{MASC}` is {more(of(MASC), of(EARLY))} points from it."
    )


def claims() -> str:
    """Say what a claim needs."""
    return (
        "**To say that the network held it.** Run all controls. X is above 0 with its interval for "
        f"{places(above(held()))} alone; elsewhere no more is shown than the same labels and pixels, patches, "
        "an untrained network or one of random labels give."
    )


def trajectories() -> str:
    """Say what is gained where the training was watched."""
    rows = pl.read_csv(DEVELOPMENT)
    own = pl.col("source") == "memorized"
    gain, both = (gained(rows.filter(own), name) for name in (f"aum>{LDA}", f"{LDA}@both"))
    control = gained(rows.filter(~own), f"aum>{LDA}")
    return (
        f"**A training that you watch.** Select points by their margins: `aum>{LDA}` is "
        f"{more(of(f'aum>{LDA}'), of(LDA))} points from `{LDA}`. On two development seeds, where the same selection "
        f"was read on pixels or patches, too, it is {points(gain)} and there {points(control)}; `{LDA}@both`, which "
        f"is fitted on held-out points, too, is {points(both)}. Two seeds show an order and no significance."
    )


def gained(rows: pl.DataFrame, decoder: str) -> float:
    """Return how much more a decoder reads than `lda-shrunk`, of each network's best source.

    Args:
        rows: Readings of the development table; noisy validation labels choose among sources.
        decoder: The decoder.
    """
    order = rows.sort("validation", descending=True, nulls_last=True)
    best = order.unique([*CELL_OF_DEVELOPMENT, "decoder"], keep="first", maintain_order=True)
    each = dict(best.group_by("decoder").agg(pl.col("test_accuracy").mean()).iter_rows())
    return float(each[decoder] - each[LDA])


SENTENCES = (
    *(
        one_network,
        one_answer,
        one_decoder,
        each_data_set,
        most_labels_wrong,
        rule,
        published,
        cheap,
    ),
    *(all_layers, points_to_fit, early, claims, trajectories),
)


def purposes() -> str:
    """Return a sentence for each purpose, as a list in Markdown."""
    return "\n".join(f"- {sentence()}" for sentence in SENTENCES)
