"""The leaderboard as one HTML file that works offline: the template and its contents."""

from __future__ import annotations

import base64
import hashlib
from functools import partial
from importlib.metadata import version
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from memgen_bench.errors import UsageError
from memgen_bench.files.atomic import write_atomically
from memgen_bench.wording import counted
from memgen_leaderboard.page.contents import (
    HEAD,
    environments,
    filters,
    pack,
    page_styles,
    readings_frame,
    suite_data,
)
from memgen_leaderboard.page.overview import WIDTH, finding, overview, place, scale
from memgen_leaderboard.tables.notes import in_short
from memgen_leaderboard.tables.report import NO_MEAN_RANKS, suite_tables
from memgen_leaderboard.text import WORDS

try:
    import jinja2
    import vl_convert
    from markupsafe import Markup
except ImportError as error:
    raise UsageError('pages need vl-convert: pip install "memgen-bench[page]"') from error

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from memgen_leaderboard.figures.palette import Style
    from memgen_leaderboard.scoring.suite_scores import Scores
    from memgen_leaderboard.text import Table

# Joined in this order they make one script.
SCRIPTS = (
    *("state", "blobs", "table", "drawn", "board", "charts", "figures", "decoders", "networks"),
    *("readings", "page"),
)


def write_page(found: Sequence[Scores], folder: Path) -> Path:
    """Write `index.html`, which shows suites and views of them, and return its path.

    Args:
        found: The views, those of one suite one after another; the first of each is shown first.
        folder: The folder to write to; created if it does not exist.

    Raises:
        WriteError: The file cannot be written.
    """
    text = page(found)
    path = folder / "index.html"
    write_atomically(path, text.encode())
    return path


def page(found: Sequence[Scores]) -> str:
    """Return the page as HTML; texts are escaped, and only its own scripts may run."""
    folder = files(__package__) / "files"
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    table = partial(_table, environment.from_string((folder / "table.html").read_text()))
    own = "\n".join((folder / f"{name}.js").read_text() for name in SCRIPTS)
    scripts = [vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"), own]
    suites: dict[tuple[str, str], list[Scores]] = {}
    for scores in found:
        suites.setdefault((str(scores.folder), scores.title), []).append(scores)
    looks = page_styles([views[0] for views in suites.values()])
    return environment.from_string((folder / "page.html").read_text()).render(
        css=Markup((folder / "page.css").read_text()),
        hashes=Markup(" ".join(map(_hash, scripts))),
        scripts=list(map(Markup, scripts)),
        suites=[_suite(views, looks) for views in suites.values()],
        table=table,
        place=place,
        width=WIDTH,
        version=version("memgen-bench"),
    )


def _table(template: jinja2.Template, shown: Table) -> Markup:
    head = shown.columns.index(HEAD) if HEAD in shown.columns else -1
    return Markup(template.render(table=shown, words=WORDS, head=head))


def _hash(script: str) -> str:
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _suite(views: Sequence[Scores], looks: Mapping[str, Style]) -> dict[str, Any]:
    """Return the variables of the template for one suite: texts, tables, and packed data."""
    first = views[0]
    tables = suite_tables(first)
    data, readings, pairs = suite_data(views, looks), readings_frame(first), overview(first)
    return {
        "title": first.title,
        "answer": in_short(first),
        "finding": finding(pairs),
        "pairs": pairs,
        "scale": scale(pairs),
        "board": tables[0],
        "tables": tables[1:],
        "filters": filters(data["boards"]),
        "figures": data["figures"],
        "absent": [] if first.critical_difference else [NO_MEAN_RANKS],
        "readings": counted(readings.height, "reading"),
        "blobs": pack(data, readings),
        "made": _origin(first),
    }


def _origin(scores: Scores) -> str:
    """Return a sentence on the origin of the numbers: protocol, days, software, machines."""
    days = sorted({f"{day}" for day in scores.readings["created"].dt.date()})
    return (
        f"{scores.title}: protocol {scores.readings['protocol_version'].max()!r}; run "
        f"{' to '.join(dict.fromkeys([days[0], days[-1]]))}; "
        f"{'; or '.join(environments(scores.networks))}."
    )
