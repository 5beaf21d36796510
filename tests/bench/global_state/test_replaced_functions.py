"""Functions that a plugin replaced or removed are back in their places."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from helpers.rude_deeds import ENDINGS, Deed, changes_of
from memgen_bench.decode import decoding
from memgen_plugins.decoders.layer.centroid import CosineCentroid

if TYPE_CHECKING:
    from collections.abc import Callable


def tell_tale(name: str) -> Callable[..., str]:
    return lambda *args, **kwargs: name


DEEDS: dict[str, Deed] = {
    "numpy": (lambda: setattr(np, "unique", tell_tale("x")), lambda: np.unique),
    "torch": (
        lambda: setattr(torch.Tensor, "argmax", tell_tale("x")),
        lambda: torch.Tensor.argmax,
    ),
    "builtin-removed": (
        lambda: delattr(builtins, "breakpoint"),
        lambda: hasattr(builtins, "breakpoint"),
    ),
    "ours": (lambda: setattr(decoding, "CHANGED", "nothing"), lambda: decoding.CHANGED),
    "shipped": (
        lambda: setattr(CosineCentroid, "predict", tell_tale("x")),
        lambda: CosineCentroid.predict,
    ),
}


@pytest.mark.parametrize("name", DEEDS)
@pytest.mark.parametrize("ending", ENDINGS)
def test_functions_are_as_before(name: str, ending: str) -> None:
    assert changes_of(DEEDS[name], ending).restored
