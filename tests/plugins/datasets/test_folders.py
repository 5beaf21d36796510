"""Folders of images: what is in them, and what is wrong with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from helpers.image_sets import write_image
from memgen_bench import DataError, DataNotFoundError, DatasetSpec, Family
from memgen_plugins.datasets import folders

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """A data root with the image folder `pets`."""
    for part, size in (("train", 3), ("test", 2)):
        for name in ("cat", "dog"):
            for i in range(size):
                write_image(tmp_path / "pets" / part / name / f"{i}.png")
    return tmp_path


def folder(name: str) -> DatasetSpec:
    return family().resolve(name)


def family() -> Family[DatasetSpec]:
    (found,) = (s for s in folders.register_datasets() if isinstance(s, Family))
    return found


def test_images_are_read_as_rgb_between_0_and_1(pets: Path) -> None:
    pixels = write_image(pets / "pets" / "test" / "dog" / "9.png")
    data = folder("folder/pets").load(pets)
    assert data.train_x.shape == (6, 3, 6, 4)
    assert data.test_x.shape == (5, 3, 6, 4)
    assert data.train_y.tolist() == [0, 0, 0, 1, 1, 1]
    assert data.test_y.tolist() == [0, 0, 1, 1, 1]
    assert data.train_x.dtype == np.float32
    assert data.train_y.dtype == np.int64
    assert np.allclose(data.test_x[-1], pixels.transpose(2, 0, 1) / 255, atol=1e-7)


def test_grey_images_become_rgb(pets: Path) -> None:
    grey = write_image(pets / "pets" / "train" / "cat" / "0.png", shape=(6, 4))
    image = folder("folder/pets").load(pets).train_x[0]
    assert np.allclose(image, np.stack([grey] * 3) / 255, atol=1e-7)


def test_jpeg_and_val(pets: Path) -> None:
    (pets / "pets" / "test").rename(pets / "pets" / "val")
    write_image(pets / "pets" / "val" / "dog" / "5.JPEG")
    assert len(folder("folder/pets").load(pets).test_y) == 5


def test_files_are_the_images(pets: Path) -> None:
    (pets / "pets" / "train" / "cat" / "notes.txt").write_text("not an image")
    files = folder("folder/pets").files(pets)
    assert set(files) == set((pets / "pets").rglob("*.png"))
    assert len(files) == 10


def test_name_is_kept_and_paths_may_be_absolute(pets: Path, tmp_path: Path) -> None:
    name = f"folder/{pets / 'pets'}"
    assert name.startswith("folder//")
    spec = folder(name)
    assert spec.name == name
    assert len(spec.load(tmp_path / "elsewhere").train_y) == 6


def test_data_root_goes_before_the_current_folder(
    pets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(pets)
    other = tmp_path / "other"
    assert folder("folder/pets").files(other)[0].is_relative_to(pets / "pets")
    for part in ("train", "test"):
        write_image(other / "pets" / part / "cat" / "0.png")
    assert folder("folder/pets").files(other)[0].is_relative_to(other)


def test_missing_folder_says_where_it_was_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    message = rf"folder/pets: .* at {tmp_path}/root/pets or {tmp_path}/pets; put images in train/"
    for read in (folder("folder/pets").files, folder("folder/pets").load):
        with pytest.raises(DataNotFoundError, match=message):
            read(tmp_path / "root")


def test_folder_without_a_path_is_unknown() -> None:
    with pytest.raises(KeyError):
        family().resolve("folder/")


def test_sizes_must_agree_also_between_train_and_test(pets: Path) -> None:
    write_image(pets / "pets" / "test" / "cat" / "1.png", shape=(5, 4, 3))
    message = r"test/cat/1\.png: 5x4 pixels, but .*train/cat/0\.png has 6x4; .*resize"
    with pytest.raises(DataError, match=message):
        folder("folder/pets").load(pets)


@pytest.mark.parametrize(("part", "other"), [("train", "test"), ("test", "train")])
def test_classes_must_agree(pets: Path, part: str, other: str) -> None:
    write_image(pets / "pets" / part / "cow" / "0.png")
    message = f"class 'cow' is in .*/{part} but not in .*/{other};"
    with pytest.raises(DataError, match=message):
        folder("folder/pets").files(pets)


def test_class_without_images(pets: Path) -> None:
    (pets / "pets" / "train" / "ant").mkdir()
    with pytest.raises(DataError, match=r"train: .*ant"):
        folder("folder/pets").load(pets)


def test_part_without_classes(pets: Path) -> None:
    for path in (pets / "pets" / "test").rglob("*.png"):
        path.unlink()
    for path in (pets / "pets" / "test").iterdir():
        path.rmdir()
    with pytest.raises(DataError, match=r"test: .*class folder"):
        folder("folder/pets").load(pets)


@pytest.mark.parametrize("keep", [0, 20, 60])
def test_damaged_image_is_named(pets: Path, keep: int) -> None:
    path = pets / "pets" / "train" / "dog" / "2.png"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=rf"^{path}: .*; replace or remove the image$"):
        folder("folder/pets").load(pets)


def test_the_family_is_registered() -> None:
    assert family().prefix == "folder/"
