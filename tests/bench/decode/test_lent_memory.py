"""What decoders are lent: whoever writes to it, in whatever way, is found, and only he fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from helpers.reading_lab import Lab, of, plain, same
from helpers.rude_decoders import WRITERS
from memgen_bench import load_registry
from memgen_bench.decode.decoding import CHANGED
from memgen_bench.decode.lent_memory import LentMemory

if TYPE_CHECKING:
    from pathlib import Path

    from memgen_bench.decode.decoding import Outcome

pytestmark = pytest.mark.usefixtures("one_thread")
POLITE = ("masc", "lda", "knn-5", "on-arrays")


@given(
    arrays(np.uint8, st.integers(1, 300)),
    st.lists(st.tuples(st.integers(0, 299), st.integers(0, 255)), max_size=4),
)
@settings(deadline=None)
def test_a_change_of_any_bytes_is_seen_and_nothing_else(
    content: np.ndarray[Any, Any], writes: list[tuple[int, int]]
) -> None:
    before = content.copy()
    lent = LentMemory()
    lent.lend([torch.from_numpy(content)])
    lent.watch()
    lent.lend(np.arange(3))
    for place, value in writes:
        content[place % len(content)] = value
    assert lent.changed() == (content != before).any()
    lent.lend([torch.from_numpy(content)])
    assert LentMemory().changed() is False


def test_what_was_lent_before_is_not_forgotten_when_it_is_lent_again() -> None:
    matrix, lent = np.ones((4, 3))[:, ::2], LentMemory()
    lent.watch()
    lent.lend(matrix)
    matrix[0] = 2
    lent.lend(matrix)
    assert lent.changed()


@pytest.fixture(scope="module")
def rude(plugin: Path, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    path = tmp_path_factory.mktemp("rude") / "writers.py"
    path.write_text(WRITERS)
    return Lab(plugin, (path,))


def writers(lab: Lab) -> list[str]:
    registry = load_registry(lab.more)
    return [n for n in registry.decoders if registry.decoders.plugin(n).file == str(lab.more[0])]


def test_all_ways_of_writing_fail_and_no_other_decoder_notices(rude: Lab, form: str) -> None:
    names = writers(rude)
    assert len(names) > 20
    alone = rude.read(POLITE)
    order = [each for k, decoder in enumerate(POLITE) for each in (*names[k::4], decoder)]
    mixed = rude.read(order)
    same(of(mixed, *POLITE, None), of(alone, *POLITE, None))
    written: dict[str, Outcome] = of(mixed, *names)
    assert len(written) == len(names) * 3 * 3
    wrong = {n: plain(each) for n, each in written.items() if plain(each)[2] != CHANGED}
    assert not wrong
