"""The handwritten digits of scikit-learn: 1,797 real images of 8 x 8 pixels, no download needed."""

from hashlib import sha256
from typing import Self

import numpy as np
from PIL import Image

from tuner.data.dataset import Dataset
from tuner.data.duplicates import describe_copies, group_by_content
from tuner.data.settings import DataConfig
from tuner.data.splits import stratified_split
from tuner.errors import UsageError

INK = 128  # of 255: a pixel at least half covered by the pen belongs to the object


class ArrayPictures:
    """Grey images in memory; the object mask is the ink."""

    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels = pixels

    def image(self, i: int) -> Image.Image:
        """Image `i` as RGB."""
        return Image.fromarray(self.pixels[i]).convert("RGB")

    def mask(self, i: int) -> Image.Image | None:
        """The ink of image `i`: 255 where the pen covers at least half a pixel."""
        return Image.fromarray(np.where(self.pixels[i] >= INK, 255, 0).astype(np.uint8))

    def digests(self) -> list[list[str]]:
        """SHA-256 of every image's pixels; the mask follows from them."""
        return [[sha256(pixels.tobytes()).hexdigest(), str(INK)] for pixels in self.pixels]

    def part(self, index: np.ndarray) -> Self:
        """These images alone, in this order; `index` is (n,) int64."""
        return type(self)(self.pixels[index])


def scanned_digits(config: DataConfig) -> tuple[np.ndarray, np.ndarray]:
    """The digits of scikit-learn: pixels, (n, 8, 8) uint8, and labels, (n,) int64.

    Raises:
        UsageError: a folder or a split file was given.
    """
    from sklearn import datasets

    if config.root or config.masks or config.split_file:
        raise UsageError(
            f"data.name={config.name} with data.root, data.masks or data.split_file",
            "none of them: the digits are part of scikit-learn",
            "leave them empty, or use data.name=folder",
        )
    raw = datasets.load_digits()
    return np.rint(raw.images * (255 / 16)).astype(np.uint8), raw.target.astype(np.int64)


def load_digits(config: DataConfig) -> Dataset:
    """Read the digits, with a stratified split, since scikit-learn ships no official one.

    Raises:
        UsageError: a folder or a split file was given.
    """
    pixels, labels = scanned_digits(config)
    class_names = tuple(str(digit) for digit in range(10))
    digests = [image for image, _ in ArrayPictures(pixels).digests()]
    content = group_by_content(digests)
    is_train = ~stratified_split(labels, config.test_fraction, config.split_seed, class_names, content)
    paths = [f"{'train' if side else 'test'}/{i:05d}" for i, side in enumerate(is_train)]
    order = np.argsort(paths)
    return Dataset(
        name="digits",
        paths=tuple(paths[i] for i in order),
        labels=labels[order],
        is_train=is_train[order],
        class_names=class_names,
        has_mask=np.ones(len(labels), dtype=np.bool_),
        pictures=ArrayPictures(pixels[order]),
        notes=tuple(describe_copies(content, is_train, paths)),
        content=group_by_content(np.array(digests)[order].tolist()),
    )
