"""Decoders chosen on noisy validation labels: by each network for itself, and by a board."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from memgen_leaderboard.scoring.decoder_choice import CHOSEN, chosen_units, first_on_validation

if TYPE_CHECKING:
    from helpers.readings import Bench


def test_each_network_chooses_for_itself_and_without_the_test_set(bench: Bench) -> None:
    for seed, merits in enumerate(((0.4, 0.6), (0.7, 0.5))):
        for decoder, merit in zip(("a", "b"), merits, strict=True):
            bench.decode({"fc1": (merit, 1 - merit), "fc2": (0.1, 0.9)}, decoder=decoder, seed=seed)
    found = chosen_units(bench.units())
    assert found.select("decoder", "chosen", "layer", "decoded").rows() == [
        (CHOSEN, "b", "fc1", pytest.approx(0.4)),
        (CHOSEN, "a", "fc1", pytest.approx(0.3)),
    ]
    assert found["oracle"].null_count() == found["seconds"].null_count() == 2


def test_ties_go_to_the_first_in_the_alphabet(bench: Bench) -> None:
    for decoder in ("b", "a", "c"):
        bench.decode({"fc1": (0.5, 0.5)}, decoder=decoder)
    assert chosen_units(bench.units())["chosen"].to_list() == ["a"]
    assert first_on_validation(bench.units()) == "a"


@pytest.mark.parametrize(
    "privilege",
    [
        {"decoder": "told", "told_noise": True},
        {"decoder": "saw", "saw_test": True},
        {"decoder": "early-stopped"},
        {"decoder": "best-epoch"},
    ],
)
def test_who_has_a_privilege_is_not_chosen(privilege: dict[str, object], bench: Bench) -> None:
    bench.decode({"fc1": (0.5, 0.5)}).decode({"fc1": (0.9, 0.9)}, **privilege)
    assert chosen_units(bench.units())["chosen"].to_list() == ["masc"]
    assert first_on_validation(bench.units()) == "masc"


def test_without_validation_points_nothing_is_chosen(bench: Bench) -> None:
    bench.decode({"fc1": (None, 0.5)})
    assert chosen_units(bench.units()).is_empty()
    assert first_on_validation(bench.units()) is None


def test_the_first_on_validation_was_read_from_all_networks(bench: Bench) -> None:
    for seed in range(2):
        bench.decode({"fc1": (0.5, 0.5)}, seed=seed)
        bench.decode({"fc1": (0.6 - 0.3 * seed, 0.5)}, seed=seed, decoder="worse")
    bench.decode({"fc1": (0.9, 0.9)}, decoder="rare")
    assert first_on_validation(bench.units()) == "masc"
