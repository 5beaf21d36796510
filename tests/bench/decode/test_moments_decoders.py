"""Decoders that are fitted from moments: the same as from points, and right in float32."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from helpers.known_moments import (
    FORMS,
    FROM_MOMENTS,
    GIVEN,
    REGISTRY,
    K,
    X,
    activations,
    added,
    check,
    kept,
    labels,
)
from memgen_plugins.decoders.layer.subspace import MASC

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.usefixtures("one_thread")


def decaying(count: int, dim: int) -> tuple[np.ndarray, np.ndarray]:
    """Points whose second moments have eigenvalues over six decades, other axes in each class."""
    rng = np.random.default_rng(3)
    y = rng.integers(K, size=count)
    points = rng.standard_normal((count, dim)) * np.logspace(0, -3, dim)
    turns = [np.linalg.qr(rng.standard_normal((dim, dim)))[0] for _ in range(K)]
    for k, turn in enumerate(turns):
        points[y == k] = points[y == k] @ turn
    return points.astype(np.float32), y


def shifted(count: int, dim: int) -> tuple[np.ndarray, np.ndarray]:
    """Points far from the origin, all on one side of it; what sets classes apart is small."""
    X, y = decaying(count, dim)
    return X + np.float32(3), y


def textbook(X: np.ndarray, y: np.ndarray, variance: float) -> list[np.ndarray]:
    X, bases = X.astype(np.float64), []
    for label in np.unique(y):
        values, vectors = np.linalg.eigh(X[y == label].T @ X[y == label])
        share = np.cumsum(values[::-1].clip(0)) / values.sum()
        bases.append(vectors[:, ::-1][:, : int((share <= variance).sum()) + 1])
    return bases


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("data", [decaying, shifted])
@pytest.mark.parametrize(("count", "dim"), [(3000, 32), (1200, 320)])  # n_k > D, and n_k < D
@pytest.mark.parametrize("variance", [0.75, 0.99])
def test_masc_decides_as_in_double_precision_on_unpleasant_spectra(
    form: str, data: Any, count: int, dim: int, variance: float
) -> None:
    points, y = data(count, dim)
    train, test = points[: count - 1000], points[count - 1000 :]
    bases = textbook(train, y[: len(train)], variance)
    lengths = np.stack([np.linalg.norm(test.astype(np.float64) @ b, axis=1) for b in bases])
    masc = MASC(variance).fit_moments(FORMS[form](train, y[: len(train)]))
    components = np.array([basis.shape[1] for basis in bases])
    assert np.abs(masc.n_components_ - components).max() <= 1
    second, first = np.sort(lengths, axis=0)[-2:]
    clear = (first - second) / first > 8 * np.finfo(np.float32).eps  # no tie as float32 has it
    assert np.mean(clear) > 0.98
    assert np.array_equal(masc.predict(test)[clear], np.argmax(lengths, axis=0)[clear])


def test_the_decoders_that_are_fitted_from_moments_are_known() -> None:
    subspaces = {"masc", "masc-75", "velpic"}
    gaussians = {"lda", "lda-shrunk", "qda-shrunk", "ncm", "ncm-euclidean"}
    assert subspaces | gaussians | {"ridge"} <= set(FROM_MOMENTS)


@pytest.mark.parametrize("name", FROM_MOMENTS)
@pytest.mark.parametrize("count", [900, 150])  # more points a class than dimensions, and fewer
def test_points_and_both_forms_of_moments_fit_the_same_decoder(name: str, count: int) -> None:
    points = activations(count + 1000, 50, seed=2)
    train, test = points[:count], points[count:]
    settings = {"corrupted": labels(count, seed=3), "true": labels(count, seed=4)}
    train[settings["corrupted"] == 1] *= 2
    build = REGISTRY.decoders[name].build
    expected = build().fit(train, settings["corrupted"])
    for found in (added(train, settings).moments("corrupted"), kept(train, settings["corrupted"])):
        fitted: Any = build()
        assert fitted.fit_moments(found.for_decoder()) is fitted
        assert np.mean(fitted.predict(test) == expected.predict(test)) >= 0.999
        assert fitted.classes_.tolist() == [0, 1, 2, 3]
        for attribute in ("coef_", "intercept_"):
            if hasattr(expected, attribute):
                ours, theirs = getattr(fitted, attribute), getattr(expected, attribute)
                np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6 * np.abs(ours).max())


@pytest.mark.parametrize("name", FROM_MOMENTS)
@pytest.mark.parametrize("form", FORMS)
def test_decoders_leave_the_moments_as_they_are(name: str, form: str) -> None:
    shared = FORMS[form](X, GIVEN)
    build: Callable[[], Any] = REGISTRY.decoders[name].build
    first = build().fit_moments(shared.for_decoder()).predict(X)
    for other in FROM_MOMENTS:
        other_build: Callable[[], Any] = REGISTRY.decoders[other].build
        other_build().fit_moments(shared.for_decoder())
    assert (build().fit_moments(shared.for_decoder()).predict(X) == first).all()
    check(shared, X, GIVEN)
