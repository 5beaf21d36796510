"""The data card of published results: findings, tables, licence and sources."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

import yaml

from memgen_bench.plugin.registry import load_registry
from memgen_leaderboard.page.overview import finding, overview

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from memgen_leaderboard.scoring.suite_scores import Scores

_ASKED = (("dataset", "dataset"), ("model", "model"), ("decoder", "decoder"))  # column, catalogue


def data_card(found: Sequence[Scores], files: Mapping[str, str], licence: str) -> str:
    """Return a README with the header that data hubs read.

    Args:
        found: The scores of each suite.
        files: The Parquet file of each table, by a name for it.
        licence: The licence of the data, as SPDX names it.
    """
    header = {
        "pretty_name": "Generalization in memorized networks",
        "license": licence.lower(),
        "tags": ["memorization", "label-noise", "deep-learning", "benchmark"],
        "configs": [{"config_name": name, "data_files": path} for name, path in files.items()],
    }
    lines = [
        "---",
        yaml.safe_dump(header, sort_keys=False, allow_unicode=True).rstrip(),
        "---",
        "",
        "# Generalization in memorized networks",
        "",
        "Readings of decoders on networks that memorized shuffled labels, and on their controls, "
        f"made by memgen-bench {version('memgen-bench')}. `index.html` shows them.",
        "",
        "## Findings",
        "",
        *(f"- **{scores.title}**: {finding(overview(scores))}" for scores in found),
        "",
        "## Tables",
        "",
        "A row of `readings` is a decoder on a layer of a network under one draw of labels; a row "
        "of `networks` is a network with its certificate and training curves, joined by "
        "`network_id`. Only rows with `status` = `ok` hold numbers. Columns: see the page on the "
        "results format in the documentation of memgen-bench.",
        "",
        *(f"- `{path}`: {name}" for name, path in files.items()),
        "",
        "## Licence and citation",
        "",
        f"The data are under {licence}. Cite memgen-bench by its CITATION.cff, and the sources of "
        "what was run:",
        "",
        *(f"- {line}" for line in _sources(found)),
    ]
    return "\n".join(lines) + "\n"


def _sources(found: Iterable[Scores]) -> list[str]:
    """Return the sources of the data sets, models and decoders, each with the names it is of."""
    registry, named = load_registry(), dict[str, list[str]]()
    for scores in found:
        for column, noun in _ASKED:
            specs = registry.catalogue(noun)
            for name in scores.readings[column].drop_nulls().unique().cast(str).sort():
                known = specs[name].citation if name in set(specs) else ""
                if known:
                    named.setdefault(known, []).append(name)
    return [f"{', '.join(dict.fromkeys(names))}: {source}" for source, names in named.items()]
