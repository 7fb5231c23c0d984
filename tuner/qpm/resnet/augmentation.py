"""The published augmentation of the ResNet baselines: random crop, flip, colour jitter, TrivialAugmentWide
(docs/explanation/method.md#resnet).

Müller & Hutter, "TrivialAugment: Tuning-free Yet State-of-the-Art Data Augmentation", ICCV 2021: one operation for each
image, its strength drawn uniformly. Every draw comes from a generator of one image in one epoch, so neither threads nor
a resumed run change it.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

JITTER = 0.1  # brightness, contrast and saturation by a factor from 0.9 to 1.1, hue by a tenth of the circle
STRENGTHS = 31
BLACK = (0, 0, 0)

Operation = Callable[[Image.Image, float], Image.Image]


def augmented(pixels: np.ndarray, crop: int, draw: np.random.Generator) -> np.ndarray:
    """One training image.

    Args:
        pixels: (height, width, 3) uint8, at least as large as the crop.
        crop: side of the result.
        draw: the source of all draws.

    Returns:
        (crop, crop, 3) uint8.
    """
    top, left = (int(draw.integers(0, side - crop + 1)) for side in pixels.shape[:2])
    image = Image.fromarray(np.ascontiguousarray(pixels[top : top + crop, left : left + crop]))
    if draw.random() < 0.5:
        image = ImageOps.mirror(image)
    return np.asarray(trivial(jittered(image, draw), draw))


def jittered(image: Image.Image, draw: np.random.Generator) -> Image.Image:
    """Brightness, contrast, saturation and hue, each changed a little, in random order."""
    for change in draw.permutation(4):
        factor = float(draw.uniform(1 - JITTER, 1 + JITTER))
        if change == 3:
            hue, saturation, value = image.convert("HSV").split()
            turned = (np.asarray(hue).astype(np.int16) + round(255 * (factor - 1))) % 256
            parts = (Image.fromarray(turned.astype(np.uint8)), saturation, value)
            image = Image.merge("HSV", parts).convert("RGB")
        else:
            image = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)[change](image).enhance(factor)
    return image


def trivial(image: Image.Image, draw: np.random.Generator) -> Image.Image:
    """One of the fourteen operations, with a strength of 31 steps; of either sign where it has one."""
    operation, most, signed = _OPERATIONS[int(draw.integers(len(_OPERATIONS)))]
    strength = most * int(draw.integers(STRENGTHS)) / (STRENGTHS - 1)
    return operation(image, -strength if signed and draw.random() < 0.5 else strength)


def _affine(image: Image.Image, *matrix: float) -> Image.Image:
    return image.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.NEAREST, fillcolor=BLACK)


def _enhanced(kind: Callable[[Image.Image], ImageEnhance._Enhance]) -> Operation:
    return lambda image, strength: kind(image).enhance(1.0 + strength)


# operation, largest strength, whether it has a sign: the "wide" space of the paper
_OPERATIONS: tuple[tuple[Operation, float, bool], ...] = (
    (lambda image, _: image, 0.0, False),
    (lambda image, v: _affine(image, 1, v, 0, 0, 1, 0), 0.99, True),
    (lambda image, v: _affine(image, 1, 0, 0, v, 1, 0), 0.99, True),
    (lambda image, v: _affine(image, 1, 0, v, 0, 1, 0), 32.0, True),
    (lambda image, v: _affine(image, 1, 0, 0, 0, 1, v), 32.0, True),
    (lambda image, v: image.rotate(v, fillcolor=BLACK), 135.0, True),
    (_enhanced(ImageEnhance.Brightness), 0.99, True),
    (_enhanced(ImageEnhance.Color), 0.99, True),
    (_enhanced(ImageEnhance.Contrast), 0.99, True),
    (_enhanced(ImageEnhance.Sharpness), 0.99, True),
    (lambda image, v: ImageOps.posterize(image, 8 - round(v)), 6.0, False),
    (lambda image, v: ImageOps.solarize(image, round(255 - v)), 255.0, False),
    (lambda image, _: ImageOps.autocontrast(image), 0.0, False),
    (lambda image, _: ImageOps.equalize(image), 0.0, False),
)
