"""The contract of a data set's `load`, and that a plan reads no data that it knows already."""

from __future__ import annotations

import os
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from memgen_bench import Data, DataError, DataNotFoundError, DatasetSpec, MemgenError, Task
from memgen_bench.data.datasets import describe, load_data

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def images(count: int, *shape: int, value: float = 0.0) -> np.ndarray:
    return np.full((count, *shape), value, dtype=np.float32)


def valid() -> Data:
    """Three classes of 4×5 RGB images, six to train on and three to test on."""
    return Data(
        train_x=images(6, 3, 4, 5),
        train_y=np.array([0, 1, 2, 0, 1, 2]),
        test_x=images(3, 3, 4, 5),
        test_y=np.array([0, 1, 2]),
    )


def spec_of(load: Callable[[Path], Any], **fields: Any) -> DatasetSpec:
    return DatasetSpec(name="toy", summary="a test's", load=load, **fields)


def holed(value: float) -> np.ndarray:
    x = images(6, 3, 4, 5)
    x[4, 2, 3, 1] = value
    return x


def test_what_keeps_the_contract_is_handed_on(tmp_path: Path) -> None:
    data = valid()
    assert load_data(spec_of(lambda _: data), tmp_path) is data


def test_a_memory_map_will_do(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", images(6, 3, 4, 5))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    data = load_data(spec_of(lambda _: replace(valid(), train_x=mapped)), tmp_path)
    assert isinstance(data.train_x, np.memmap)


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ({"train_y": np.array([1, 2, 3, 1, 2, 3])}, r"train labels are 1, 2, 3, not 0\.\.K-1"),
        ({"train_y": np.array([-1, 0, 1, -1, 0, 1])}, r"train labels are -1, 0, 1, not 0\.\.K-1"),
        ({"train_y": np.array([0, 1, 3, 0, 1, 3])}, r"every class present"),
        ({"train_y": np.zeros(6, int)}, r"only one class"),
        ({"test_y": np.array([0, 1, 3])}, r"test labels are 0, 1, 3, not within 0\.\.2"),
        ({"test_y": np.array([0, 1, -1])}, r"test labels are -1, 0, 1"),
        ({"train_y": np.array([0, 1, 2])}, r"train_y is int64\[3\], not 6 integers"),
        ({"train_y": np.array([0, 1, 2, 0, 1, 2.0])}, r"train_y is float64\[6\]"),
        ({"test_y": np.eye(3, dtype=int)}, r"test_y is int64\[3, 3\], not 3 integers"),
        ({"train_x": np.zeros((6, 3, 4, 5))}, r"train_x is float64.*not float32 N×C×H×W"),
        ({"test_x": np.zeros((3, 3, 4, 5), np.uint8)}, r"test_x is uint8"),
        ({"train_x": images(6, 60)}, r"train_x is float32\[6, 60\]"),
        ({"train_x": holed(np.nan)}, r"train_x holds values that are not finite"),
        ({"train_x": holed(-np.inf)}, r"train_x holds values that are not finite"),
        ({"test_x": images(3, 3, 4, 5, value=np.nan)}, r"test_x holds values that are not finite"),
        ({"test_x": images(3, 3, 5, 4)}, r"images are \(3, 4, 5\) in train, \(3, 5, 4\) in test"),
        ({"test_x": images(0, 3, 4, 5), "test_y": np.zeros(0, int)}, r"test_x holds no image"),
        ({"train_x": images(0, 3, 4, 5), "train_y": np.zeros(0, int)}, r"train_x holds no image"),
        ({"train_y": [0, 1, 2, 0, 1, 2]}, r"train_y"),
        ({"test_x": None}, r"test_x"),
    ],
)
def test_a_broken_contract_is_named(broken: dict[str, Any], says: str, tmp_path: Path) -> None:
    spec = spec_of(lambda _: replace(valid(), **broken))
    with pytest.raises(DataError, match=says) as caught:
        describe(spec, tmp_path, tmp_path / "cache")
    assert "data set 'toy'" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "cache").exists()


def test_what_files_and_load_warn_of_is_noticed_in_one_line_each(tmp_path: Path) -> None:
    loads = []

    def load(data_dir: Path) -> Data:
        loads.append(data_dir)
        for _ in range(2):
            warnings.warn("one\nimage is odd", stacklevel=1)
        warnings.warn("of no interest", DeprecationWarning, stacklevel=1)
        return valid()

    def files(data_dir: Path) -> tuple[Path, ...]:
        warnings.warn(f"{len(list(tmp_path.glob('*.gif')))} left out", stacklevel=1)
        return ()

    spec = spec_of(load, files=files)
    seen = [describe(spec, tmp_path, tmp_path / "cache").notices]
    (tmp_path / "new.gif").touch()
    seen.append(describe(spec, tmp_path, tmp_path / "cache").notices)
    overlap = seen[0][2:]
    assert seen == [
        ("0 left out", "one image is odd", *overlap),
        ("1 left out", "one image is odd", *overlap),
    ]
    assert len(loads) == 1


@pytest.mark.parametrize("returned", [None, (1, 2, 3, 4), {"train_x": images(6, 3, 4, 5)}])
def test_load_must_return_data(returned: object, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=type(returned).__name__):
        load_data(spec_of(lambda _: returned), tmp_path)


def raising(error: Exception) -> DatasetSpec:
    def load(data_dir: Path) -> Data:
        raise error

    return spec_of(load)


def test_a_loader_that_raises_is_a_data_error(tmp_path: Path) -> None:
    spec = raising(OSError("unexpected end of file"))
    with pytest.raises(DataError, match=r"'toy' in .*OSError: unexpected end of file.*again"):
        load_data(spec, tmp_path)


def test_a_loaders_message_of_several_lines_is_folded(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        load_data(raising(ValueError("first\nsecond")), tmp_path)
    assert "first second" in str(caught.value)


@pytest.mark.parametrize("error", [DataNotFoundError("get it there"), MemgenError("no room")])
def test_an_error_for_the_user_passes_unchanged(error: MemgenError, tmp_path: Path) -> None:
    with pytest.raises(MemgenError) as caught:
        load_data(raising(error), tmp_path)
    assert caught.value is error


class OnDisk:
    """A data set of two files that counts how often it is loaded."""

    def __init__(self, root: Path) -> None:
        self.paths = (root / "labels", root / "images")
        self.calls = 0
        for path in self.paths:
            path.write_text("1234")

    def load(self, data_dir: Path) -> Data:
        self.calls += 1
        value = float(self.paths[0].read_text())
        return replace(valid(), train_x=images(6, 3, 4, 5, value=value))

    def spec(self, **fields: Any) -> DatasetSpec:
        return spec_of(self.load, files=lambda _: self.paths, **fields)


@pytest.fixture
def on_disk(tmp_path: Path) -> OnDisk:
    return OnDisk(tmp_path)


def test_a_description_says_what_a_plan_needs(on_disk: OnDisk, tmp_path: Path) -> None:
    info = describe(on_disk.spec(), tmp_path, tmp_path / "cache")
    assert info.name == "toy"
    assert info.task == Task(
        channels=3, height=4, width=5, num_classes=3, pixel_range=(1234.0, 1234.0)
    )
    again = describe(on_disk.spec(), tmp_path, tmp_path / "cache")
    assert again.task == info.task
    assert (info.train_count, info.test_count) == (6, 3)


def test_files_that_did_not_change_are_not_read_again(on_disk: OnDisk, tmp_path: Path) -> None:
    first = describe(on_disk.spec(), tmp_path, tmp_path / "cache")
    again = describe(on_disk.spec(), tmp_path, tmp_path / "cache")
    assert again == first
    assert on_disk.calls == 1


@pytest.mark.parametrize("changed", [0, 1])
@pytest.mark.parametrize("what", ["size", "time"])
def test_a_file_that_changed_is_read_again(
    what: str, changed: int, on_disk: OnDisk, tmp_path: Path
) -> None:
    describe(on_disk.spec(), tmp_path, tmp_path / "cache")
    path = on_disk.paths[changed]
    before = path.stat()
    if what == "size":
        path.write_text("12345")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    else:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1_000_000))
    describe(on_disk.spec(), tmp_path, tmp_path / "cache")
    assert on_disk.calls == 2


def test_a_new_version_is_read_again(on_disk: OnDisk, tmp_path: Path) -> None:
    describe(on_disk.spec(), tmp_path, tmp_path / "cache")
    describe(on_disk.spec(version=2), tmp_path, tmp_path / "cache")
    assert on_disk.calls == 2


def test_a_damaged_memo_is_no_obstacle(on_disk: OnDisk, tmp_path: Path) -> None:
    first = describe(on_disk.spec(), tmp_path, tmp_path / "cache")
    (memo,) = (tmp_path / "cache" / "fingerprints").iterdir()
    memo.write_text(memo.read_text()[:20])
    assert describe(on_disk.spec(), tmp_path, tmp_path / "cache") == first
    assert on_disk.calls == 2


@pytest.mark.parametrize("part", ["train_x", "train_y", "test_x", "test_y"])
def test_the_fingerprint_depends_on_every_part(part: str, tmp_path: Path) -> None:
    changed = getattr(valid(), part).copy()
    changed[0], changed[1] = 1, 0  # keeps all classes where these are labels
    data = replace(valid(), **{part: changed})
    first = describe(spec_of(lambda _: valid()), tmp_path, tmp_path / "first")
    other = describe(spec_of(lambda _: data), tmp_path, tmp_path / "other")
    assert first.fingerprint != other.fingerprint


def test_files_that_are_not_there_are_an_error_for_the_user(tmp_path: Path) -> None:
    spec = spec_of(lambda _: valid(), files=lambda root: (root / "gone",))
    with pytest.raises(DataNotFoundError, match="gone"):
        describe(spec, tmp_path, tmp_path / "cache")


def test_a_generated_data_set_is_made_once_where_it_is_missing(tmp_path: Path) -> None:
    file, made = tmp_path / "data" / "made.npy", []

    def make(data_dir: Path) -> None:
        made.append(data_dir)
        file.parent.mkdir()
        file.write_bytes(b"made")

    def files(data_dir: Path) -> tuple[Path, ...]:
        if not file.is_file():
            raise DataNotFoundError("not made")
        return (file,)

    spec = spec_of(lambda _: valid(), files=files, download=make, generated=True)
    with pytest.raises(DataNotFoundError, match="not made"):
        describe(replace(spec, generated=False), file.parent, tmp_path)
    for _ in range(2):
        describe(spec, file.parent, tmp_path)
        load_data(spec, file.parent)
    assert made == [file.parent]
