"""Numbers and tables as text."""

from __future__ import annotations

from memgen_leaderboard import text


def test_what_cannot_be_printed_is_replaced() -> None:
    found = text.table("a\x1b[31m", ("decoder",), [("line\nbreak",)], ["\u202e"])
    assert found == text.Table("a\ufffd[31m", ("decoder",), (("line\ufffdbreak",),), ("\ufffd",))


def test_numbers_are_shown_as_shares_and_points() -> None:
    assert (text.percent(0.1234), text.percent(0.5, 0.0123)) == ("12.3", "50.0 ± 1.2")
    assert (text.points(0.1234), text.points(-0.5, 0.01)) == ("+12.3", "-50.0 ± 1.0")
    assert text.spread(0.75, 0.7, 0.8) == "75.0 (70.0–80.0)"
    assert text.spread(0.75, None, None) == "75.0"
    assert text.percent(None) == text.points(None, 0.1) == "–"
