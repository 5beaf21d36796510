from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn import datasets

from memgen_bench import Data, DataNotFoundError
from memgen_plugins.datasets import sklearn_digits
from memgen_plugins.datasets.sklearn_digits import choose_test, digits_files, load_digits

NOWHERE = Path("no-data-root-is-needed")


@pytest.fixture(scope="module")
def digits() -> Data:
    return load_digits(NOWHERE)


def test_shapes_types_and_range(digits: Data) -> None:
    assert digits.train_x.shape == (1297, 1, 8, 8)
    assert digits.test_x.shape == (500, 1, 8, 8)
    assert digits.train_x.dtype == digits.test_x.dtype == np.float32
    assert digits.train_y.dtype == digits.test_y.dtype == np.int64
    assert (digits.train_x.min(), digits.train_x.max()) == (-1, 1)


def test_every_image_of_scikit_learn_is_in_one_part_with_its_label(digits: Data) -> None:
    bunch = datasets.load_digits()
    expected = sorted((*row, label) for row, label in zip(bunch.data, bunch.target, strict=True))
    images = np.concatenate([digits.train_x, digits.test_x]).reshape(-1, 64)
    labels = np.concatenate([digits.train_y, digits.test_y])
    pixels = (images + 1) * 8  # the scaling undone
    assert sorted((*row, label) for row, label in zip(pixels, labels, strict=True)) == expected


def test_test_set_is_stratified(digits: Data) -> None:
    total = np.bincount(digits.train_y) + np.bincount(digits.test_y)
    share = total * 500 / 1797
    assert np.all(np.abs(np.bincount(digits.test_y) - share) < 1)


def test_test_set_is_the_same_for_ever(digits: Data) -> None:
    digest = hashlib.sha256(digits.test_x.astype("<f4").tobytes()).hexdigest()
    assert digest[:16] == "dd74fd8e3e72cfce"


@pytest.mark.parametrize("size", [1, 7, 29, 30])
def test_choose_test_takes_exactly_the_size(size: int) -> None:
    labels = np.repeat([0, 1, 2], [15, 10, 5]).astype(np.int64)
    chosen = choose_test(labels, size, seed=0)
    assert chosen.sum() == size
    share = np.array([15, 10, 5]) * size / 30
    assert np.all(np.abs(np.bincount(labels[chosen], minlength=3) - share) < 1)


def test_choose_test_depends_on_the_seed() -> None:
    labels = np.zeros(100, dtype=np.int64)
    assert not np.array_equal(choose_test(labels, 50, seed=0), choose_test(labels, 50, seed=1))


def test_files_are_named_without_importing_scikit_learn() -> None:
    code = (
        "import sys, pathlib\n"
        "from memgen_plugins.datasets.sklearn_digits import digits_files, register_datasets\n"
        "(file,) = digits_files(pathlib.Path())\n"
        "assert file.is_file() and len(list(register_datasets())) == 1\n"
        "assert not {'sklearn', 'torch'} & set(sys.modules), 'heavy import'\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_missing_file_is_an_error_that_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    elsewhere = importlib.util.spec_from_file_location("sklearn", tmp_path / "__init__.py")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: elsewhere)
    with pytest.raises(DataNotFoundError, match=r"digits\.csv\.gz is missing; install"):
        digits_files(NOWHERE)


def test_registered() -> None:
    (spec,) = sklearn_digits.register_datasets()
    assert (spec.name, spec.version, spec.download) == ("digits", 1, None)
    assert spec.summary
    assert spec.citation
    assert spec.files(NOWHERE)[0].name == "digits.csv.gz"
