"""Image folders as they come: each is read as it was written, or refused with a file's name."""

from __future__ import annotations

import os
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from memgen_bench import DataError
from memgen_plugins.datasets.folders import folder_files, load_folder
from memgen_plugins.datasets.image_files import printable

if TYPE_CHECKING:
    from collections.abc import Callable

# Modes that are kept without loss, with the suffixes of files that can hold them.
KEPT = {
    "1": [".png", ".TIF", ".bmp"],
    "L": [".png", ".pgm", ".bmp", ".tiff"],
    "P": [".png", ".bmp", ".tif"],
    "RGB": [".png", ".PNG", ".ppm", ".bmp", ".tif"],
    "I;16": [".png", ".tif", ".pgm"],
    "I;16B": [".tif"],
}
UNKNOWN = {"I": [".tif"], "F": [".tiff"]}
PLACES = [f"{part}/{name}" for part in ("train", "test") for name in ("ant", "bee")]
# A transposition for each EXIF orientation that is tried.
TURNS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda a: a,
    3: lambda a: a[::-1, ::-1],
    2: lambda a: a[:, ::-1],
}


@dataclass(frozen=True)
class Item:
    """A file to write.

    Attributes:
        place: Its class folder.
        name: Its name without a suffix; it may be hidden, or lie in a folder.
        kind: `image`, `unknown`, `damaged`, `other`, or where a link leads.
        mode: Pillow's mode of an image.
        suffix: A place in the mode's suffixes.
        size: Height and width of an image.
        turn: An EXIF orientation, of a PNG.
        seed: What its pixels are drawn from.
    """

    place: str
    name: str
    kind: str
    mode: str
    suffix: int
    size: tuple[int, int]
    turn: int
    seed: int


def items(kinds: list[str], sizes: list[tuple[int, int]]) -> st.SearchStrategy[Item]:
    letters = st.sampled_from("ab éß%@:'\"\n\udcff.~#[]{}")
    return st.builds(
        Item,
        place=st.sampled_from(PLACES),
        name=st.builds(
            "".join, st.tuples(st.sampled_from(["", ".", "d/", ".d/"]), st.text(letters))
        ),
        kind=st.sampled_from(kinds),
        mode=st.sampled_from(sorted(KEPT)),
        suffix=st.integers(0, 11),
        size=st.sampled_from(sizes),
        turn=st.sampled_from(sorted(TURNS)),
        seed=st.integers(0, 2**32 - 1),
    )


SOUND = ["image"] * 4 + ["other", "again"]
FAULTS = ["unknown", "damaged", "nowhere", "loop", "bee", "out"]
folders = st.one_of(
    st.lists(items(SOUND, [(4, 5)]), max_size=8),
    st.lists(items(SOUND + FAULTS, [(4, 5)]), max_size=5),
    st.lists(items(SOUND, [(4, 5), (5, 4), (4, 4)]), max_size=5),
)


class Written:
    """A folder that is written, and what has to come of it.

    Attributes:
        pixels: By path, what the images hold that are to be read.
        faults: Names of which one has to be in a refusal; empty where nothing may be refused.
    """

    def __init__(self, root: Path, asked: list[Item]) -> None:
        self.pixels: dict[str, np.ndarray] = {}
        self.faults: set[str] = set()
        for number, place in enumerate(PLACES):
            self._write(root, Item(place, "0", "image", "RGB", 0, (4, 5), 1, number), "")
        for number, item in enumerate(asked):
            self._write(root, item, f"-{number}")
        sizes = {array.shape for array in self.pixels.values()}
        if len(sizes) > 1:
            self.faults |= {Path(path).name for path in self.pixels}

    def _write(self, root: Path, item: Item, number: str) -> None:
        modes = UNKNOWN if item.kind == "unknown" else KEPT
        mode = item.mode if item.kind != "unknown" else "IF"[item.suffix % 2]
        suffix = modes[mode][item.suffix % len(modes[mode])]
        if item.kind == "other":
            suffix = (".gif", ".txt", "")[item.suffix % 3]
        path = root / item.place / f"{item.name}{number}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        visible = not any(part.startswith(".") for part in path.relative_to(root).parts)
        if item.kind in ("again", "nowhere", "loop", "bee", "out"):
            up = os.path.relpath(root / item.place, path.parent)
            targets = {
                "again": f"{up}/0.png",
                "nowhere": "nowhere",
                "loop": up,
                "bee": f"{up}/../{'bee' if item.place.endswith('ant') else 'ant'}/0.png",
                "out": f"{up}/../..",
            }
            path.symlink_to(targets[item.kind])
            array = self.pixels[str(root / item.place / "0.png")]
        elif item.kind == "other":
            path.write_bytes(b"something else")
        else:
            array = _write_image(path, mode, item)
        if not visible or item.kind == "other":
            return
        if item.kind in ("image", "again"):
            self.pixels[str(path)] = array
        else:
            self.faults.add(path.name)


def _write_image(path: Path, mode: str, item: Item) -> np.ndarray:
    """Write an image and return it as H×W×3 in [0, 1]."""
    shape = (*item.size, 3) if mode == "RGB" else item.size
    deep = mode not in ("1", "L", "P", "RGB")
    top = {"1": 2, "I": 2**31 - 1, "F": 2**24}.get(mode, 2**16 if deep else 2**8)
    array = np.random.default_rng(item.seed).integers(0, top, shape)
    if mode == "1":
        image = Image.fromarray(array.astype(bool))
    elif mode in ("L", "P", "RGB"):
        image = Image.fromarray(array.astype(np.uint8))
    else:
        dtype = {"I;16": "<u2", "I;16B": ">u2", "I": "<i4", "F": "<f4"}[mode]
        image = Image.frombytes(mode, item.size[::-1], array.astype(dtype).tobytes())
    if mode == "P":
        image = image.convert("P")
        image.putpalette([255 - k for k in range(256) for _ in range(3)])
        image.putdata(array.ravel().tolist())
        array = 255 - array
    exif = Image.Exif()
    if path.suffix == ".png":
        exif[0x0112] = item.turn
        array = TURNS[item.turn](array)
    more: dict[str, Any] = {"exif": exif} if path.suffix == ".png" else {}
    image.save(path, **more)
    if item.kind == "damaged":
        content = path.read_bytes()
        spoilt = [b"", content[:9], content[: len(content) // 2], b"<!doctype html>"]
        path.write_bytes(spoilt[item.suffix % 4])
    white = 1 if mode == "1" else top - 1
    pixels = array.astype(np.float32) / np.float32(white)
    return np.broadcast_to(pixels if mode == "RGB" else pixels[..., None], (*array.shape[:2], 3))


@pytest.mark.slow
@settings(max_examples=200)
@given(folders)
def test_a_folder_is_read_as_it_was_written_or_refused_by_name(asked: list[Item]) -> None:
    with tempfile.TemporaryDirectory() as top, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        root = Path(top) / "root"
        written = Written(root, asked)
        if written.faults:
            with pytest.raises(DataError) as refused:
                load_folder("folder/root", Path(top))
            assert any(printable(name) in str(refused.value) for name in written.faults)
            assert str(refused.value).isprintable()
            return
        data = load_folder("folder/root", Path(top))
        files = folder_files("folder/root", Path(top))
    assert {str(file) for file in files} == set(written.pixels)
    assert len(files) == len(written.pixels)
    images = np.concatenate([data.train_x, data.test_x])
    labels = np.concatenate([data.train_y, data.test_y])
    for file, image, label in zip(files, images, labels, strict=True):
        np.testing.assert_array_equal(
            image.transpose(1, 2, 0), written.pixels[str(file)], str(file)
        )
        assert file.relative_to(root).parts[1] == ("ant", "bee")[label]
