"""Reads images: training, prediction, explanations and reports all use `read_image`.

docs/reference/images.md documents the supported kinds of files; others are refused with an error.
"""

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, UnidentifiedImageError

from tuner.base.s3.errors import StoreError
from tuner.data.boxes import Box, check_box, cut_out
from tuner.data.modes import (
    DEEP,
    MODES,
    UnsupportedModeError,
    check_layout,
    check_values,
    grey_of,
    has_deep_colours,
    to_rgb,
)
from tuner.data.place import Place
from tuner.errors import TunerError

LARGE = 64_000_000  # pixels; larger images are reduced by the smallest sufficient integer factor
LIMIT = 1_000_000_000  # pixels; larger images are refused
ORIENTATION = 274  # EXIF's tag
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # EXIF orientation -> the transposition that makes the stored pixels upright


class ImageError(TunerError):
    """A file that cannot be used as an image or mask; `what` names it."""


@dataclass(frozen=True)
class Facts:
    """Facts about an image, from decoding it once.

    Args:
        size: width and height, upright.
        turned: whether it is stored rotated or mirrored (EXIF orientation).
        several: whether it has several frames or pages.
        peak: largest value as 16 bits for images of more than 8 bits, otherwise None.
    """

    size: tuple[int, int]
    turned: bool
    several: bool
    peak: int | None


def read_image(file: Place, box: Box | None = None) -> Image.Image:
    """The image as upright 8-bit RGB: first frame, on a white background, reduced if very large.

    Args:
        file: the image.
        box: the part that is read; None: all of it.

    Raises:
        ImageError: it is missing, broken, or of an unsupported kind.
    """
    return read_examined(file, box)[0]


def read_examined(file: Place, box: Box | None = None) -> tuple[Image.Image, Facts]:
    """`read_image` and `examine` in one decoding.

    Raises:
        ImageError: see `read_image`.
    """
    with opened(file) as image:
        width, height = image.size
        deep_colours = has_deep_colours(image)  # before reading EXIF data, which loads a PNG
        turned = orientation(image) > 1
        several = has_several(image)
        if width * height > LARGE:
            image.draft(None, _below(image.size))
        image.load()
        peak = check_values(image, deep_colours=deep_colours)
        tag, factor = orientation(image), _factor(image.size)
        facts = Facts((height, width) if tag >= 5 else (width, height), turned, several, peak)
        upright = turned_upright(to_rgb(image) if factor == 1 else _reduced(image, factor), tag)
        if box is None:
            return upright, facts
        check_box(box, facts.size)
        return cut_out(upright, box, facts.size), facts


def examine(file: Place, box: Box | None = None) -> Facts:
    """Decode an image completely and apply the checks of `read_image`, without converting it to RGB.

    JPEGs are decoded at 1/8 scale, which reads every byte but saves most of the computation.

    Raises:
        ImageError: see `read_image`.
    """
    with opened(file) as image:
        width, height = image.size
        deep_colours = has_deep_colours(image)  # before reading EXIF data, which loads a PNG
        turned = orientation(image) > 1
        several = has_several(image)
        image.draft(None, (1, 1))
        image.load()
        lying = orientation(image) >= 5  # except in a TIFF, whose size is already that of the upright image
        peak = check_values(image, deep_colours=deep_colours)
        size = (height, width) if lying else (width, height)
        if box is not None:
            check_box(box, size)
        return Facts(size, turned, several, peak)


@contextmanager
def opened(file: Place) -> Iterator[Image.Image]:
    """An opened image file, not decoded yet; every failure inside the block becomes an `ImageError`.

    Large images are decoded one at a time, since each may take gigabytes. Pillow gets a stream, not a path: it
    scrambles memory-mapped TIFFs whose orientation is a quarter turn.
    """
    try:
        with _no_limit_of_pillow(), file.open("rb") as stream, Image.open(stream, formats=_formats()) as image:
            pixels = image.width * image.height
            if pixels > LIMIT:
                raise UnsupportedModeError(
                    f"{image.width} x {image.height} = {pixels / 1e6:,.0f} megapixels, more than {LIMIT / 1e6:,.0f}",
                    "save it smaller; a backbone uses only a few hundred pixels per side",
                )
            if image.mode not in MODES:
                raise UnsupportedModeError(f"pixels of mode {image.mode}", "save it as RGB or grey")
            check_layout(image)
            with _ONE_LARGE if pixels > LARGE else nullcontext():
                yield image
    except UnsupportedModeError as refused:
        reason, todo = refused.args
        raise ImageError(f"{file}: {reason}", "an image as docs/reference/images.md describes", todo) from None
    except StoreError:  # no fault of the image
        raise
    except Exception as error:  # decoders raise all kinds of exceptions on broken files
        reason, todo = _said(file, error)
        raise ImageError(f"{file}: {reason}", "a readable image", todo) from error


def through_jpeg(pixels: np.ndarray, quality: int) -> np.ndarray:
    """(height, width, 3) uint8: the image after it was saved as JPEG and read again.

    Args:
        pixels: (height, width, 3) uint8.
        quality: of JPEG, 1 to 95.
    """
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    with Image.open(file) as image:
        return np.array(image.convert("RGB"))


def orientation(image: Image.Image) -> int:
    """The EXIF orientation (1 to 8); 1 if there is none."""
    try:
        value = image.getexif().get(ORIENTATION, 1)
    except Exception:  # malformed EXIF data are ignored; the pixels are still usable
        return 1
    return int(value) if value in TURNS else 1


def turned_upright(image: Image.Image, tag: int) -> Image.Image:
    """The stored pixels turned upright according to their EXIF orientation."""
    return image if tag == 1 else image.transpose(TURNS[tag])


def has_several(image: Image.Image) -> bool:
    """Whether a file has several frames or pages; a phone's MPO counts as one photo with a preview or depth map."""
    return image.format != "MPO" and bool(getattr(image, "is_animated", False))


def _factor(size: tuple[int, int]) -> int:
    """The smallest integer factor that reduces an image to at most `LARGE` pixels."""
    factor = 1
    while (size[0] // factor) * (size[1] // factor) > LARGE:
        factor += 1
    return factor


def _below(size: tuple[int, int]) -> tuple[int, int]:
    """The size after reduction by `_factor`."""
    factor = _factor(size)
    return size[0] // factor, size[1] // factor


def _reduced(image: Image.Image, factor: int) -> Image.Image:
    """RGB, each pixel the mean of `factor` x `factor` pixels; in strips, to avoid a second full-size copy."""
    if image.mode in DEEP:
        image = grey_of(image)
    small = Image.new("RGB", (-(-image.width // factor), -(-image.height // factor)))
    for top in range(0, image.height, 64 * factor):
        strip = image.crop((0, top, image.width, min(top + 64 * factor, image.height)))
        small.paste(to_rgb(strip).reduce(factor), (0, top // factor))
    return small


def _said(file: Place, error: Exception) -> tuple[str, str]:
    """Why a file cannot be read, and what to do."""
    todo = "restore or remove it"
    if isinstance(error, UnidentifiedImageError):
        with file.open("rb") as stream:
            head = stream.read(4)
        if not head:
            return "is empty", todo
        if head in (b"II*\0", b"MM\0*"):
            kind = "a broken TIFF, or one with unsupported samples, such as 64-bit or colour floats"
            return f"is {kind}", "save it as RGB or grey of 8 or 16 bits, or remove it"
        return "is not a readable image, despite its name", todo
    if isinstance(error, OSError) and error.strerror:
        return error.strerror, todo
    return str(error) or type(error).__name__, todo


@cache
def _formats() -> tuple[str, ...]:
    """Supported formats, independent of file names; none of them runs another program."""
    Image.init()
    known = ("JPEG", "MPO", "PNG", "BMP", "WEBP", "TIFF", "GIF", "PPM", "JPEG2000", "AVIF")
    return tuple(name for name in known if name in Image.OPEN)


_ONE_LARGE = threading.Lock()
_COUNTING = threading.Lock()
_reading = 0  # number of threads that are decoding an image
_limit: int | None = None  # Pillow's limit before the first of them


@contextmanager
def _no_limit_of_pillow() -> Iterator[None]:
    """Disable Pillow's decompression-bomb limit while images are read here; `LIMIT` replaces it.

    Pillow's limit is a global variable; it is restored as soon as no thread is reading.
    """
    global _reading, _limit  # noqa: PLW0603
    with _COUNTING:
        if _reading == 0:
            _limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        _reading += 1
    try:
        yield
    finally:
        with _COUNTING:
            _reading -= 1
            if _reading == 0:
                Image.MAX_IMAGE_PIXELS = _limit
