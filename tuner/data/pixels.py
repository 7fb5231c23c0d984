"""The one reader of pixels: what is trained on, predicted, explained and shown all comes through `read_image`.

docs/reference/images.md writes down what each kind of file means; what has no meaning there is refused by name.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from PIL import Image, UnidentifiedImageError

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
from tuner.errors import TunerError

LARGE = 64_000_000  # pixels; an image above is reduced by the whole factor that brings it below
LIMIT = 1_000_000_000  # pixels; an image above is refused
ORIENTATION = 274  # EXIF's tag
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # EXIF orientation -> what makes the stored pixels upright


class ImageError(TunerError):
    """A file that cannot be used as an image or as a mask; `what` names it."""


@dataclass(frozen=True)
class Facts:
    """What is known of an image after it has been decoded once.

    Args:
        size: width and height as it is seen, upright.
        turned: stored otherwise than it is seen (EXIF orientation).
        several: one of several frames or pages.
        peak: its largest value as 16 bits, for images with more than 8; otherwise None.
    """

    size: tuple[int, int]
    turned: bool
    several: bool
    peak: int | None


def read_image(file: Path) -> Image.Image:
    """The image as it is seen: upright, 8-bit RGB, the first frame, on white; very large ones reduced.

    Raises:
        ImageError: it is missing, broken, or of a kind that has no meaning here.
    """
    with opened(file) as image:
        if image.width * image.height > LARGE:
            image.draft(None, _below(image.size))
        deep_colours = has_deep_colours(image)
        image.load()
        check_values(image, deep_colours=deep_colours)
        factor = _factor(image.size)
        return turned_upright(to_rgb(image) if factor == 1 else _reduced(image, factor), orientation(image))


def examine(file: Path) -> Facts:
    """Decodes an image to its last byte and applies the rules of `read_image`, without making its RGB pixels.

    JPEGs are decoded at an eighth of their size, which reads every byte but skips most of the arithmetic.

    Raises:
        ImageError: as `read_image` would.
    """
    with opened(file) as image:
        width, height = image.size
        deep_colours = has_deep_colours(image)  # before EXIF is looked for, which loads a PNG
        turned = orientation(image) > 1
        several = has_several(image)
        image.draft(None, (1, 1))
        image.load()
        lying = orientation(image) >= 5  # not so in a TIFF, whose size is that of the upright image from the start
        peak = check_values(image, deep_colours=deep_colours)
        return Facts((height, width) if lying else (width, height), turned, several, peak)


@contextmanager
def opened(file: Path) -> Iterator[Image.Image]:
    """An image file whose pixels have not been decoded yet; every failure inside the block is an `ImageError`.

    Large images are decoded one at a time, since each may take gigabytes. Pillow gets a stream, not a path: a TIFF that
    it maps into memory comes out scrambled where its orientation is a quarter turn.
    """
    try:
        with _no_limit_of_pillow(), file.open("rb") as stream, Image.open(stream, formats=_formats()) as image:
            pixels = image.width * image.height
            if pixels > LIMIT:
                raise UnsupportedModeError(
                    f"{image.width} x {image.height} = {pixels / 1e6:,.0f} megapixels, more than {LIMIT / 1e6:,.0f}",
                    "save it smaller; a backbone sees a few hundred pixels of each side",
                )
            if image.mode not in MODES:
                raise UnsupportedModeError(f"pixels of mode {image.mode}", "save it as RGB or grey")
            check_layout(image)
            with _ONE_LARGE if pixels > LARGE else nullcontext():
                yield image
    except UnsupportedModeError as refused:
        reason, todo = refused.args
        raise ImageError(f"{file}: {reason}", "an image as docs/reference/images.md describes", todo) from None
    except Exception as error:  # decoders fail on broken files in every way there is
        reason, todo = _said(file, error)
        raise ImageError(f"{file}: {reason}", "a readable image", todo) from error


def orientation(image: Image.Image) -> int:
    """How the stored pixels are to be turned (EXIF, 1 to 8); 1 where nothing says so."""
    try:
        value = image.getexif().get(ORIENTATION, 1)
    except Exception:  # EXIF data that cannot be parsed say nothing; the pixels are still there
        return 1
    return int(value) if value in TURNS else 1


def turned_upright(image: Image.Image, tag: int) -> Image.Image:
    """The stored pixels as they are seen, by their EXIF orientation."""
    return image if tag == 1 else image.transpose(TURNS[tag])


def has_several(image: Image.Image) -> bool:
    """Whether a file has more frames or pages than one; the MPO of a phone is one photo with a preview or depth."""
    return image.format != "MPO" and bool(getattr(image, "is_animated", False))


def _factor(size: tuple[int, int]) -> int:
    """The smallest whole factor that brings an image to `LARGE` or below."""
    factor = 1
    while (size[0] // factor) * (size[1] // factor) > LARGE:
        factor += 1
    return factor


def _below(size: tuple[int, int]) -> tuple[int, int]:
    """The size that `_factor` leads to."""
    factor = _factor(size)
    return size[0] // factor, size[1] // factor


def _reduced(image: Image.Image, factor: int) -> Image.Image:
    """RGB, each pixel the mean of `factor` x `factor`; strip by strip, so that no second copy is needed."""
    if image.mode in DEEP:
        image = grey_of(image)
    small = Image.new("RGB", (-(-image.width // factor), -(-image.height // factor)))
    for top in range(0, image.height, 64 * factor):
        strip = image.crop((0, top, image.width, min(top + 64 * factor, image.height)))
        small.paste(to_rgb(strip).reduce(factor), (0, top // factor))
    return small


def _said(file: Path, error: Exception) -> tuple[str, str]:
    """What went wrong with a file that cannot be read, and what to do."""
    todo = "restore or remove it"
    if isinstance(error, UnidentifiedImageError):
        with file.open("rb") as stream:
            head = stream.read(4)
        if not head:
            return "is empty", todo
        if head in (b"II*\0", b"MM\0*"):
            kind = "a broken TIFF, or one of samples that are not read, such as 64-bit or coloured floats"
            return f"is {kind}", "save it as RGB or grey of 8 or 16 bits, or remove it"
        return "is no image that can be read, whatever its name says", todo
    if isinstance(error, OSError) and error.strerror:
        return error.strerror, todo
    return str(error) or type(error).__name__, todo


@cache
def _formats() -> tuple[str, ...]:
    """Formats that are read, whatever a file's name says; none that runs another program."""
    Image.init()
    known = ("JPEG", "MPO", "PNG", "BMP", "WEBP", "TIFF", "GIF", "PPM", "JPEG2000", "AVIF")
    return tuple(name for name in known if name in Image.OPEN)


_ONE_LARGE = threading.Lock()
_COUNTING = threading.Lock()
_reading = 0  # threads between opening an image and having decoded it
_limit: int | None = None  # what Pillow's limit was before the first of them


@contextmanager
def _no_limit_of_pillow() -> Iterator[None]:
    """Sets Pillow's limit aside while images are read here, where `LIMIT` stands for it; a slide is no attack.

    Pillow keeps it in one variable of the process: it comes back as soon as no thread reads.
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
