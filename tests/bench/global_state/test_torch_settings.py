"""Modes of torch are as they were, also where a plugin entered them and never left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch

from helpers.rude_deeds import ENDINGS, Deed, changes_of
from memgen_bench.global_state import preserved

if TYPE_CHECKING:
    from collections.abc import Iterator

_HELD: list[Any] = []


def enter(context: Any) -> None:
    """Enter a context and never leave it."""
    _HELD.append(context)
    context.__enter__()


DEEDS: dict[str, Deed] = {
    "device": (lambda: torch.set_default_device("meta"), torch.get_default_device),
    "device-entered": (lambda: enter(torch.device("meta")), lambda: torch.ones(1).device),
    "inference": (lambda: enter(torch.inference_mode()), torch.is_inference_mode_enabled),
    "autocast": (
        lambda: enter(torch.autocast("cpu", torch.bfloat16)),
        lambda: (torch.ones(2, 2) @ torch.ones(2, 2)).dtype,
    ),
}


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    yield
    _HELD.clear()


@pytest.mark.parametrize("name", DEEDS)
@pytest.mark.parametrize("ending", ENDINGS)
def test_modes_are_as_before(name: str, ending: str) -> None:
    assert changes_of(DEEDS[name], ending).restored


def test_in_an_autocast_that_was_left_open_weights_do_not_stay_as_they_were() -> None:
    weight = torch.ones(4, 4, requires_grad=True)

    def product() -> float:
        with torch.autocast("cpu", torch.bfloat16):
            return float((torch.ones(1, 4) @ weight).detach()[0, 0])

    assert product() == 4
    with preserved() as changes:
        enter(torch.autocast("cpu", torch.bfloat16))
        assert product() == 4
    assert changes.restored == ["torch.autocast on cpu"]
    with torch.no_grad():
        weight.fill_(2)
    assert product() == 8
    with torch.no_grad():
        weight.fill_(3)
    assert product() == 12
