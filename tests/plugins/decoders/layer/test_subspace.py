"""MASC and VeLPIC against the textbook: X and -X stacked, covariance, eigh, projection, arccos."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from memgen_bench import load_registry
from memgen_bench.decode.activations import extract
from memgen_bench.network.layers import find_layers
from memgen_bench.plugin.specs import Task
from memgen_plugins.decoders.layer.subspace import MASC, VeLPIC

pytestmark = pytest.mark.usefixtures("one_thread")


def textbook_subspaces(X: np.ndarray, y: np.ndarray, variance: float) -> list[np.ndarray]:
    bases = []
    for label in np.unique(y):
        doubled = np.concatenate([X[y == label], -X[y == label]]).astype(np.float64)
        values, vectors = np.linalg.eigh(np.cov(doubled, rowvar=False))
        order = np.argsort(values)[::-1]
        share = np.cumsum(values[order]) / values.sum()
        p = int((share <= variance).sum()) + 1
        bases.append(vectors[:, order[:p]])
    return bases


def textbook_angles(x: np.ndarray, bases: list[np.ndarray]) -> np.ndarray:
    angles = np.empty((len(x), len(bases)))
    for i, point in enumerate(x.astype(np.float64)):
        for k, basis in enumerate(bases):
            projected = basis @ (basis.T @ point)
            cosine = point @ projected / (np.linalg.norm(point) * np.linalg.norm(projected))
            angles[i, k] = np.arccos(np.clip(cosine, -1, 1))
    return angles


def random_activations() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    centres = rng.standard_normal((6, 20))
    y = rng.integers(6, size=400)
    X = np.maximum(centres[y] + rng.standard_normal((400, 20)), 0).astype(np.float32)
    test = np.maximum(rng.standard_normal((200, 20)), 0).astype(np.float32)
    return X, y, test


def real_activations() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    digits = load_digits()
    x = (digits.images[:, None] / 8 - 1).astype(np.float32)
    spec = load_registry().models["cnn"]
    task = Task(channels=1, height=8, width=8, num_classes=10)
    torch.manual_seed(0)
    features = extract(spec.build(task), x, find_layers(spec, task, 0), device=torch.device("cpu"))[
        "fc1"
    ]
    y = np.random.default_rng(2).permutation(digits.target[:1000])
    return features[:1000], y, features[1000:]


ACTIVATIONS = {"random": random_activations, "real": real_activations}


@pytest.mark.parametrize("kind", ACTIVATIONS)
@pytest.mark.parametrize("variance", [0.25, 0.75, 0.99])
def test_masc_equals_the_textbook(kind: str, variance: float) -> None:
    X, y, test = ACTIVATIONS[kind]()
    bases = textbook_subspaces(X, y, variance)
    angles = textbook_angles(test, bases)
    masc = MASC(variance=variance).fit(X, y)
    assert masc.n_components_.tolist() == [basis.shape[1] for basis in bases]
    assert (masc.predict(test) == np.unique(y)[angles.argmin(axis=1)]).all()
    lengths = np.linalg.norm(test.astype(np.float64), axis=1, keepdims=True)
    ratio = np.sqrt(masc.decision_function(test)) / lengths
    np.testing.assert_allclose(np.arccos(np.clip(ratio, 0, 1)), angles, atol=1e-5)


@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_the_axes_span_the_subspaces_of_the_textbook(kind: str) -> None:
    X, y, _ = ACTIVATIONS[kind]()
    bases = textbook_subspaces(X, y, 0.9)
    masc = MASC(variance=0.9).fit(X, y)
    ends = np.cumsum([basis.shape[1] for basis in bases])
    assert masc.components_.shape == (ends[-1], X.shape[1])
    assert masc.components_.dtype == np.float32
    for axes, basis in zip(np.split(masc.components_, ends[:-1]), bases, strict=True):
        np.testing.assert_allclose(axes @ axes.T, np.eye(len(axes)), atol=1e-5)
        np.testing.assert_allclose(axes.T @ axes, basis @ basis.T, atol=1e-5)


@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_velpic_equals_the_textbook_and_one_component_masc(kind: str) -> None:
    X, y, test = ACTIVATIONS[kind]()
    classes = np.unique(y)
    vectors = []
    for label in classes:
        doubled = np.concatenate([X[y == label], -X[y == label]]).astype(np.float64)
        vector = np.linalg.eigh(np.cov(doubled, rowvar=False))[1][:, -1]
        vectors.append(vector if (X @ vector).mean() >= 0 else -vector)
    expected = classes[(test @ np.stack(vectors).T).argmax(axis=1)]
    predicted = VeLPIC().fit(X, y).predict(test)
    assert (predicted == expected).all()
    one_component = MASC(variance=1e-9).fit(X, y)
    assert set(one_component.n_components_) == {1}
    assert (one_component.predict(test) == predicted).all()  # since activations are >= 0


@pytest.mark.parametrize("dim", [3, 6])  # as many points a class as dimensions, and fewer
def test_one_more_component_than_the_usual_rule_on_a_tie(dim: int) -> None:
    X = 2.0 * np.eye(3, dim)[[0, 0, 1, 2]]  # eigenvalue shares 1/2, 1/4, 1/4, all of them exact
    for variance, expected in ((0.25, 1), (0.5, 2), (0.75, 3), (0.4999, 1), (0.5001, 2)):
        masc = MASC(variance=variance).fit(np.concatenate([X, X]), np.repeat([0, 1], 4))
        assert masc.n_components_.tolist() == [expected] * 2


def test_corner_cases_are_defined() -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((12, 40))
    y = np.repeat([3, 5, 7], 4)
    for decoder in (MASC(), VeLPIC()):
        decoder.fit(X, y)
        assert decoder.predict(np.zeros((1, 40)))[0] == 3  # a zero vector: the lowest class
        assert set(decoder.predict(X)) <= {3, 5, 7}
    fitted = MASC().fit(X, y)
    assert (fitted.n_components_ <= 4).all()  # fewer points than dimensions
    assert (fitted.predict(X) == y).all()  # each point lies in its own class's span
    X = np.abs(X)
    X[y == 3] = 0
    for decoder in (MASC(), VeLPIC()):
        assert set(decoder.fit(X, y).predict(X[y != 3])) <= {5, 7}  # an empty subspace wins nothing


@pytest.mark.parametrize("variance", [0.0, 1.0, 1.5, -1.0])
def test_an_impossible_variance_is_refused(variance: float) -> None:
    with pytest.raises(ValueError, match=r"in the range \(0.0, 1.0\)"):
        MASC(variance=variance).fit(np.eye(4), [0, 0, 1, 1])


def test_classes_that_span_the_whole_space_tie_exactly() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((300, 6)).astype(np.float32), np.arange(300) % 3 + 4
    fitted = MASC(variance=0.999).fit(X, y)
    assert set(fitted.n_components_) == {6}
    assert set(fitted.predict(rng.standard_normal((50, 6)).astype(np.float32))) == {4}
