"""MNIST-1D: made once, checked when it is read, and never unpickled."""

from __future__ import annotations

import pickle
import random
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from memgen_bench import Data, DataError, DataNotFoundError, UsageError
from memgen_plugins.datasets import mnist1d
from memgen_plugins.datasets.mnist1d import load_mnist1d, make_mnist1d, mnist1d_files

if TYPE_CHECKING:
    from pathlib import Path


def signals() -> dict[str, Any]:
    """Return the arrays of a sound file, without making any."""
    return {
        "train_x": np.zeros((4000, 1, 1, 40), np.float32),
        "train_y": np.arange(4000) % 10,
        "test_x": np.ones((10000, 1, 1, 40), np.float32),
        "test_y": np.arange(10000) % 10,
    }


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a sound file below `tmp_path`."""
    path = tmp_path / "mnist1d" / "mnist1d.npz"
    path.parent.mkdir()
    np.savez(path, **signals())
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Data:
    """Return the real signals, and see that nothing else draws other numbers afterwards."""
    pytest.importorskip("mnist1d")
    root = tmp_path_factory.mktemp("data")
    random.seed(5)
    np.random.seed(5)
    expected = random.Random(5).random(), np.random.RandomState(5).random()
    make_mnist1d(root)
    assert (random.random(), np.random.random()) == expected
    return load_mnist1d(root)


@pytest.mark.slow
def test_training_signals_are_those_published(made: Data) -> None:
    from mnist1d.data import get_dataset_args, make_dataset

    published = make_dataset(get_dataset_args())
    assert made.train_x.shape == (4000, 1, 1, 40)
    np.testing.assert_array_equal(made.train_x[:, 0, 0], published["x"].astype(np.float32))
    np.testing.assert_array_equal(made.train_y, published["y"])


@pytest.mark.slow
def test_test_signals_are_others_of_the_same_kind(made: Data) -> None:
    assert made.test_x.shape == (10000, 1, 1, 40)
    assert np.bincount(made.test_y).tolist() == [1000] * 10
    assert abs(made.test_x.mean() - made.train_x.mean()) < 0.02
    assert abs(made.test_x.std() - made.train_x.std()) < 0.02
    known = {signal.tobytes() for signal in made.train_x}
    assert not any(signal.tobytes() in known for signal in made.test_x)


def test_a_file_is_read_as_it_was_written_and_not_made_again(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mnist1d", None)  # importing it fails
    before = file.read_bytes()
    make_mnist1d(tmp_path)
    assert file.read_bytes() == before
    assert mnist1d_files(tmp_path) == (file,)
    found = vars(load_mnist1d(tmp_path))
    assert all(np.array_equal(found[name], array) for name, array in signals().items())


def test_what_is_missing_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataNotFoundError, match="run `memgen-bench data download mnist1d`"):
        mnist1d_files(tmp_path)
    monkeypatch.setitem(sys.modules, "mnist1d", None)
    with pytest.raises(UsageError, match="run pip install mnist1d"):
        make_mnist1d(tmp_path)
    assert list(tmp_path.iterdir()) == []


class Hostile:
    """Unpickled, it ends the process."""

    def __reduce__(self) -> tuple[object, ...]:
        return (exit, (1,))


def flipped(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1000])


def pickled(file: Path) -> None:
    file.write_bytes(pickle.dumps(Hostile()))


def objects(file: Path) -> None:
    np.savez(file, **(signals() | {"train_y": np.array([Hostile()], dtype=object)}))


def fewer(file: Path) -> None:
    np.savez(file, **(signals() | {"train_y": np.zeros(7, np.int64)}))


def nameless(file: Path) -> None:
    np.savez(file, signals()["train_x"])


@pytest.mark.parametrize("harm", [flipped, cut, pickled, objects, fewer, nameless])
def test_a_damaged_file_is_named_and_made_anew(
    harm: Any, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    harm(file)
    with pytest.raises(DataError, match=f"mnist1d: {file}: .*; remove it and run") as caught:
        load_mnist1d(tmp_path)
    assert "\n" not in str(caught.value)
    monkeypatch.setattr(mnist1d, "_generate", lambda: Data(**signals()))
    make_mnist1d(tmp_path)
    assert load_mnist1d(tmp_path).test_x.mean() == 1
