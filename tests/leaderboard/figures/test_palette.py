"""The styles of decoders: told apart where they are drawn together, and the same everywhere."""

from __future__ import annotations

from memgen_leaderboard.figures.palette import COLOURS, MARKS, styles

MANY = [f"decoder-{place}" for place in range(len(COLOURS) * len(MARKS))]


def test_many_decoders_look_different() -> None:
    found = styles(MANY).values()
    assert len({(style.colour, style.marker) for style in found}) == len(MANY)


def test_decoders_that_are_drawn_together_share_no_colour_and_no_mark() -> None:
    one, other = MANY[:6], [MANY[0], *MANY[20:25]]
    found = styles(MANY, one, other)
    for group in (one, other):
        assert len({found[name].colour for name in group}) == len(group)
        assert len({found[name].marker for name in group}) == len(group)


def test_a_decoder_looks_the_same_whatever_the_order_and_the_place_on_the_board() -> None:
    shown = ["masc", "ncm", "fisher-ncm", "ridge-tuned", "rda-50", "ensemble-lda"]
    found = styles([*shown, *MANY[:30]], shown)
    assert found == styles([*MANY[:30], *reversed(shown)], list(reversed(shown)))
    assert list(found) == [*shown, *MANY[:30]]
    assert found["masc"] == styles(["ncm", "masc"], ["ncm", "masc"])["masc"]
