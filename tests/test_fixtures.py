"""Fixtures: what was frozen is what decoders get, or nothing is."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from memgen_bench.errors import FixtureError
from memgen_bench.fixtures import (
    FROZEN,
    fixture_names,
    freeze,
    load_fixture,
    load_fixtures,
    new_fixture,
    save_fixture,
)
from memgen_bench.sealed import seal, unseal

if TYPE_CHECKING:
    from pathlib import Path

    from memgen_bench.fixtures import Fixture

NULL = next(name for name in fixture_names() if name.endswith("-1"))


def small() -> Fixture:
    rng = np.random.default_rng(0)
    points = [np.maximum(rng.standard_normal((n, 3)), 0).astype(np.float32) for n in (6, 2, 4)]
    parts = {"fc1": (points[0], points[1], points[2])}
    about = {"transition": np.eye(2).tolist(), "seed": 0, "readout": 0.5}
    return new_fixture("small", about, parts, np.array([[0, 1] * 4]), np.array([0, 1, 1, 0]))


def test_what_was_saved_is_what_is_loaded(tmp_path: Path) -> None:
    fixture = small()
    save_fixture(fixture, tmp_path)
    again = load_fixture("small", tmp_path)
    assert again.sha256 == fixture.sha256
    assert again.about == fixture.about
    for own, other in zip(fixture.points("fc1"), again.points("fc1"), strict=True):
        assert np.array_equal(own, other)
    assert again.labels(0)[0].tolist() == [0, 1, 0, 1, 0, 1]
    assert again.labels(0)[1].tolist() == [0, 1]
    assert [len(part) for part in again.points("fc1")] == [6, 2, 4]


@pytest.mark.parametrize("suffix", [".npz", ".json"])
def test_a_changed_byte_is_noticed(tmp_path: Path, suffix: str) -> None:
    path = save_fixture(small(), tmp_path).with_suffix(suffix)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(FixtureError, match="damaged"):
        load_fixture("small", tmp_path)


def test_a_missing_fixture_and_one_of_another_protocol_are_named(tmp_path: Path) -> None:
    path = save_fixture(small(), tmp_path)
    with pytest.raises(FixtureError, match="fixtures there: small"):
        load_fixture("large", tmp_path)
    fields = unseal(path.read_bytes()) | {"protocol_version": 0}
    path.write_bytes(seal(fields))
    with pytest.raises(FixtureError, match="protocol version 0"):
        load_fixture("small", tmp_path)
    with pytest.raises(FixtureError, match="export-activations"):
        load_fixtures(tmp_path / "empty")


@given(
    npst.arrays(
        np.float32,
        npst.array_shapes(min_dims=2, max_dims=2),
        elements=st.floats(-1e3, 1e3, width=32),
    )
)
def test_freezing_moves_a_value_by_half_a_step_and_keeps_its_order(points: np.ndarray) -> None:
    levels, low, step = freeze(points)
    again = low + levels.astype(np.float32) * step
    assert np.all(np.abs(again - points) <= 0.51 * step + 1e-3)
    order = np.argsort(points, axis=0, kind="stable")
    assert np.all(np.diff(np.take_along_axis(levels.astype(int), order, axis=0), axis=0) >= 0)


def test_a_silent_unit_stays_silent_and_zero_stays_zero() -> None:
    points = np.array([[0, 0.0], [0, 2.5], [0, 1.0]], dtype=np.float32)
    levels, low, step = freeze(points)
    assert levels[:, 0].tolist() == [0, 0, 0]
    assert low.tolist() == [0, 0]
    assert step[0] == 0


def test_the_fixtures_that_ship_are_memorized_networks_and_small() -> None:
    fixtures = load_fixtures()
    assert {fixture.about["dataset"] for fixture in fixtures} == {"digits", "fashion-mnist"}
    assert all(fixture.about["accuracy_given"] >= 0.99 for fixture in fixtures)
    fashion = [each for each in fixtures if each.about["dataset"] == "fashion-mnist"]
    assert len({each.about["rate"] for each in fashion}) >= 2
    assert min(len(each.test_labels) for each in fashion) >= 2000
    assert sum(path.stat().st_size for path in FROZEN.iterdir()) < 12 << 20


def test_a_null_gives_every_label_to_every_point_equally_often() -> None:
    null = load_fixture(NULL)
    assert null.null
    assert len(null.given) >= 50
    groups = null.given.reshape(-1, null.num_classes, null.given.shape[1])
    assert np.all(np.sort(groups, axis=1) == np.arange(null.num_classes)[None, :, None])
    assert len({group[0].tobytes() for group in groups}) == len(groups)
    assert not any(fixture.null for fixture in load_fixtures() if fixture.name != NULL)


def test_a_fixture_holds_no_true_training_label() -> None:
    for name in fixture_names():
        fixture = load_fixture(name)
        assert len(fixture.test_labels) == fixture.sizes[2]
        wrong = 1 - fixture.about["realised_rate"]
        assert json.dumps(fixture.about).count("[") == 1 + fixture.num_classes
        assert 0 < wrong < 1


def test_the_files_are_read_as_arrays_only(tmp_path: Path) -> None:
    shutil.copy(FROZEN / f"{NULL}.npz", tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as arrays:
        assert {arrays[name].dtype.kind for name in arrays} <= {"u", "f"}
