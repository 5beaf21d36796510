"""Nearest neighbours by cosine distance (scikit-learn's)."""

from __future__ import annotations

from functools import partial
from typing import Any

from memgen_bench import DecoderSpec, hookimpl


def _build(n_neighbors: int) -> Any:
    from sklearn.neighbors import KNeighborsClassifier

    return KNeighborsClassifier(n_neighbors=n_neighbors, metric="cosine", algorithm="brute")


@hookimpl
def register_decoders() -> list[DecoderSpec]:
    """Offer 5 and 50 neighbours."""
    return [
        DecoderSpec(
            name=f"knn-{k}",
            summary=f"majority of the {k} nearest neighbours by cosine",
            citation="Cover & Hart 1967",
            build=partial(_build, k),
        )
        for k in (5, 50)
    ]
