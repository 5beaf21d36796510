"""The global state is as it was after calls of plugins, and whoever is outside is told."""

from __future__ import annotations

import random
import threading
import warnings
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from helpers.rude_deeds import ENDINGS, Deed, changes_of, lasting_after
from memgen_bench import DecoderSpec, compose, load_registry
from memgen_bench.global_state import is_checked, preserved
from memgen_bench.testing.planted import DecoderBench
from memgen_plugins.decoders.layer.centroid import CosineCentroid

if TYPE_CHECKING:
    from pathlib import Path

WARNINGS: Deed = (warnings.resetwarnings, lambda: len(warnings.filters))


@pytest.mark.parametrize("ending", ENDINGS)
def test_filters_of_warnings_are_as_before_without_a_word(ending: str) -> None:
    assert changes_of(WARNINGS, ending).restored == []


def test_nothing_is_reported_where_nothing_was_changed() -> None:
    with preserved():
        pass
    with preserved() as changes:
        torch.ones(3).argmax()
        np.random.default_rng().random()
        random.random()
    assert (changes.restored, changes.lasting) == ([], [])


def test_who_is_outside_is_told_what_was_changed_within() -> None:
    with preserved() as outer:
        with preserved() as inner:
            np.seterr(all="raise")
        assert np.geterr()["divide"] == "warn"
    assert inner.restored == outer.restored == ["numpy.seterr"]


def test_no_change_is_named_where_a_module_was_imported(tmp_path: Path) -> None:
    assert lasting_after("import torch; torch.set_grad_enabled(True)", tmp_path) == ""


def test_functions_can_be_wrapped() -> None:
    @preserved()
    def rude(value: int) -> int:
        threading.excepthook = None  # type: ignore[assignment]
        return value + 1

    before = threading.excepthook
    assert rude(1) == 2
    assert threading.excepthook is before


def test_only_what_ships_and_is_checked_need_not_be_watched() -> None:
    class Stranger(CosineCentroid):
        pass

    assert is_checked(CosineCentroid)
    assert is_checked(partial(CosineCentroid, "plain", weight=1.0))
    assert not is_checked(Stranger)
    assert not is_checked(lambda: CosineCentroid())
    assert not is_checked(partial(CosineCentroid, Stranger()))
    ncm = DecoderSpec(name="ncm", summary="", build=CosineCentroid)
    stranger = DecoderSpec(name="stranger", summary="", build=Stranger)
    assert is_checked(compose("ncm>ncm", [ncm, ncm]).build)
    assert not is_checked(compose("ncm>stranger", [ncm, stranger]).build)
    assert not is_checked(compose("stranger>ncm", [stranger, ncm]).build)


def test_all_decoders_that_ship_leave_the_process_alone() -> None:
    for name, spec in load_registry().decoders.items():
        if is_checked(spec.build) and spec.scope == "layer" and not spec.slow:
            decoder = DecoderBench(spec)
            decoder.exercise()  # what is imported for the first time may change settings
            with preserved() as changes:
                decoder.exercise()
            assert (changes.restored, changes.lasting) == ([], []), name
