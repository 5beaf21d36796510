"""Addition modulo p, a rule that neither pixels nor random features show."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from memgen_bench import Data, DatasetSpec, Family, hookimpl

if TYPE_CHECKING:
    from pathlib import Path

_PREFIX = "modular-addition/"
_FEATURED = 53
_RANGE = range(5, 200)  # below, a class may lack training pairs; above, images take gigabytes
_TRAIN_SHARE = 0.9
_SEED = 20231019  # part of the data set: another seed makes another version


def load_sums(data_dir: Path, *, p: int) -> Data:
    """Return all sums a + b as 1×2×p images of two one-hot rows, labelled (a + b) mod p.

    A fixed random 90 % of the p² sums are training images, the others test images.
    """
    a, b = np.divmod(np.arange(p * p), p)
    images = np.eye(p, dtype=np.float32)[np.stack([a, b], axis=1)][:, None]
    labels = (a + b) % p
    order = np.argsort(np.random.default_rng(_SEED).random(p * p), kind="stable")
    train, test = np.split(order, [round(_TRAIN_SHARE * p * p)])
    return Data(
        train_x=images[train], train_y=labels[train], test_x=images[test], test_y=labels[test]
    )


def _spec(name: str, p: int) -> DatasetSpec:
    return DatasetSpec(
        name=name,
        summary=f"a + b mod {p} of one-hot a and b, {p} classes; made in memory",
        citation="Doshi et al. 2024, arXiv 2310.13061; Power et al. 2022, arXiv 2201.02177",
        version=1,
        load=partial(load_sums, p=p),
    )


def _resolve(name: str) -> DatasetSpec:
    digits = name.removeprefix(_PREFIX)
    if not (digits.isascii() and digits.isdigit() and int(digits) in _RANGE):
        raise KeyError(name)
    return _spec(name, int(digits))


@hookimpl
def register_datasets() -> list[DatasetSpec | Family[DatasetSpec]]:
    """Offer `modular-addition`, and the family of all other moduli."""
    return [
        _spec(_PREFIX.removesuffix("/"), _FEATURED),
        Family(
            prefix=_PREFIX,
            summary=f"modular-addition/<p>: a + b mod p, p from {_RANGE[0]} to {_RANGE[-1]}",
            resolve=_resolve,
            members=lambda: (f"{_PREFIX}{p}" for p in _RANGE),
        ),
    ]
