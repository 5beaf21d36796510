"""Fill in the tables of "What memorized networks hold" and draw its figures, from results/core.

python leaderboard/evidence.py           # or --check: only say whether they are up to date
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from findings import sentences, tables
from findings.cells import CELL, CORE, both_fittings, held, live, of_decoder, scores
from findings.decoder_order import compared, order_found
from findings.drawings import DRAWN, draw
from findings.epochs import table_over_epochs, when
from findings.marks import checks, marks, stacked
from findings.purposes import purposes
from findings.wrong_labels import last_hidden, leak
from memgen_bench.results.store import read_frame
from memgen_leaderboard.tables.markdown import update

ROOT = Path(__file__).parents[1]
FILES = (
    ROOT / "README.md",
    *(ROOT / "docs" / "findings" / f"{name}.md" for name in ("index", "networks", "decoders")),
)
ANSWERS = {
    "finding": lambda: sentences.finding(
        held(), of_decoder(tables.MASC), scores().units["seed"].n_unique()
    ),
    "memorized": lambda: sentences.memorized(read_frame(CORE, "networks")),
    "answer-1": lambda: sentences.held(held()),
    "answer-2": lambda: sentences.masc(of_decoder(tables.MASC)),
    "answer-3": lambda: sentences.held_out(last_hidden(), leak(), both_fittings()),
    "answer-4": lambda: sentences.order(order_found(), len(compared())),
    "answer-5": lambda: sentences.depth(scores().chosen.join(live(), on=CELL, how="semi")),
}
PARTS = {
    **ANSWERS,
    "purposes": purposes,
    "checks": checks,
    "stacked": stacked,
    "marks": marks,
    "when": when,
    "epochs": table_over_epochs,
    "top": tables.top,
    "sources": tables.sources,
    "alone": tables.alone,
    "masc": tables.masc,
    "held-out": tables.held_out,
    "order": tables.order,
    "leak": tables.leaked,
    "chance": tables.chance,
}


def main() -> None:
    """Fill the parts in and draw the figures, or check them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say whether it is up to date")
    check = parser.parse_args().check
    fresh = {str(file.relative_to(ROOT)): update(file, PARTS, check=check) for file in FILES}
    fresh |= {f"figure {name}": draw(name, check=check) for name in DRAWN}
    for what, is_fresh in fresh.items():
        print(what, "is up to date" if is_fresh else "is stale" if check else "updated")
    sys.exit(check and not all(fresh.values()))


if __name__ == "__main__":
    main()
