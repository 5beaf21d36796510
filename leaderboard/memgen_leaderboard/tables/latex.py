"""Tables for a paper: LaTeX with booktabs rules, and with plugins' texts escaped."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from memgen_leaderboard.text import WORDS

if TYPE_CHECKING:
    from memgen_leaderboard.text import Table

_NEGATIVE = re.compile(r"(?<!\S)-(?=\d)")
_SPECIAL = str.maketrans(
    {character: f"\\{character}" for character in "&%$#_{}"}
    | {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        '"': r"\char34{}",
        "`": r"\textasciigrave{}",
        "-": r"{-}",  # so that two of them make no dash
        "–": r"\textendash{}",
        "\N{MINUS SIGN}": "$-$",
        "±": r"$\pm$",
        "×": r"$\times$",
        "≥": r"$\geq$",
        "²": r"$^2$",
        "ρ": r"$\rho$",
        "Σ": r"$\Sigma$",
        "σ": r"$\sigma$",
        "χ": r"$\chi$",
    }
)


def escape(text: str) -> str:
    """Return LaTeX that shows a text as it is: no command, comment or formula."""
    return _NEGATIVE.sub("\N{MINUS SIGN}", text).translate(_SPECIAL)


def booktabs(table: Table) -> str:
    """Return a `table` environment; it needs the package booktabs."""

    def line(cells: tuple[str, ...]) -> str:
        return " & ".join(map(escape, cells)) + r" \\"

    columns = "".join("l" if column in WORDS else "r" for column in table.columns)
    notes = " ".join(map(escape, table.notes))
    lines = [
        r"\begin{table}",
        rf"\caption{{{escape(table.title)}}}",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        line(table.columns),
        r"\midrule",
        *map(line, table.rows),
        r"\bottomrule",
        r"\end{tabular}",
        *([rf"\par\footnotesize {notes}"] if notes else []),
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"
