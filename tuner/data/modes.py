"""Converts stored pixel values to 8-bit RGB for every image mode.

The rules are documented in docs/reference/images.md.
"""

from typing import Any

import numpy as np
from PIL import Image

DEEP = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")  # grey with more than 8 bits
FLAT = ("1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr", "LAB", "HSV")
CLEAR = ("LA", "La", "PA", "RGBA", "RGBa")  # with an alpha channel
MODES = (*DEEP, *FLAT, *CLEAR)

PAGE = (255, 255, 255)  # background behind transparent pixels: white, as in image viewers
BLACK = 256  # 16-bit values below become 0 of 255
BRIGHTEN = "save it as 8 bit, or multiply all images by the same factor"
BITS, COMPRESSION, PHOTOMETRIC, PLANES, SAMPLE_FORMAT = 258, 259, 262, 284, 339  # tags of TIFF


class UnsupportedModeError(Exception):
    """A file that opens but is not supported: the reason, and what to do; becomes an `ImageError`."""


def check_layout(image: Image.Image) -> None:
    """Refuse uncompressed TIFFs with 16-bit colours in separate planes, which Pillow decodes to noise.

    Raises:
        UnsupportedModeError: the image is such a file.
    """
    in_planes = _tags(image, PLANES) == (2,) and _tags(image, COMPRESSION) == (1,)
    if in_planes and image.mode not in DEEP and max(_tags(image, BITS), default=8) > 8:
        raise UnsupportedModeError(
            "16-bit colours in separate planes", "save it with the colours side by side (PlanarConfiguration 1)"
        )


def has_deep_colours(image: Image.Image) -> bool:
    """Whether a file has 16 bits per colour, of which Pillow keeps the upper byte; call before it is loaded."""
    return image.mode not in DEEP and any(";16" in str(tile) for tile in getattr(image, "tile", ()))


def check_values(image: Image.Image, *, deep_colours: bool = False) -> int | None:
    """Refuse unsupported values; returns the largest value of an image of more than 8 bits, as 16 bits.

    Args:
        image: loaded.
        deep_colours: result of `has_deep_colours`; the largest value is then known only to its upper byte.

    Raises:
        UnsupportedModeError: values that are NaN, negative or out of range, or an image that would be all black or all
            white.
    """
    if image.mode not in DEEP:
        if image.mode == "L" and 2 in _tags(image, SAMPLE_FORMAT):
            raise UnsupportedModeError("signed 8-bit integers", "save it as unsigned 8 bit")
        if _has_alpha(image):
            _check_contrast(image)
        return _deepest(image) if deep_colours else None
    values = deep_values(image)
    low, high = values.min(), values.max()
    if image.mode == "F":
        if not np.isfinite(values).all():
            raise UnsupportedModeError("floats that are NaN or infinite", "replace them by numbers from 0 to 1")
        if not (low >= 0 and high <= 1):
            raise UnsupportedModeError(
                f"floats from {low:g} to {high:g}, which are read from 0 (black) to 1 (white)",
                "divide by the value that is white, the same for all images, or save it as 8 or 16 bit",
            )
        low, high = low * 65535, high * 65535
    elif low < 0 or high > 65535:
        raise UnsupportedModeError(
            f"integers from {low} to {high}, which are read from 0 (black) to 65535 (white)", "save it as 16 bit"
        )
    if low < high < BLACK:
        raise UnsupportedModeError(f"no value above {high:g} of 65535, so that it would be black", BRIGHTEN)
    return int(high)


def _deepest(image: Image.Image) -> int:
    """The largest value of any colour as 16 bits, whose lower byte is unknown.

    Raises:
        UnsupportedModeError: the image would be black.
    """
    levels: Any = image.getextrema()  # of each band
    high = max(most for band, (_, most) in zip(image.getbands(), levels, strict=True) if band.upper() != "A")
    if high == 0:
        raise UnsupportedModeError(f"no value reaches {BLACK} of 65535, so that it would be black", BRIGHTEN)
    return int(high) << 8 | 255


def deep_values(image: Image.Image) -> np.ndarray:
    """The values of a grey image with more than 8 bits, 0 for black; 12-bit samples are scaled to 16 bits."""
    values: np.ndarray = np.asarray(image)
    white: Any = 1 if image.mode == "F" else 65535
    if _tags(image, BITS) == (12,):
        values = values << 4 | values >> 8
    return white - values if _tags(image, PHOTOMETRIC) == (0,) else values


def _tags(image: Image.Image, tag: int) -> tuple[Any, ...]:
    """The values of a tag of a TIFF; empty for other files."""
    value = getattr(image, "tag_v2", {}).get(tag, ())
    return value if isinstance(value, tuple) else (value,)


def _has_alpha(image: Image.Image) -> bool:
    """Whether pixels may be transparent, through an alpha channel, a colour, or a palette entry."""
    return image.mode in CLEAR or "transparency" in image.info


def _rgba(image: Image.Image) -> Image.Image:
    return (image.convert("LA") if image.mode == "La" else image).convert("RGBA")


def _check_contrast(image: Image.Image) -> None:
    """Refuse an image that would be invisible on white.

    Raises:
        UnsupportedModeError: all opaque pixels are white.
    """
    if np.asarray(to_rgb(image)).min() == PAGE[0] and np.asarray(_rgba(image))[..., 3].min() < 255:
        raise UnsupportedModeError(
            "white wherever it is not transparent, so that nothing would be seen", "save it on a darker colour"
        )


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert an image of any mode to RGB (docs/reference/images.md); one that is RGB already is not copied."""
    if image.mode in DEEP:
        return grey_of(image).convert("RGB")
    if _has_alpha(image):
        return Image.alpha_composite(Image.new("RGBA", image.size, PAGE), _rgba(image)).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def grey_of(image: Image.Image) -> Image.Image:
    """An image of more than 8 bits as 8-bit grey: the upper byte of 16 bits, or a float rounded to 256 levels."""
    values = deep_values(image)
    grey = np.rint(values * 255) if image.mode == "F" else values >> 8
    grey[values == image.info.get("transparency", -1)] = PAGE[0]
    return Image.fromarray(grey.astype(np.uint8))
