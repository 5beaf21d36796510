"""Reading a network: the same numbers whoever else reads, or writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from helpers.reading_lab import SUITE, Counted, Lab, of, plain, same
from memgen_bench.decode.decoding import CHANGED
from memgen_bench.decode.neighbors import FOUND, Neighbors

if TYPE_CHECKING:
    import torch

    from memgen_bench.decode.decoding import Outcome

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("alone", SUITE.decoders)
def test_who_else_is_in_the_run_changes_nothing(
    lab: Lab, expected: dict[str, Outcome], alone: str
) -> None:
    same(lab.read([alone]), of(expected, alone, None))


@pytest.mark.parametrize("writer", ["writes", "writes-late"])
@pytest.mark.parametrize("place", [0, 3])
def test_a_decoder_that_writes_fails_and_no_other_notices(
    lab: Lab, expected: dict[str, Outcome], writer: str, place: int, counted: Counted
) -> None:
    found = lab.read([*SUITE.decoders[:place], writer, *SUITE.decoders[place:]])
    written = of(found, writer)
    assert len(written) == 3 * 3
    assert {plain(each) for each in written.values()} == {("failed", "error", CHANGED)}
    assert counted.passes == 1 + len(written)  # the activations are read again
    same(of(found, *SUITE.decoders, None), expected)


def test_an_array_cannot_be_written_to_and_is_not_read_again(
    lab: Lab, expected: dict[str, Outcome], counted: Counted
) -> None:
    found = lab.read(["writes-arrays", *SUITE.decoders])
    written = of(found, "writes-arrays")
    assert {each.status for each in written.values()} == {"failed"}
    assert all(CHANGED in str(each.message) for each in written.values())
    assert counted.passes == 1
    same(of(found, *SUITE.decoders, None), expected)


def test_a_decoder_of_all_layers_that_writes_fails_alone(
    lab: Lab, expected: dict[str, Outcome]
) -> None:
    found = lab.read(["writes-all", "whole"])
    written = of(found, "writes-all")
    assert {plain(each) for each in written.values()} == {("failed", "error", CHANGED)}
    same(of(found, "whole", None), of(expected, "whole", None))


def test_activations_that_are_not_finite_fail_and_say_so(lab: Lab, form: str) -> None:
    found = lab.read(SUITE.decoders, model="blind")
    for name, outcome in found.items():
        if name.startswith(("nowhere ", "* ")):  # the layer itself, and all layers at once
            assert plain(outcome) == ("failed", "nan", "activations are not finite")
        else:
            assert outcome.status == "ok", (name, outcome.message)


@pytest.mark.parametrize(
    ("names", "sizes"),
    [
        (["knn-5", "knn-50"], [120, 40, 60]),  # of the sample, validation and test points
        (["knn-filter-lda"], [120]),  # of the training points among themselves
        (["knn-50", "knn-filter-lda", "spreading", "knn-50>lda"], [120, 120, 40, 60]),
    ],
)
def test_neighbours_are_searched_once_for_all_decoders_and_draws(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, names: list[str], sizes: list[int]
) -> None:
    counts: list[tuple[int, int]] = []
    search = Neighbors._search

    def counted(self: Neighbors, X: torch.Tensor, k: int) -> torch.Tensor:
        counts.append((len(X), k))
        return search(self, X, k)

    monkeypatch.setattr(Neighbors, "_search", counted)
    lab.read(names)
    assert sorted(counts) == sorted(3 * [(size, FOUND) for size in sizes])  # once a layer
