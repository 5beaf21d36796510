from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memgen_bench import UsageError
from memgen_bench.data.splits import split_train, stratified_order, test_subset, train_sample
from memgen_bench.seeds import stream

LABELS = np.repeat(np.arange(10), [100, 50, 200, 100, 100, 100, 100, 100, 100, 50])


@given(seed=st.integers(0, 2**31), size=st.integers(10, 1000), fraction=st.floats(0, 0.9))
def test_parts_are_disjoint_and_as_large_as_asked(seed: int, size: int, fraction: float) -> None:
    split = split_train(LABELS, seed=seed, train_size=size, validation_fraction=fraction)
    assert len(split.validation) == round(size * fraction)
    assert len(split.train) + len(split.validation) == size
    assert not set(split.train) & set(split.validation)
    assert (np.diff(split.train) > 0).all()


@given(seed=st.integers(0, 2**31), size=st.integers(50, 1000))
def test_every_prefix_of_a_stratified_order_holds_classes_in_proportion(
    seed: int, size: int
) -> None:
    order = stratified_order(LABELS, stream(seed, "split"))
    assert sorted(order) == list(range(len(LABELS)))
    counts = np.bincount(LABELS[order[:size]], minlength=10)
    shares = np.bincount(LABELS) / len(LABELS)
    # Up to one place each class is off by one point, and the place that ends a prefix is off by
    # up to one point of every class.
    assert (np.abs(counts - shares * size) <= 1 + 10 * shares).all()


def test_the_seed_alone_decides_the_split() -> None:
    first, again, other = (
        split_train(LABELS, seed=seed, train_size=None, validation_fraction=0.1)
        for seed in (0, 0, 1)
    )
    assert (first.train == again.train).all()
    assert (first.validation == again.validation).all()
    assert (first.validation != other.validation).any()


def test_train_accuracy_is_taken_on_a_bounded_sample() -> None:
    sample = train_sample(np.arange(25_000) % 10, seed=0)
    assert len(set(sample)) == 1000
    assert (np.diff(sample) > 0).all()
    assert (train_sample(LABELS, seed=0) == np.arange(len(LABELS))).all()


@given(seed=st.integers(0, 2**31), size=st.integers(20, 1000), fraction=st.floats(0, 0.5))
def test_held_out_points_are_taken_from_the_training_points_alone(
    seed: int, size: int, fraction: float
) -> None:
    sizes: dict[str, Any] = {"seed": seed, "train_size": size, "validation_fraction": 0.25}
    without = split_train(LABELS, **sizes)
    split = split_train(LABELS, **sizes, held_out_fraction=fraction)
    assert len(without.held_out) == 0
    assert len(split.held_out) == round(size * fraction)
    assert (split.validation == without.validation).all()
    assert sorted([*split.train, *split.held_out]) == list(without.train)


def test_a_test_subset_is_stratified_nested_and_in_order() -> None:
    small, large = test_subset(LABELS, 100), test_subset(LABELS, 500)
    assert set(small) <= set(large)
    assert (np.diff(large) > 0).all()
    assert (np.bincount(LABELS[large]) == np.bincount(LABELS) / 2).all()
    assert (test_subset(LABELS, None) == np.arange(len(LABELS))).all()


def test_impossible_sizes_are_refused() -> None:
    with pytest.raises(UsageError, match="train_size 1001 is not between 1 and the 1000"):
        split_train(LABELS, seed=0, train_size=1001, validation_fraction=0)
    with pytest.raises(UsageError, match="leaves nothing to train on"):
        split_train(LABELS, seed=0, train_size=1, validation_fraction=0.9)
    with pytest.raises(UsageError, match=r"held_out_fraction 0.5 leave nothing to train on"):
        split_train(LABELS, seed=0, train_size=10, validation_fraction=0.5, held_out_fraction=0.5)
    with pytest.raises(UsageError, match="test_size 0"):
        test_subset(LABELS, 0)
