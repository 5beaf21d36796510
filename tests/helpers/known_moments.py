"""Moments of a few points in both forms, and what plain float64 NumPy says of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from memgen_bench import load_registry
from memgen_bench.decode.moments import Adding, KeptMoments, Labelling, Moments

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

K, D = 4, 12
CPU = torch.device("cpu")
REGISTRY = load_registry()
FROM_MOMENTS = [
    name for name in REGISTRY.decoders if hasattr(REGISTRY.decoders[name].build(), "fit_moments")
]


def activations(count: int, dim: int = D, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    mixed = rng.standard_normal((count, dim)) @ rng.standard_normal((dim, dim))
    return np.asarray(np.maximum(mixed + 1, 0), dtype=np.float32)


def labels(count: int, seed: int = 0, num_classes: int = K) -> np.ndarray:
    return np.random.default_rng(seed).integers(num_classes, size=count)


X, TRUE = activations(400), labels(400)
GIVEN = np.where(np.random.default_rng(9).random(400) < 0.5, labels(400, seed=1), TRUE)
SETTINGS = {"corrupted": GIVEN, "true": TRUE}


def added(
    X: np.ndarray,
    settings: Mapping[str, np.ndarray],
    *,
    batch: int = 97,
    wanted: tuple[str, ...] = ("corrupted", "true"),
    num_classes: int = K,
) -> Adding:
    """Let points go by in batches."""
    labelling = Labelling(settings, frozenset(wanted) & frozenset(settings))
    adding = Adding(labelling, num_classes=num_classes, dim=X.shape[1], device=CPU)
    for start in range(0, len(X), batch):
        adding.add(torch.from_numpy(X[start : start + batch]))
    return adding


def streamed(X: np.ndarray, y: np.ndarray, num_classes: int = K) -> Moments:
    return added(X, {"true": y}, num_classes=num_classes).moments("true")


def kept(X: np.ndarray, y: np.ndarray, num_classes: int = K) -> Moments:
    return KeptMoments(torch.from_numpy(X), y)


FORMS: dict[str, Callable[..., Moments]] = {"streamed": streamed, "kept": kept}


def close(found: torch.Tensor, expected: np.ndarray, tolerance: float = 1e-12) -> None:
    assert found.dtype == torch.float64
    np.testing.assert_allclose(
        found.numpy(), expected, rtol=tolerance, atol=tolerance * np.abs(expected).max(initial=0)
    )


def check(found: Moments, X: np.ndarray, y: np.ndarray) -> None:
    """Compare everything with plain NumPy."""
    X = X.astype(np.float64)
    classes = np.unique(y)
    assert found.classes.tolist() == classes.tolist()
    assert found.counts.tolist() == [(y == label).sum() for label in classes]
    assert found.dim == X.shape[1]
    close(found.means, np.stack([X[y == label].mean(axis=0) for label in classes]))
    close(found.mean(), X.mean(axis=0))
    centred = X - X.mean(axis=0)
    close(found.total(), centred.T @ centred, 1e-11)
    within = np.zeros((X.shape[1], X.shape[1]))
    for k, label in enumerate(classes):
        points = X[y == label]
        second = points.T @ points
        close(found.second(k), second)
        apart = points - points.mean(axis=0)
        within += apart.T @ apart
        difference = found.covariance(k).numpy() - apart.T @ apart / len(points)
        assert np.abs(difference).max() <= 1e-12 * np.abs(second).max()
        check_axes(found.axes(k), second / len(points), min(len(points), X.shape[1]))
    difference = found.within().numpy() - within
    assert np.abs(difference).max() <= 1e-12 * np.abs(X.T @ X).max()


def check_axes(axes: tuple[torch.Tensor, torch.Tensor], second: np.ndarray, rank: int) -> None:
    values, vectors = (part.double().numpy() for part in axes)
    expected, basis = (part[..., ::-1] for part in np.linalg.eigh(second))
    assert values.shape == (rank,)
    assert vectors.shape == (len(second), rank)
    assert (np.diff(values) <= 0).all()
    assert (values >= 0).all()
    np.testing.assert_allclose(values, expected[:rank].clip(0), rtol=1e-5, atol=1e-6 * expected[0])
    parted = expected[:rank] - np.append(expected, 0)[1 : rank + 1] > 1e-3 * expected[0]
    for p in np.flatnonzero(parted) + 1:  # where the next eigenvalue is another
        ours, theirs = vectors[:, :p], basis[:, :p]
        np.testing.assert_allclose(ours @ ours.T, theirs @ theirs.T, atol=1e-4)
