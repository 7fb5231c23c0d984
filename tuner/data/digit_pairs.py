"""Two-digit numbers, 00 to 99, put together from scikit-learn's digits: 100 classes, no download needed.

Ten digits are too easy to show a trade-off: the smallest model is also the most accurate. A number has two digits, so a
class must be told from 99 others by features that it shares with most of them.
"""

from hashlib import sha256

import numpy as np
from PIL import Image

from tuner.data.dataset import Dataset
from tuner.data.digits import INK, ArrayPictures, scanned_digits
from tuner.data.duplicates import group_by_content
from tuner.data.settings import DataConfig
from tuner.data.splits import stratified_split

DIGITS = 10
BLOCKS = 12  # of digits; both digits of a number come from one block, and a block is on one side of every split
NUMBERS_A_BLOCK = 4  # images of each class made from a block


class NumberPictures(ArrayPictures):
    """Numbers in memory, as ink; they are drawn like dominoes, the tens light on dark and the units dark on light.

    Which of the two digits a patch belongs to is thus seen in the patch alone: the backbone knows no positions.
    """

    def image(self, i: int) -> Image.Image:
        """Image `i` as RGB."""
        return Image.fromarray(self._drawn(i)).convert("RGB")

    def digests(self) -> list[list[str]]:
        """SHA-256 of every image as it is drawn; the mask follows from it."""
        return [[sha256(self._drawn(i).tobytes()).hexdigest(), str(INK)] for i in range(len(self.pixels))]

    def _drawn(self, i: int) -> np.ndarray:
        ink: np.ndarray = self.pixels[i]
        half = ink.shape[1] // 2
        return np.concatenate([ink[:, :half], 255 - ink[:, half:]], axis=1)


def load_digit_pairs(config: DataConfig) -> Dataset:
    """Put the digits in pairs, so that no digit is part of images on two sides of a split.

    The digits are dealt to blocks, copies of a digit to the same one. Each block then gives the same number of images
    to every class. Digits of a block are used several times, in different pairs.

    Raises:
        UsageError: a folder or a split file was given.
    """
    digits, values = scanned_digits(config)
    generator = np.random.default_rng(config.split_seed)
    block_of = _deal(digits, values, generator)
    tens, units, blocks = _pair(values, block_of, generator)
    labels = values[tens] * DIGITS + values[units]
    pixels = np.concatenate([digits[tens], digits[units]], axis=2)
    class_names = tuple(f"{number:02d}" for number in range(DIGITS * DIGITS))
    is_train = ~stratified_split(labels, config.test_fraction, config.split_seed, class_names, blocks)
    paths = np.array([f"{'train' if side else 'test'}/{i:05d}" for i, side in enumerate(is_train)])
    order = np.argsort(paths)
    return Dataset(
        name="digit_pairs",
        paths=tuple(paths[order].tolist()),
        labels=labels[order].astype(np.int64),
        is_train=is_train[order],
        class_names=class_names,
        has_mask=np.ones(len(labels), dtype=np.bool_),
        pictures=NumberPictures(pixels[order]),
        groups=group_by_content([str(block) for block in blocks[order]]),
    )


def _deal(digits: np.ndarray, targets: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """The block of each digit, (n,): as many of each of the ten in every block as copies allow."""
    first = group_by_content([sha256(digit.tobytes()).hexdigest() for digit in digits])
    block_of = np.zeros(len(digits), dtype=np.int64)
    for digit in range(DIGITS):
        different = generator.permutation(np.flatnonzero((targets == digit) & (first == np.arange(len(digits)))))
        block_of[different] = np.arange(len(different)) % BLOCKS
    together: np.ndarray = block_of[first]
    return together


def _pair(
    targets: np.ndarray, block_of: np.ndarray, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Indices of the left and the right digit of each image, and its block, each (n_images,)."""
    rows = []
    for block in range(BLOCKS):
        members = [np.flatnonzero((targets == digit) & (block_of == block)) for digit in range(DIGITS)]
        for number in range(DIGITS * DIGITS):
            left, right = (members[digit] for digit in divmod(number, DIGITS))
            pairs = generator.choice(len(left) * len(right), NUMBERS_A_BLOCK, replace=False)
            rows += [(left[pair // len(right)], right[pair % len(right)], block) for pair in pairs]
    tens, units, blocks = np.array(rows).T
    return tens, units, blocks
