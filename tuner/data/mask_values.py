"""Reads the values of one mask file, converted to 8 bits; `masks` decides what they mean."""

from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from tuner.data.modes import CLEAR, DEEP, UnsupportedModeError, deep_values
from tuner.data.pixels import has_several, opened, orientation, turned_upright
from tuner.data.place import Place, S3Path

WHITE = 65535  # in 16 bits
VOID = (224, 224, 192)  # colour of the "void" borders in PASCAL VOC's colour-coded masks
DARK_COLOUR = 64  # JPEG artifacts around black areas are darker than this
BLACK = 16  # values below count as black in a JPEG
BACKGROUND = 0.05  # a colour mask with a smaller share of black is checked for its number of colours:
COLOURS = 64  # photographs have more colours than this, label masks do not
SAVE = "save it with 0 for the background and 255 for the object"


class DrawnMask(Protocol):
    """A mask that is no file of its own."""

    def values(self) -> np.ndarray:
        """Its values, (h, w) uint8.

        Raises:
            ImageError: what it is drawn from has no meaning.
        """
        ...

    def digest(self) -> str:
        """Hash of what it is drawn from."""
        ...


Mask = Place | DrawnMask


def mask_values(file: Mask) -> np.ndarray:
    """A mask's values converted to 8 bits and upright, (h, w) uint8: 0 background, labels, or grey up to 255.

    Raises:
        ImageError: it cannot be read, or its values have no meaning.
    """
    if not isinstance(file, Path | S3Path):
        return file.values()
    with opened(file) as image:
        if has_several(image):
            raise UnsupportedModeError("mask of several frames or pages", "save it as one picture")
        image.load()
        values = _folded(image, lossy=_is_lossy(file, image.format))
        return np.asarray(turned_upright(Image.fromarray(values), orientation(image)))


def _folded(image: Image.Image, *, lossy: bool) -> np.ndarray:
    """The values of one file as 8 bits; those of lossy formats are thresholded at half."""
    if image.mode in DEEP:
        return _fold_deep(deep_values(image))
    if image.mode == "P":
        return _fold_palette(image)
    if image.mode in ("1", "L") and "transparency" not in image.info:
        grey: np.ndarray = np.asarray(image.convert("L"))
        return _cut(grey) if lossy else grey
    return _fold_colours(image, lossy=lossy)


def _cut(grey: np.ndarray) -> np.ndarray:
    """A noisy grey mask, thresholded to 0 and 255."""
    return np.where(grey >= 128, 255, 0).astype(np.uint8)


def _fold_colours(image: Image.Image, *, lossy: bool) -> np.ndarray:
    """Colours as label 1, transparency as background, grey unchanged."""
    if image.mode in CLEAR or "transparency" in image.info:
        whole = image.convert("LA") if image.mode == "La" else image
        pixels = np.asarray(whole.convert("RGBA"))
        alpha, colours = pixels[..., 3], pixels[..., :3]
        if alpha.min() < alpha.max():
            is_coloured = colours.any(2)
            return np.where(is_coloured, alpha, 0) if (is_coloured & (alpha > 0)).any() else alpha
    else:
        colours = np.asarray(image.convert("RGB"))
    brightest: np.ndarray = colours.max(2)
    if (colours == brightest[..., None]).all():
        return _cut(brightest) if lossy else brightest
    is_object = brightest >= (DARK_COLOUR if lossy else 1)
    if (brightest < (BLACK if lossy else 1)).mean() < BACKGROUND and _n_colours(colours) > COLOURS:
        raise UnsupportedModeError(
            f"a photograph rather than a mask: more than {COLOURS} colours, and hardly any black background",
            f"{SAVE}; rename an image whose name only looks like a mask",
        )
    return np.where((colours == VOID).all(2), 255, is_object).astype(np.uint8)


def _n_colours(colours: np.ndarray) -> int:
    red, green, blue = colours.astype(np.uint32).transpose(2, 0, 1)
    return len(np.unique(red << 16 | green << 8 | blue))


def _fold_palette(image: Image.Image) -> np.ndarray:
    """Palette indices (PASCAL VOC); grey values for a grey palette; 0 for transparent or black entries."""
    index: np.ndarray = np.asarray(image)
    colours: np.ndarray = np.zeros((256, 3), dtype=np.uint8)
    listed = np.array(image.getpalette("RGB") or [], dtype=np.uint8).reshape(-1, 3)
    colours[: len(listed)] = listed
    used = np.unique(index)
    clear = _transparent(image)[used]
    grey = colours[used, 0]
    black = ~colours[used].any(1)
    if clear.any() and not clear.all():
        background = used[clear]
    elif (colours[used] == grey[:, None]).all() and len(np.unique(grey)) == len(used):
        folded: np.ndarray = colours[:, 0][index]
        return folded
    elif (colours[0].any() or used[0] > 0) and black.any() and not black.all():
        background = used[black]
    else:
        return index
    return np.where(np.isin(index, background), 0, 255).astype(np.uint8)


def _transparent(image: Image.Image) -> np.ndarray:
    """Which palette entries are fully transparent, (256,) bool."""
    clear = np.zeros(256, dtype=np.bool_)
    key = image.info.get("transparency")
    if isinstance(key, bytes):
        clear[: len(key)] = np.frombuffer(key, dtype=np.uint8) == 0
    elif key is not None:
        clear[key] = True
    return clear


def _fold_deep(values: np.ndarray) -> np.ndarray:
    """Integers or floats of more than 8 bits: labels unchanged, otherwise 65535 or 1.0 is white.

    Raises:
        UnsupportedModeError: the values are neither labels nor fractions.
    """
    low, high = values.min(), values.max()
    if not (low >= 0 and high < np.inf):
        raise UnsupportedModeError(f"mask of values from {low:g} to {high:g}", SAVE)
    folded: np.ndarray
    if values.dtype.kind == "f" and high > 1 and (values != np.rint(values)).any():
        raise UnsupportedModeError(f"mask of fractions up to {high:g}", SAVE)
    if values.dtype.kind == "f" and high <= 1:
        folded = np.maximum(np.rint(values * 255), values > 0)
    elif high <= 255:
        folded = values
    elif values[values != WHITE].max(initial=0) < 255:
        folded = np.where(values == WHITE, 255, values)
    elif WHITE // 2 < high <= WHITE:
        folded = np.maximum(np.rint(values / 257), values > 0)
    else:
        folded = values > 0
    return folded.astype(np.uint8)


def _is_lossy(file: Place, kind: str | None) -> bool:
    """Whether the file's compression is lossy, so that a grey mask must be thresholded."""
    if kind == "WEBP":
        return b"VP8L" not in file.read_bytes()
    return kind in ("JPEG", "MPO")
