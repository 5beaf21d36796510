from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memgen_bench import NoiseSpec, NotApplicable, PluginError, UsageError, load_registry
from memgen_bench.data.corruption import corrupt, rankable, realised_transition
from memgen_bench.seeds import PURPOSES, stream

REGISTERED = load_registry().noises
# Those that see labels only, and state what they make of any number of classes.
NOISES = {name: REGISTERED[name] for name in ("flip", "pair", "permute", "uniform")}
LABELS = np.arange(4000, dtype=np.int64) % 10

names = st.sampled_from(sorted(NOISES))
rates = st.floats(0, 1)
noise_seeds = st.integers(0, 2**31)


def transition_of(name: str, rate: float) -> np.ndarray:
    state = NOISES[name].transition
    assert state is not None
    return state(rate, 10)


def draw(name: str, rate: float, noise_seed: int, labels: np.ndarray = LABELS) -> np.ndarray:
    return corrupt(NOISES[name], labels, rate=rate, num_classes=10, noise_seed=noise_seed).labels


@given(name=names, rate=rates, noise_seed=noise_seeds)
def test_the_share_of_wrong_labels_is_what_the_transition_says(
    name: str, rate: float, noise_seed: int
) -> None:
    wrong = float(np.mean(draw(name, rate, noise_seed) != LABELS))
    expected = 1 - np.diag(transition_of(name, rate)).mean()
    # Six binomial standard errors: about one false alarm in 10^9 draws.
    assert abs(wrong - expected) <= 6 * np.sqrt(0.25 / len(LABELS))


@pytest.mark.parametrize("name", sorted(NOISES))
@pytest.mark.parametrize("rate", [0.3, 1.0])
def test_every_entry_of_the_transition_matches_the_draws(name: str, rate: float) -> None:
    transition = transition_of(name, rate)
    np.testing.assert_allclose(transition.sum(axis=1), 1)
    counts = np.zeros((10, 10))
    for noise_seed in range(25):
        np.add.at(counts, (LABELS, draw(name, rate, noise_seed)), 1)
    observed = counts / counts.sum(axis=1, keepdims=True)
    assert np.abs(observed - transition).max() < 6 * np.sqrt(0.25 / (25 * 400))


@given(name=names, noise_seed=noise_seeds, pair=st.tuples(rates, rates))
def test_points_of_a_smaller_rate_are_among_those_of_a_larger_one(
    name: str, noise_seed: int, pair: tuple[float, float]
) -> None:
    chosen = []

    def spy(labels: np.ndarray, rate: float, k: int, rng: np.random.Generator) -> np.ndarray:
        # All points carry label 0 and every chosen one gets another label: the choice is visible.
        return np.where(NOISES["pair"].corrupt(labels, rate, k, rng) != labels, 1, 0)

    for rate in sorted(pair):
        if name == "pair":
            spec = NoiseSpec(name="spy", summary="", corrupt=spy, transition=lambda r, k: np.eye(k))
            given_labels = corrupt(
                spec, np.zeros(500, np.int64), rate=rate, num_classes=10, noise_seed=noise_seed
            ).labels
            chosen.append(given_labels != 0)
        else:
            chosen.append(draw(name, rate, noise_seed) != LABELS)
    if name in ("pair", "flip"):  # here every chosen point shows
        assert not (chosen[0] & ~chosen[1]).any()
    if name == "uniform":  # here the same points get the same labels
        small, large = (draw(name, rate, noise_seed) for rate in sorted(pair))
        assert (large[small != LABELS] == small[small != LABELS]).all()


@given(rate=rates, noise_seed=noise_seeds)
def test_permute_keeps_class_counts(rate: float, noise_seed: int) -> None:
    labels = np.sort(LABELS)[:-300]  # unequal counts
    permuted = draw("permute", rate, noise_seed, labels)
    assert (np.bincount(permuted, minlength=10) == np.bincount(labels, minlength=10)).all()


def test_permute_chooses_nested_points() -> None:
    labels = np.arange(300, dtype=np.int64)  # all different: a moved label shows
    spec = NOISES["permute"]
    small, large = (
        corrupt(spec, labels, rate=rate, num_classes=300, noise_seed=5).labels != labels
        for rate in (0.3, 0.9)
    )
    # A permuted point may keep its label by chance (about one point a draw).
    assert (small & ~large).sum() <= 4
    assert small.sum() > 60


@given(name=names, rate=st.floats(0.05, 0.95), noise_seed=noise_seeds)
def test_the_same_seed_gives_the_same_labels_and_another_seed_others(
    name: str, rate: float, noise_seed: int
) -> None:
    first, again = draw(name, rate, noise_seed), draw(name, rate, noise_seed)
    assert (first == again).all()
    assert (first != draw(name, rate, noise_seed + 1)).any()


def test_train_and_validation_noise_are_independent() -> None:
    spec = NOISES["uniform"]
    train, validation = (
        corrupt(spec, LABELS, rate=0.5, num_classes=10, noise_seed=3, purpose=purpose)
        for purpose in ("noise", "validation_noise")
    )
    both = np.mean((train.labels != LABELS) & (validation.labels != LABELS))
    assert abs(both - 0.45**2) < 0.04
    assert train.noise_id != validation.noise_id


def test_streams_of_different_purposes_and_seeds_differ() -> None:
    first = {stream(seed, purpose).random() for seed in range(3) for purpose in PURPOSES}
    assert len(first) == 3 * len(PURPOSES)


def test_streams_are_the_same_on_every_machine() -> None:
    assert stream(0, "noise").random(3).tolist() == [
        0.6771968569751019,
        0.2429867485428212,
        0.6117637963218119,
    ]


def test_labels_are_what_they_always_were() -> None:
    ids = {
        name: corrupt(NOISES[name], LABELS, rate=0.4, num_classes=10, noise_seed=7).noise_id
        for name in NOISES
    }
    assert ids == {
        "flip": "44d64228023b408807aa",
        "pair": "2978890a8bdae2de5f68",
        "permute": "531668f23ed4a28a0b75",
        "uniform": "dd6c2d48d3543b367887",
    }


def test_rate_zero_and_no_noise_leave_labels_alone() -> None:
    for noise in (NOISES["uniform"], None):
        result = corrupt(noise, LABELS, rate=0.0, num_classes=10, noise_seed=0)
        assert (result.labels == LABELS).all()
        assert result.realised_rate == 0


@pytest.mark.parametrize(
    ("name", "rate", "expected"),
    [
        ("uniform", 0.99, True),
        ("uniform", 1.0, False),
        ("permute", 1.0, False),
        ("flip", 0.89, True),
        ("flip", 0.9, False),
        ("flip", 1.0, False),
        ("pair", 0.49, True),
        ("pair", 0.5, False),
    ],
)
def test_rankable_ends_where_the_true_label_is_no_longer_likeliest(
    name: str, rate: float, expected: bool
) -> None:
    assert rankable(transition_of(name, rate)) is expected


@pytest.mark.parametrize(
    "wrong",
    [
        lambda y, r, k, g: y[:-1],
        lambda y, r, k, g: y.astype(float),
        lambda y, r, k, g: y + 1,
        lambda y, r, k, g: y - 1,
    ],
)
def test_a_noise_that_returns_nonsense_is_named(wrong: object) -> None:
    spec = NoiseSpec(
        name="broken",
        summary="",
        corrupt=wrong,  # type: ignore[arg-type] # that is the point
        transition=lambda r, k: np.eye(k),
    )
    with pytest.raises(PluginError, match=r"noise 'broken' returned .*labels in 0\.\.9"):
        corrupt(spec, LABELS, rate=0.5, num_classes=10, noise_seed=0)


def test_a_noise_cannot_change_the_true_labels() -> None:
    def vandal(labels: np.ndarray, rate: float, k: int, rng: np.random.Generator) -> np.ndarray:
        labels[:] = 0
        return labels

    true = LABELS.copy()
    spec = NoiseSpec(name="vandal", summary="", corrupt=vandal, transition=lambda r, k: np.eye(k))
    corrupt(spec, true, rate=0.5, num_classes=10, noise_seed=0)
    assert (true == LABELS).all()


def test_a_noise_gets_what_it_needs_and_nothing_else() -> None:
    def by_brightness(
        labels: np.ndarray, rate: float, k: int, rng: np.random.Generator, *, images: np.ndarray
    ) -> np.ndarray:
        return np.where(images.mean(axis=(1, 2, 3)) > 0, (labels + 1) % k, labels)

    spec = NoiseSpec(
        name="bright", summary="", corrupt=by_brightness, transition=None, needs=("images",)
    )
    images = np.full((4000, 1, 2, 2), -1, np.float32)
    images[:1000] = 1
    found = corrupt(
        spec,
        LABELS,
        rate=0.5,
        num_classes=10,
        noise_seed=0,
        extras={"images": images, "positions": None},
    )
    assert found.realised_rate == 0.25
    assert (found.labels[1000:] == LABELS[1000:]).all()


def test_a_noise_that_is_not_made_for_such_data_says_so_in_one_line() -> None:
    def refuse(labels: np.ndarray, rate: float, k: int, rng: np.random.Generator) -> np.ndarray:
        raise NotApplicable("made for 3 classes")

    spec = NoiseSpec(name="three", summary="", corrupt=refuse, transition=None)
    with pytest.raises(UsageError, match=r"^noise 'three': made for 3 classes$"):
        corrupt(spec, LABELS, rate=0.5, num_classes=10, noise_seed=0)


def test_the_realised_transition_counts_a_draw() -> None:
    true, given_labels = np.array([0, 0, 0, 0, 1, 1]), np.array([0, 1, 1, 2, 1, 0])
    expected = [[0.25, 0.5, 0.25], [0.5, 0.5, 0.0], [0.0, 0.0, 1.0]]
    assert realised_transition(true, given_labels, 3).tolist() == expected
