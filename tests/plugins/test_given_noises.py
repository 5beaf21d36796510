"""Noises that files say: read without unpickling, and refused in one line that names the file."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import numpy as np
import pytest

from memgen_bench import NotApplicable, Positions, UsageError, load_registry
from memgen_bench.seeds import stream

if TYPE_CHECKING:
    from pathlib import Path

NOISES = load_registry().noises
LABELS = np.arange(9000, dtype=np.int64) % 3
MATRIX = np.array([[0.5, 0.5, 0.0], [0.0, 1.0, 0.0], [0.2, 0.3, 0.5]])


def saved(array: object, file: Path) -> Path:
    if file.suffix == ".npy":
        np.save(file, np.asarray(array))
    else:
        np.savetxt(file, np.asarray(array), delimiter=",")
    return file


@pytest.mark.parametrize("name", ["matrix.npy", "matrix.csv"])
def test_labels_are_redrawn_as_a_matrix_says(name: str, tmp_path: Path) -> None:
    spec = NOISES.find(f"confusion/{saved(MATRIX, tmp_path / name)}")
    given = spec.corrupt(LABELS, 1.0, 3, stream(0, "noise"))
    found = np.array([np.bincount(given[k == LABELS], minlength=3) / 3000 for k in range(3)])
    assert np.abs(found - MATRIX).max() < 5 * np.sqrt(0.25 / 3000)
    assert (found[MATRIX == 0] == 0).all()
    assert spec.transition is not None
    np.testing.assert_allclose(spec.transition(0.4, 3), 0.6 * np.eye(3) + 0.4 * MATRIX)


def test_a_smaller_rate_changes_part_of_what_a_larger_one_does(tmp_path: Path) -> None:
    spec = NOISES.find(f"confusion/{saved(MATRIX, tmp_path / 'matrix.npy')}")
    small, large = (spec.corrupt(LABELS, rate, 3, stream(0, "noise")) for rate in (0.2, 0.7))
    changed = small != LABELS
    assert changed.any()
    assert (large[changed] == small[changed]).all()


def test_cifar10_pairs_are_those_of_the_paper() -> None:
    names = ["plane", "car", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    true = np.arange(10)
    given = NOISES["confusion/cifar10"].corrupt(true, 1.0, 10, stream(0, "noise"))
    assert {names[k]: names[given[k]] for k in true if given[k] != k} == {
        "truck": "car",
        "bird": "plane",
        "deer": "horse",
        "cat": "dog",
        "dog": "cat",
    }


def test_a_matrix_of_other_classes_does_not_apply() -> None:
    spec = NOISES["confusion/cifar10"]
    assert spec.transition is not None
    with pytest.raises(NotApplicable, match="a matrix of 10 classes is none of 3"):
        spec.corrupt(LABELS, 0.5, 3, stream(0, "noise"))
    with pytest.raises(NotApplicable, match="a matrix of 10 classes is none of 3"):
        spec.transition(0.5, 3)


@pytest.mark.parametrize("name", ["labels.npy", "labels.csv"])
def test_labels_of_a_file_go_to_their_images(name: str, tmp_path: Path) -> None:
    theirs = np.random.default_rng(0).integers(0, 3, 20)
    spec = NOISES.find(f"from-file/{saved(theirs, tmp_path / name)}")
    positions = Positions(index=np.array([2, 3, 5, 11, 19]), count=20)
    true = (theirs[positions.index] + 1) % 3
    given = spec.corrupt(true, 1.0, 3, stream(0, "noise"), positions=positions)
    assert (given == theirs[positions.index]).all()
    assert (spec.corrupt(true, 0.0, 3, stream(0, "noise"), positions=positions) == true).all()


def test_a_smaller_rate_takes_part_of_the_labels_of_a_file(tmp_path: Path) -> None:
    spec = NOISES.find(f"from-file/{saved((LABELS + 1) % 3, tmp_path / 'labels.npy')}")
    positions = Positions(index=np.arange(9000), count=9000)
    small, large = (
        spec.corrupt(LABELS, rate, 3, stream(0, "noise"), positions=positions) != LABELS
        for rate in (0.3, 0.6)
    )
    assert abs(small.mean() - 0.3) < 0.03
    assert not (small & ~large).any()


def test_labels_of_another_data_set_do_not_apply(tmp_path: Path) -> None:
    spec = NOISES.find(f"from-file/{saved([0, 2, 1, 9], tmp_path / 'labels.npy')}")
    positions = Positions(index=np.array([1]), count=5)
    with pytest.raises(NotApplicable, match="holds 4 labels, the data set 5 training images"):
        spec.corrupt(LABELS[:1], 0.5, 10, stream(0, "noise"), positions=positions)
    with pytest.raises(NotApplicable, match=r"label 9 of image 3 in the file is not within 0\.\.2"):
        spec.corrupt(
            LABELS[:1],
            0.5,
            3,
            stream(0, "noise"),
            positions=Positions(index=positions.index, count=4),
        )


class Hostile:
    """Unpickled, it ends the process."""

    def __reduce__(self) -> tuple[object, ...]:
        return (exit, (1,))


HOSTILE = np.array([Hostile(), Hostile()], dtype=object)


@pytest.mark.parametrize(
    ("content", "name", "says"),
    [
        ([[0.5, 0.5], [0.2, 0.7]], "m.npy", "row 1 sums to 0.9"),
        ([[1.5, -0.5], [0, 1]], "m.csv", "row 0 sums to 1 with -0.5 as its least"),
        ([[1.0, np.nan], [0, 1]], "m.npy", "row 0 sums to nan"),
        ([[1.0, 0, 0], [0, 1, 0]], "m.npy", r"\[2, 3\] numbers are no K×K matrix"),
        ([1.0, 0, 0], "m.csv", r"\[3\] numbers are no K×K matrix"),
        (HOSTILE, "m.npy", "cannot be read as numbers"),
    ],
)
def test_what_is_no_matrix_is_told_why(
    content: object, name: str, says: str, tmp_path: Path
) -> None:
    file = saved(content, tmp_path / name)
    with pytest.raises(UsageError, match=f"^{file}: .*{says}") as caught:
        NOISES.find(f"confusion/{file}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "name", "says"),
    [
        ([0, 1, -1], "y.npy", "-1 of image 2 is no label"),
        ([0, 1.5], "y.csv", "1.5 of image 1 is no label"),
        ([0, np.inf], "y.csv", "inf of image 1 is no label"),
        ([[0, 1], [1, 0]], "y.npy", r"\[2, 2\] numbers are no vector"),
        ([], "y.npy", r"\[0\] numbers are no vector"),
        (HOSTILE, "y.npy", "cannot be read as numbers"),
        (["cat", "dog"], "y.npy", "cannot be read as numbers"),
    ],
)
def test_what_are_no_labels_is_told_why(
    content: object, name: str, says: str, tmp_path: Path
) -> None:
    file = saved(content, tmp_path / name)
    with pytest.raises(UsageError, match=f"^{file}: .*{says}") as caught:
        NOISES.find(f"from-file/{file}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("y.npy", pickle.dumps(Hostile())),
        ("y.npy", b""),
        ("y.csv", b"label\n0\n1\n"),
        ("y.csv", b"1,2\n3\n"),
        ("y.csv", b"\xff\xfe"),
        ("y.pt", b"0\n1\n"),
    ],
)
def test_other_files_are_refused(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=f"^{tmp_path / name}: ") as caught:
        NOISES.find(f"from-file/{tmp_path / name}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("prefix", ["confusion/", "from-file/"])
def test_a_missing_file_is_told_and_no_file_is_no_name(prefix: str) -> None:
    with pytest.raises(UsageError, match=r"nowhere\.npy cannot be read \(No such file"):
        NOISES.find(f"{prefix}nowhere.npy")
    with pytest.raises(UsageError, match=f"there is no noise '{prefix}'"):
        NOISES.find(prefix)


def test_other_contents_are_another_version(tmp_path: Path) -> None:
    versions = []
    for labels in ([0, 1], [1, 0], [0, 1]):
        file = saved(labels, tmp_path / "labels.npy")
        versions.append(NOISES.find(f"from-file/{file}").version)
    assert versions[0] == versions[2] != versions[1]
    assert min(versions) >= 1
