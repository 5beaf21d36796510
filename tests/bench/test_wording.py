"""Numbers with their nouns."""

from __future__ import annotations

import pytest

from memgen_bench.wording import counted


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 networks"), (1, "1 network"), (1200, "1,200 networks")]
)
def test_a_noun_is_in_the_singular_for_one_alone(number: int, said: str) -> None:
    assert counted(number, "network") == said
