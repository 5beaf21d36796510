"""Tables in LaTeX: rules of booktabs, and no command from a stranger."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from memgen_leaderboard.tables.latex import booktabs, escape
from memgen_leaderboard.text import table

SPECIAL = set("\\{}$&#^_~%")


def test_a_table_has_the_rules_of_booktabs() -> None:
    found = booktabs(table("a & b", ("decoder", "recovery"), [("x_y", "1.0 ± 2.0")], ["50 %."]))
    assert found.splitlines() == [
        r"\begin{table}",
        r"\caption{a \& b}",
        r"\begin{tabular}{lr}",
        r"\toprule",
        r"decoder & recovery \\",
        r"\midrule",
        r"x\_y & 1.0 $\pm$ 2.0 \\",
        r"\bottomrule",
        r"\end{tabular}",
        r"\par\footnotesize 50 \%.",
        r"\end{table}",
    ]


def test_a_minus_is_one_and_a_hyphen_stays() -> None:
    assert escape("-0.9 ± 1.2") == r"$-$0.9 $\pm$ 1.2"
    assert escape("knn-5") == "knn{-}5"


@given(st.text(alphabet=st.characters(codec="ascii", exclude_categories=["Cc"])))
def test_no_text_is_a_command(text: str) -> None:
    known = re.sub(r"\\(text\w+|char34)\{\}|\\[&%$#_{}]|\{-\}|\$-\$", "", escape(text))
    assert not SPECIAL & set(known)
