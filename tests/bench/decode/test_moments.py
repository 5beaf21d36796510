"""Class moments in both forms against plain float64 NumPy, and decoders fitted from them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from memgen_bench import load_registry
from memgen_bench.decode import moments
from memgen_bench.decode.footprint import WAITING_BYTES, keeps_points, least_bytes
from memgen_bench.decode.moments import (
    Adding,
    KeptMoments,
    Labelling,
    Moments,
    StreamedMoments,
    moments_of,
)
from memgen_bench.decode.scratch import Scratch
from memgen_plugins.decoders.layer.subspace import MASC

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

pytestmark = pytest.mark.usefixtures("one_thread")

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


@pytest.mark.parametrize("batch", [1, 97, 400])
@pytest.mark.parametrize("waiting", [64 << 20, 4 * D * 50])
def test_streamed_moments_equal_plain_numpy(
    batch: int, waiting: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moments, "WAITING_BYTES", waiting)
    monkeypatch.setattr(moments, "_GRAM_BLOCK", 5)
    adding = added(X, SETTINGS, batch=batch)
    for setting, y in SETTINGS.items():
        found = adding.moments(setting)
        assert isinstance(found, StreamedMoments)
        check(found, X, y)


@pytest.mark.parametrize("block", [7, 8192])
@pytest.mark.parametrize("count", [400, 30])  # more points a class than dimensions, and fewer
def test_kept_moments_equal_plain_numpy(
    block: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moments, "block_rows", lambda width: block)
    monkeypatch.setattr(moments, "_GRAM_BLOCK", 5)
    check(kept(X[:count], GIVEN[:count]), X[:count], GIVEN[:count])


def test_kept_moments_whose_results_go_to_files_are_the_same() -> None:
    wide = activations(120, 560)
    y = labels(120, num_classes=2)
    in_memory = KeptMoments(torch.from_numpy(wide), y)
    in_files = KeptMoments(torch.from_numpy(wide), y, scratch=Scratch(0))
    for k in range(2):
        assert torch.equal(in_files.second(k), in_memory.second(k))
        for ours, theirs in zip(in_files.axes(k), in_memory.axes(k), strict=True):
            assert torch.equal(ours, theirs)
    assert torch.equal(in_files.within(), in_memory.within())


def test_what_is_kept_counts_in_the_budget() -> None:
    scratch = Scratch(4 << 20)
    square = 560 * 560 * 4  # bytes of float32
    found = KeptMoments(torch.ones(600, 560), np.zeros(600, np.int64), scratch=scratch)
    assert not isinstance(scratch.empty((square,), np.int8), np.memmap)
    found.axes(0)  # keeps a float64 second moment and float32 axes
    assert isinstance(scratch.empty((square,), np.int8), np.memmap)
    del found
    assert not isinstance(scratch.empty((3 * square,), np.int8), np.memmap)


def test_axes_of_few_points_count_in_the_budget_too() -> None:
    found = streamed(activations(500, 560), np.zeros(500, np.int64), 1)
    found.scratch = Scratch(2 << 20)
    assert found.axes(0)[1].nbytes == 560 * 500 * 4 > 1 << 20
    assert isinstance(found.scratch.empty((5 << 18,), np.int8), np.memmap)


def test_both_label_settings_from_one_pass_equal_separate_ones() -> None:
    both = added(X, SETTINGS)
    for setting, y in SETTINGS.items():
        alone, found = streamed(X, y), both.moments(setting)
        assert found.counts.tolist() == alone.counts.tolist()
        close(found.means, alone.means.numpy())
        for k in range(K):
            close(found.second(k), alone.second(k).numpy())
        only = added(X, SETTINGS, wanted=(setting,)).moments(setting)
        assert torch.equal(only.means, found.means)  # who else wants moments changes nothing
        assert all(torch.equal(only.second(k), found.second(k)) for k in range(K))


@pytest.mark.parametrize("setting", SETTINGS)
def test_moments_can_be_asked_for_again(setting: str) -> None:
    adding = added(X, SETTINGS)
    first = adding.moments(setting)
    for other in SETTINGS:
        adding.moments(other)
    again = adding.moments(setting)
    assert torch.equal(first.means, again.means)
    assert all(torch.equal(first.second(k), again.second(k)) for k in range(K))


@pytest.mark.parametrize("form", FORMS)
def test_a_label_without_points_is_left_out(form: str) -> None:
    y = np.where(np.isin(TRUE, (0, 2)), 3, TRUE)
    found = FORMS[form](X, y)
    assert found.classes.tolist() == [1, 3]
    check(found, X, y)


def test_a_label_without_points_in_one_setting_only_is_left_out_there() -> None:
    settings = {"corrupted": np.where(GIVEN == 1, 2, GIVEN), "true": np.where(TRUE == 3, 0, TRUE)}
    adding = added(X, settings)
    for setting, y in settings.items():
        check(adding.moments(setting), X, y)


@pytest.mark.parametrize("form", FORMS)
def test_labels_with_a_single_point_have_one_axis(form: str) -> None:
    y = np.arange(5)
    found = FORMS[form](X[:5], y, 5)
    check(found, X[:5], y)
    for k in range(5):
        values, vectors = found.axes(k)
        point = torch.from_numpy(X[k]).double()
        assert float(values[0]) == pytest.approx(float(point @ point))
        assert abs(float(vectors[:, 0].double() @ point)) == pytest.approx(float(point.norm()))


@pytest.mark.parametrize("form", FORMS)
def test_a_class_of_zero_vectors_has_no_weight(form: str) -> None:
    Z = X.copy()
    Z[TRUE == 1] = 0
    found = FORMS[form](Z, TRUE)
    values, vectors = found.axes(1)
    assert not values.any()
    assert torch.isfinite(vectors).all()
    check(FORMS[form](Z, np.where(TRUE == 1, 0, TRUE)), Z, np.where(TRUE == 1, 0, TRUE))


@pytest.mark.parametrize("count", [1, 5, 30, 39, 40, 41])
def test_axes_from_the_gram_matrix_are_those_of_the_square_one(count: int) -> None:
    dim = 40
    points, test = activations(count, dim), activations(50, dim, seed=5).astype(np.float64)
    y = np.zeros(count, dtype=np.int64)
    values, vectors = (part.double().numpy() for part in kept(points, y).axes(0))
    second = points.astype(np.float64).T @ points / count
    expected, basis = (part[..., ::-1] for part in np.linalg.eigh(second))
    rank = min(count, dim)
    np.testing.assert_allclose(values, expected[:rank], rtol=1e-5, atol=1e-6 * expected[0])
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(rank), atol=1e-4)
    for p in {1, (rank + 1) // 2, max(1, rank - 2)}:
        ours, theirs = (np.linalg.norm(test @ side[:, :p], axis=1) for side in (vectors, basis))
        np.testing.assert_allclose(ours, theirs, rtol=1e-4)


def test_batches_in_another_size_give_the_same_up_to_rounding() -> None:
    first, second = (added(X, SETTINGS, batch=batch).moments("corrupted") for batch in (64, 33))
    close(first.means, second.means.numpy(), 1e-14)
    for k in range(K):
        close(first.second(k), second.second(k).numpy(), 1e-14)


# rounding


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


# the account


class Clock:
    """A clock that moves when a computation ends, by one second, and at no other time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(moments, "time", SimpleNamespace(perf_counter=lambda: self.now))
        monkeypatch.setattr(moments, "finish", self._finish)

    def _finish(self, device: torch.device) -> None:
        self.now += 1

    def spent(self, view: Moments, use: Callable[[Moments], Any]) -> float:
        """Return what a decoder is charged: what it took, and what its view says beside."""
        started = self.now
        use(view)
        return self.now - started + view.seconds


USES: dict[str, Callable[[Moments], Any]] = {
    "nothing": lambda m: m.means,
    "axes of one class": lambda m: m.axes(1),
    "axes": lambda m: [m.axes(k) for k in range(K)],
    "axes twice": lambda m: [m.axes(k) for k in (*range(K), *range(K))],
    "covariances": lambda m: [m.covariance(k) for k in range(K)],
    "within": lambda m: m.within(),
    "total": lambda m: (m.total(), m.mean()),
    "within and a second moment": lambda m: (m.within(), m.second(0)),
    "axes and within": lambda m: (m.axes(0), m.within()),
}


@pytest.mark.parametrize("first", USES)
@pytest.mark.parametrize("form", FORMS)
def test_a_decoder_is_charged_the_same_whoever_came_before(
    form: str, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    for use in USES.values():
        alone = clock.spent(FORMS[form](X, GIVEN), use)
        shared = FORMS[form](X, GIVEN)
        clock.spent(shared.for_decoder(), USES[first])
        assert clock.spent(shared.for_decoder(), use) == alone


def test_what_was_computed_is_charged_and_not_computed_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock(monkeypatch)
    shared = kept(X, GIVEN)
    axes = USES["axes"]
    charged = clock.spent(shared.for_decoder(), axes)
    assert charged >= 1
    then = clock.now
    view = shared.for_decoder()
    axes(view)
    assert clock.now == then
    assert view.seconds == charged


@pytest.mark.parametrize("form", FORMS)
def test_views_have_accounts_of_their_own(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Clock(monkeypatch)
    shared = FORMS[form](X, GIVEN)
    adding = shared.seconds
    first, second = shared.for_decoder(), shared.for_decoder()
    USES["axes"](first)
    USES["axes"](second)
    assert second.seconds > adding
    assert (first.seconds, shared.seconds) == (adding, adding)
    assert shared.for_decoder().seconds == adding
    assert type(second) is type(shared)


def test_adding_up_is_charged_to_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    Clock(monkeypatch)
    adding = added(X, SETTINGS)
    found = [adding.moments(setting).for_decoder().seconds for setting in SETTINGS]
    assert found[0] == found[1] > 0


# which form


def test_the_smaller_form_is_chosen_by_shapes_alone() -> None:
    many = 4 * K * D + 1
    y = np.arange(many) % K
    points = activations(many)
    assert isinstance(moments_of(points, y), StreamedMoments)
    assert isinstance(moments_of(points[1:], y[1:]), KeptMoments)
    assert isinstance(moments_of(points[1:], np.zeros(many - 1, np.int64)), StreamedMoments)
    check(moments_of(points, y), points, y)
    check(moments_of(points[1:], y[1:]), points[1:], y[1:])


def test_the_least_memory_covers_the_sums_of_both_label_settings() -> None:
    many = 4 * K * D + 1
    assert not keeps_points(many, D, K)
    sums = Labelling(SETTINGS, frozenset(SETTINGS)).bytes(K, D)
    assert sums == 8 * D * D * 3 * K  # labels that agree, and the others of each setting
    assert least_bytes(many, D, K) == sums + WAITING_BYTES
    assert least_bytes(many - 1, D, K) == 0


# decoders


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
