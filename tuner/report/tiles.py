"""Saliency as pictures: an image in grey under the heat of one feature, or of several, each in its colour."""

import base64
import io
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]
Map = npt.NDArray[np.float32]
Colour = tuple[int, int, int]

# Okabe and Ito 2008 for the first six, which any colour vision tells apart; then IBM's and Tol's schemes.
# Colour is never the only sign: every tile also says its feature's number.
PALETTE: tuple[Colour, ...] = (
    (213, 94, 0), (0, 114, 178), (0, 158, 115), (204, 121, 167), (230, 159, 0), (86, 180, 233),
    (120, 94, 240), (220, 38, 127), (153, 153, 51), (68, 170, 153), (170, 68, 153), (17, 119, 51),
)  # fmt: skip

SMALL = 64  # images below this many pixels are shown as pixels, not blurred
LIFT = 40.0  # how far black is lifted, of 255: colours show on dark images too
TALLEST = 3  # times its width a picture may be high: a strip of a few pixels would fill the page
STRENGTH = 0.82  # opacity of the heat where it is strongest


def colours(features: Iterable[int]) -> dict[int, Colour]:
    """A colour for each feature; the most frequent come first, so that shared features differ most.

    Args:
        features: feature indices with repetition, as they appear on the page.
    """
    seen = list(features)
    by_use = sorted(dict.fromkeys(seen), key=lambda f: -seen.count(f))
    return {feature: PALETTE[i % len(PALETTE)] for i, feature in enumerate(by_use)}


def overlay(image: Pixels, maps: Sequence[Map], paints: Sequence[Colour], peaks: Sequence[float], width: int) -> Pixels:
    """The image, mostly grey, with each map painted over it in its colour, the stronger one prevailing.

    Args:
        image: (h, w, 3).
        maps: one (grid_h, grid_w) map per feature; values below 0 are not painted; no map: the image in grey.
        paints: one colour per map.
        peaks: per map the value that is painted at full strength (0 or less: the map is not painted).
        width: of the result, pixels, as in `resized`.

    Returns:
        (height, width, 3).
    """
    picture = resized(image, width).astype(np.float32)
    height, width = picture.shape[:2]
    grey = picture @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    base = LIFT + (1 - LIFT / 255) * (0.25 * picture + 0.75 * grey[..., None])
    heats = np.zeros((len(maps), height, width), dtype=np.float32)
    for heat, saliency, peak in zip(heats, maps, peaks, strict=True):
        heat[:] = _heat(saliency, peak, (width, height))
    shares = heats**2 / np.maximum((heats**2).sum(axis=0), 1e-12)
    paint = np.einsum("nhw,nc->hwc", shares, np.array(paints, dtype=np.float32).reshape(-1, 3))
    alpha = STRENGTH * heats.max(axis=0, initial=0.0)[..., None]
    return np.asarray(np.clip(base * (1 - alpha) + paint * alpha, 0, 255), dtype=np.uint8)


def scale_bar(paint: Colour, width: int, height: int) -> Pixels:
    """Every strength from none on the left to full on the right, as `overlay` paints it on middle grey."""
    ramp = np.linspace(0.0, 1.0, width, dtype=np.float32)[None].repeat(height, axis=0)
    return overlay(np.full((height, width, 3), 128, dtype=np.uint8), [ramp], [paint], [1.0], width)


def resized(image: Pixels, width: int) -> Pixels:
    """The image at another width, its height in proportion; tiny ones keep their pixels visible.

    What would be more than `TALLEST` times as high as wide gets that height, and is narrower.
    """
    height = round(width * image.shape[0] / image.shape[1])
    if height > TALLEST * width:
        height, width = TALLEST * width, max(1, round(TALLEST * width * image.shape[1] / image.shape[0]))
    height = max(1, height)
    how = Image.Resampling.NEAREST if min(image.shape[:2]) < SMALL else Image.Resampling.LANCZOS
    return np.asarray(Image.fromarray(image).resize((width, height), how))


def data_uri(image: Pixels) -> str:
    """The image as a JPEG within its own address, so that the page fetches nothing."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="JPEG", quality=86, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _heat(saliency: Map, peak: float, size: tuple[int, int]) -> Map:
    """The map in [0, 1] at the picture's size, (height, width)."""
    if not peak > 0:
        return np.zeros(size[::-1], dtype=np.float32)
    share = np.clip(np.nan_to_num(saliency) / peak, 0.0, 1.0).astype(np.float32)
    smooth = Image.fromarray(share).resize(size, Image.Resampling.BICUBIC)
    return np.clip(np.asarray(smooth, dtype=np.float32), np.float32(0), np.float32(1))
