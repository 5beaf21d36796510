from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from memgen_bench import UsageError, load_registry

DATASETS = load_registry().datasets
NOWHERE = Path("no-data-root-is-needed")


@pytest.mark.parametrize(("name", "p"), [("modular-addition", 53), ("modular-addition/7", 7)])
def test_every_pair_is_in_one_part_with_its_sum(name: str, p: int) -> None:
    data = DATASETS[name].load(NOWHERE)
    images = np.concatenate([data.train_x, data.test_x])
    labels = np.concatenate([data.train_y, data.test_y])
    assert images.shape == (p * p, 1, 2, p)
    assert images.dtype == np.float32
    assert set(np.unique(images)) == {0, 1}
    assert (images.sum(axis=3) == 1).all()
    a, b = images[:, 0].argmax(axis=2).T
    assert len({*zip(a, b, strict=True)}) == p * p
    assert (labels == (a + b) % p).all()
    assert len(data.train_y) == round(0.9 * p * p)
    assert set(data.train_y) == set(range(p))


def test_the_parts_are_the_same_for_ever() -> None:
    data = DATASETS["modular-addition"].load(NOWHERE)
    assert data.test_y[:8].tolist() == [4, 45, 15, 46, 18, 0, 22, 43]
    assert np.array_equal(data.test_x, DATASETS["modular-addition/53"].load(NOWHERE).test_x)


@pytest.mark.parametrize("p", ["4", "200", "x", "", "-7", "7.0"])
def test_other_moduli_are_refused(p: str) -> None:
    with pytest.raises(UsageError, match=f"there is no dataset 'modular-addition/{p}'"):
        DATASETS.find(f"modular-addition/{p}")
