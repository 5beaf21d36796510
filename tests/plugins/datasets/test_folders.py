"""Folders of images: what is in them, and what is wrong with them."""

from __future__ import annotations

import re
import shutil
import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from helpers.image_sets import RNG, write_image
from memgen_bench import (
    DataError,
    DataNotFoundError,
    DatasetSpec,
    Family,
    UsageError,
    load_registry,
)
from memgen_bench.hashing import array_digest
from memgen_plugins.datasets import folders

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Modes and suffixes that were read rightly from the first version on.
PLAIN = (
    *(("1", ".png"), ("L", ".PNG"), ("LA", ".png"), ("P", ".png"), ("RGB", ".bmp")),
    *(("RGBA", ".png"), ("CMYK", ".tif"), ("YCbCr", ".tiff"), ("RGB", ".ppm"), ("L", ".pgm")),
    ("1", ".tif"),
)


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
    files = folder("folder/pets").files(pets)
    assert set(files) == set((pets / "pets").rglob("*.png"))
    assert len(files) == 10


def test_what_is_not_read_is_counted(pets: Path) -> None:
    (pets / "pets" / "train" / "cat" / "notes.txt").write_text("not an image")
    (pets / "pets" / "test" / ".DS_Store").touch()
    message = r"^6 \+ 4 images are read; left out: 1 \.txt \(as .*notes\.txt\), 1 hidden \(as "
    with pytest.warns(UserWarning, match=message):
        files = folder("folder/pets").files(pets)
    assert len(files) == 10


def test_what_load_reads_is_what_is_listed(pets: Path) -> None:
    write_image(pets / "pets" / "train" / ".ipynb_checkpoints" / "0.png")
    write_image(pets / "pets" / "train" / "cat" / ".old" / "0.png")
    assert folder("folder/pets").load(pets).train_y.tolist() == [0, 0, 0, 1, 1, 1]


def test_contents_are_those_of_earlier_versions(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for part in ("train", "test"):
        for k, (mode, suffix) in enumerate(PLAIN):
            path = tmp_path / "all" / part / ("ant" if k % 2 else "bee") / ("deep" if k > 4 else "")
            path.mkdir(parents=True, exist_ok=True)
            pixels = rng.integers(0, 256, (6, 4, 3), dtype=np.uint8)
            Image.fromarray(pixels).convert(mode).save(path / f"{mode}{suffix}")
    data = folder("folder/all").load(tmp_path)
    found = array_digest(data.train_x, data.train_y, data.test_x, data.test_y)
    assert found == "822697a713f0fda1cd1b"


@pytest.mark.parametrize("asked", ["pets/", "./pets", "pets//", "./pets/."])
def test_one_folder_has_one_name(asked: str) -> None:
    assert folder(f"folder/{asked}").name == "folder/pets"
    assert folder(f"folder/{asked}@8").name != "folder/pets"


def test_a_size_at_the_end_of_the_name_resizes_and_crops(pets: Path) -> None:
    write_image(pets / "pets" / "test" / "cat" / "1.png", shape=(50, 40, 3))
    spec = folder("folder/pets@8")
    assert spec.name == "folder/pets@8"
    assert spec.summary.endswith("pets/test/<class>/, resized and cropped to 8x8")
    data = spec.load(pets)
    assert data.train_x.shape == (6, 3, 8, 8)
    assert data.test_x.shape == (4, 3, 8, 8)
    assert spec.files(pets) == folder("folder/pets").files(pets)


def test_a_folder_that_is_called_so_goes_before_a_size(pets: Path) -> None:
    shutil.copytree(pets / "pets", pets / "pets@8")
    assert folder("folder/pets@8").load(pets).train_x.shape == (6, 3, 6, 4)
    assert folder("folder/pets@8@5").load(pets).train_x.shape == (6, 3, 5, 5)


@pytest.mark.parametrize("name", ["folder/pets@0", "folder/pets@", "folder/pets@08", "folder/@8"])
def test_what_is_no_size_is_part_of_the_path(name: str, pets: Path) -> None:
    with pytest.raises(DataNotFoundError, match=re.escape(f"at {pets / name[7:]} or")):
        folder(name).files(pets)


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


def test_a_part_of_a_data_set_names_the_whole(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(pets)
    with pytest.raises(DataNotFoundError, match=r"the folder that holds them all, folder/pets$"):
        folder("folder/pets/train").files(pets)
    with pytest.raises(DataNotFoundError, match=r"a size after @ is a number of pixels, as @64$"):
        folder("folder/pets@small").files(pets)


def test_a_folder_named_without_its_prefix_is_named_with_it(
    pets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(pets)
    with pytest.raises(UsageError, match=r"there is no dataset 'pets'; did you mean folder/pets\?"):
        load_registry().datasets.find("pets")


def test_folder_without_a_path_is_unknown() -> None:
    with pytest.raises(KeyError):
        family().resolve("folder/")


def test_turned_photographs_differ_in_size(pets: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (4, 6)).save(pets / "pets" / "test" / "dog" / "9.jpg", exif=exif)
    with pytest.raises(DataError, match=r"dog/9\.jpg: 4x6 pixels, but .* has 6x4"):
        folder("folder/pets").load(pets)
    assert folder("folder/pets@4").load(pets).test_x.shape == (5, 3, 4, 4)


def test_what_is_to_be_said_of_images_is_warned_of_once(pets: Path) -> None:
    for part in ("train", "test"):
        clear = Image.new("RGBA", (4, 6))
        clear.save(pets / "pets" / part / "dog" / "9.png")
    message = r"^2 images \(as .*train/dog/9\.png\): transparent pixels, whose stored colours"
    with pytest.warns(UserWarning, match=message) as caught:
        folder("folder/pets").load(pets)
    assert len(caught) == 1


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


def test_one_class_is_too_few(pets: Path) -> None:
    for part in ("train", "test"):
        shutil.rmtree(pets / "pets" / part / "dog")
    with pytest.raises(DataError, match=r"train has only one class folder, 'cat'; decoding needs"):
        folder("folder/pets").load(pets)


def test_a_tilde_is_home(pets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(pets))
    assert len(folder("folder/~/pets").load(tmp_path / "elsewhere").train_y) == 6


def test_class_without_images(pets: Path) -> None:
    (pets / "pets" / "train" / "ant").mkdir()
    with pytest.raises(DataError, match=r"train/ant: no image"):
        folder("folder/pets").load(pets)


def test_part_without_classes(pets: Path) -> None:
    for path in (pets / "pets" / "test").rglob("*.png"):
        path.unlink()
    for path in (pets / "pets" / "test").iterdir():
        path.rmdir()
    with pytest.raises(DataError, match=r"test: .*class folder"):
        folder("folder/pets").load(pets)


def bomb() -> bytes:
    """Return the head of a PNG that says it has 20000×20000 pixels."""
    head = b"IHDR" + struct.pack(">IIBBBBB", 20000, 20000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))
    return b"\x89PNG\r\n\x1a\n" + chunk


@pytest.mark.parametrize("name", ["2.png", "9.jpg", "9.tif", "9.webp", "9.bmp", "9.pgm", "9.ppm"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:0],
        lambda content: content[:20],
        lambda content: content[: len(content) * 2 // 3],
        lambda content: b"<!doctype html>",
        lambda content: bomb(),
    ],
    ids=["empty", "head", "truncated", "HTML", "bomb"],
)
def test_damaged_image_is_named(pets: Path, name: str, damage: Callable[[bytes], bytes]) -> None:
    path = pets / "pets" / "train" / "dog" / name
    mode = "L" if name.endswith("pgm") else "RGB"
    Image.fromarray(RNG.integers(0, 256, (6, 4, 3), dtype=np.uint8)).convert(mode).save(path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=rf"^{path}: .*; replace or remove the image$"):
        folder("folder/pets").load(pets)


def test_an_image_of_another_dataset_kind_is_named(pets: Path) -> None:
    path = pets / "pets" / "test" / "cat" / "5.tif"
    Image.new("F", (4, 6)).save(path)
    with pytest.raises(DataError, match=rf"^{path}: TIFF with pixels of mode F, of which .*; repl"):
        folder("folder/pets").load(pets)


def test_the_family_is_registered() -> None:
    assert family().prefix == "folder/"
