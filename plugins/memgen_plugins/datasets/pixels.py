"""The pixels of an image file, whatever its mode: RGB in [0, 1], upright."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

    from memgen_bench.arrays import Images

# Formats of which it is known what their pixels of more than 8 bits range over.
_DEEP = ("PNG", "PPM", "TIFF")
_BITS_PER_SAMPLE, _PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0  # of TIFF


def read_pixels(file: str, size: int | None = None) -> tuple[Images, list[str]]:
    """Decode an image file and turn it as its EXIF data say.

    Of several frames the first is read. Alpha is dropped, so that a transparent pixel has the
    colour that is stored with it.

    Args:
        file: The image file.
        size: Height and width to resize to (bilinearly, the shorter side) and to crop to (the
            centre); None: the image as it is.

    Returns:
        The image as 3×H×W float32 in [0, 1], and what is to be said of it.

    Raises:
        ValueError: It is not known what its pixels range over.
        Exception: Pillow cannot read it, and raises what it likes.
    """
    from PIL import Image, ImageOps

    with Image.open(file) as image:
        remarks = []
        if getattr(image, "n_frames", 1) > 1:
            remarks.append("several frames, of which the first is read")
        ImageOps.exif_transpose(image, in_place=True)
        if image.mode == "F" or image.mode.startswith("I"):
            grey = np.asarray(_fit(Image.fromarray(_deep(image)), size), dtype=np.float32)
            return np.stack([grey] * 3), remarks
        if _is_transparent(image):
            remarks.append("transparent pixels, whose stored colours are read")
        image.info.pop("transparency", None)  # Pillow warns of what was just looked at
        pixels = np.asarray(_fit(image.convert("RGB"), size)).transpose(2, 0, 1)
    return pixels.astype(np.float32) / np.float32(255), remarks


def _fit(image: Image.Image, size: int | None) -> Image.Image:
    from PIL import Image, ImageOps

    return image if size is None else ImageOps.fit(image, (size, size), Image.Resampling.BILINEAR)


def _deep(image: Image.Image) -> Any:
    """Return a greyscale image of more than 8 bits as H×W float32 in [0, 1]."""
    named = f"{image.format} with pixels of mode {image.mode}"
    tags = getattr(image, "tag_v2", {})  # of TIFF
    if image.format not in _DEEP or image.mode == "F":
        raise ValueError(f"{named}, of which it is not known what is white")
    if image.mode == "I" and image.format == "TIFF":
        raise ValueError(f"{named}: signed or 32 bits deep, so that white is not known")
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        raise ValueError(f"{named} in which 0 stands for white")
    (bits,) = tags.get(_BITS_PER_SAMPLE, (16,))
    return np.asarray(image, dtype=np.float32) / (2**bits - 1)


def _is_transparent(image: Image.Image) -> bool:
    if not image.has_transparency_data:
        return False
    alpha = np.asarray(image.convert("RGBA").getchannel("A"))
    return bool(alpha.min() < 255)
