"""Every mode that an image file can have: read as what was written, or refused."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from memgen_plugins.datasets.pixels import read_pixels

if TYPE_CHECKING:
    from pathlib import Path

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (6, 4), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (6, 4, 3), dtype=np.uint8)
DEEP = RNG.integers(0, 2**16, (6, 4), dtype=np.uint16)


def read(path: Path, size: int | None = None) -> Any:
    """Return an image as H×W×3, or H×W where its channels are the same."""
    pixels, remarks = read_pixels(str(path), size)
    assert pixels.dtype == np.float32
    assert remarks == []
    assert pixels.min() >= 0
    assert pixels.max() <= 1
    return pixels[0] if (pixels == pixels[0]).all() else pixels.transpose(1, 2, 0)


def tiff(path: Path, bits: int, photometric: int, content: bytes) -> None:
    """Write a greyscale TIFF of 4×6 pixels by hand."""
    tags = [
        *((256, 3, 4), (257, 3, 6), (258, 3, bits), (259, 3, 1), (262, 3, photometric)),
        *((273, 4, 122), (277, 3, 1), (278, 3, 6), (279, 4, len(content))),
    ]
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    header = struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + entries
    path.write_bytes(header.ljust(122, b"\0") + content)


def test_bytes_are_divided_by_255(tmp_path: Path) -> None:
    for name, array in {"grey.png": GREY, "rgb.bmp": COLOUR, "rgb.tif": COLOUR}.items():
        Image.fromarray(array).save(tmp_path / name)
        np.testing.assert_array_equal(read(tmp_path / name), array.astype(np.float32) / 255)


def test_one_bit_is_black_and_white(tmp_path: Path) -> None:
    Image.fromarray(GREY > 127).save(tmp_path / "x.png")
    np.testing.assert_array_equal(read(tmp_path / "x.png"), GREY > 127)


@pytest.mark.parametrize("bits", [2, 4])
def test_few_bits_of_grey_run_from_black_to_white(bits: int, tmp_path: Path) -> None:
    shades = GREY % 2**bits
    rows = (sum(int(v) << bits * (3 - i) for i, v in enumerate(row)) for row in shades)
    content = b"".join(row.to_bytes(bits // 2, "big") for row in rows)
    tiff(tmp_path / "x.tif", bits, 1, content)
    np.testing.assert_allclose(read(tmp_path / "x.tif"), shades / (2**bits - 1), atol=1e-7)


def test_a_palettes_places_stand_for_its_colours(tmp_path: Path) -> None:
    colours = RNG.integers(0, 256, (256, 3), dtype=np.uint8)
    image = Image.fromarray(GREY).convert("P")
    image.putdata(GREY.ravel().tolist())
    image.putpalette(colours.ravel().tolist())
    image.save(tmp_path / "x.png")
    np.testing.assert_array_equal(read(tmp_path / "x.png"), colours[GREY] / np.float32(255))


@pytest.mark.parametrize(
    ("name", "mode"),
    [("x.png", "I;16"), ("x.tif", "I;16"), ("big.tif", "I;16B"), ("x.pgm", "I;16")],
)
def test_sixteen_bits_are_divided_by_65535(name: str, mode: str, tmp_path: Path) -> None:
    array = DEEP.astype(">u2") if mode == "I;16B" else DEEP
    Image.frombytes(mode, (4, 6), array.tobytes()).save(tmp_path / name)
    np.testing.assert_array_equal(read(tmp_path / name), DEEP.astype(np.float32) / 65535)


def test_sixteen_bits_of_what_eight_bits_hold_too_are_the_same_image(tmp_path: Path) -> None:
    Image.fromarray(GREY).save(tmp_path / "8.png")
    Image.fromarray(GREY.astype(np.uint16) * 257).save(tmp_path / "16.png")
    np.testing.assert_array_equal(read(tmp_path / "8.png"), read(tmp_path / "16.png"))


def test_a_plain_greymap_of_another_depth_is_scaled_by_its_white(tmp_path: Path) -> None:
    (tmp_path / "x.pgm").write_text("P2 2 1 1000 0 500")
    np.testing.assert_allclose(read(tmp_path / "x.pgm"), [[0, 0.5]], atol=1e-5)


def test_twelve_bits_are_divided_by_4095(tmp_path: Path) -> None:
    values = (DEEP % 4096).ravel().tolist()
    pairs = zip(values[::2], values[1::2], strict=True)
    content = b"".join((a << 12 | b).to_bytes(3, "big") for a, b in pairs)
    tiff(tmp_path / "x.tif", 12, 1, content)
    np.testing.assert_allclose(read(tmp_path / "x.tif"), DEEP % 4096 / 4095, atol=1e-7)


def test_sixteen_bits_in_which_zero_is_white_are_refused(tmp_path: Path) -> None:
    tiff(tmp_path / "x.tif", 16, 0, DEEP.tobytes())
    with pytest.raises(ValueError, match="TIFF with pixels of mode I;16 in which 0 stands for whi"):
        read(tmp_path / "x.tif")


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_pixels_without_a_known_white_are_refused(dtype: type, tmp_path: Path) -> None:
    Image.fromarray(DEEP.astype(dtype)).save(tmp_path / "x.tif")
    with pytest.raises(ValueError, match=r"TIFF with pixels of mode [IF].*white"):
        read(tmp_path / "x.tif")


@pytest.mark.parametrize(("mode", "suffix"), [("LA", "png"), ("RGBA", "png"), ("CMYK", "tif")])
def test_other_modes_are_what_pillow_makes_of_them(mode: str, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"x.{suffix}"
    image = Image.fromarray(COLOUR).convert(mode)
    image.save(path)
    expected = np.asarray(image.convert("RGB"), np.float32) / 255
    np.testing.assert_array_equal(read(path), expected[..., 0] if mode == "LA" else expected)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("array", [COLOUR, DEEP], ids=["8 bits", "16 bits"])
def test_an_image_is_turned_as_its_exif_data_say(
    orientation: int, array: np.ndarray, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(array).save(tmp_path / "x.png", exif=exif)
    turned = {
        1: array,
        2: array[:, ::-1],
        3: array[::-1, ::-1],
        4: array[::-1],
        5: array.swapaxes(0, 1),
        6: np.rot90(array, -1),
        7: array[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(array),
    }[orientation]
    white = np.iinfo(array.dtype).max
    np.testing.assert_array_equal(read(tmp_path / "x.png"), turned.astype(np.float32) / white)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("size", [2, 6])
def test_the_shorter_side_is_resized_and_the_centre_is_taken(
    size: int, dtype: type, tmp_path: Path
) -> None:
    array = RNG.integers(0, np.iinfo(dtype).max, (8, 4), dtype=dtype)
    Image.fromarray(array).save(tmp_path / "high.png")
    Image.fromarray(array.T).save(tmp_path / "wide.png")
    exact = Image.fromarray(array.astype(np.float32) / np.iinfo(dtype).max)
    resized = np.asarray(exact.resize((size, 2 * size), Image.Resampling.BILINEAR))
    centre = resized[size // 2 : size // 2 + size]
    np.testing.assert_allclose(read(tmp_path / "high.png", size), centre, atol=0.006)
    np.testing.assert_allclose(read(tmp_path / "wide.png", size), centre.T, atol=0.006)


def test_an_image_of_the_right_size_is_left_alone(tmp_path: Path) -> None:
    Image.fromarray(COLOUR[:4]).save(tmp_path / "x.png")
    np.testing.assert_array_equal(read(tmp_path / "x.png", 4), COLOUR[:4].astype(np.float32) / 255)


def test_a_plain_area_stays_plain_when_it_is_resized(tmp_path: Path) -> None:
    Image.new("I;16", (7, 5), 13107).save(tmp_path / "x.png")
    np.testing.assert_allclose(read(tmp_path / "x.png", 8), 0.2, atol=1e-6)


def test_of_several_frames_the_first_is_read(tmp_path: Path) -> None:
    frames = [Image.fromarray(COLOUR), Image.fromarray(255 - COLOUR)]
    for name in ("x.png", "x.tif"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
        pixels, remarks = read_pixels(str(tmp_path / name))
        np.testing.assert_allclose(pixels.transpose(1, 2, 0), COLOUR / 255, atol=1e-7)
        assert remarks == ["several frames, of which the first is read"]


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_pixels_are_remarked_and_opaque_ones_are_not(mode: str, tmp_path: Path) -> None:
    image = Image.fromarray(GREY).convert("RGB").convert(mode)
    for name, alpha in (("opaque.png", 255), ("clear.png", 0)):
        if mode == "P":
            image.save(tmp_path / name, transparency=bytes([alpha] * 256))
        else:
            image.putalpha(alpha)
            image.save(tmp_path / name)
    opaque, silence = read_pixels(str(tmp_path / "opaque.png"))
    clear, remarks = read_pixels(str(tmp_path / "clear.png"))
    np.testing.assert_array_equal(opaque, clear)
    assert silence == []
    assert remarks == ["transparent pixels, whose stored colours are read"]
