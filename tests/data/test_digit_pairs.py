"""Two-digit numbers: which digits are on which side of every split, and how they are drawn."""

import numpy as np
import pytest
from sklearn.datasets import load_digits as raw_digits

from tuner.data import digit_pairs
from tuner.data.dataset import Dataset
from tuner.data.load import load_dataset
from tuner.data.settings import DataConfig
from tuner.data.splits import stratified_split
from tuner.errors import UsageError


@pytest.fixture(scope="module")
def numbers() -> Dataset:
    return load_dataset(DataConfig("digit_pairs"))


def halves(dataset: Dataset, images: np.ndarray) -> set[bytes]:
    """The digits that these images are made of."""
    ink = dataset.pictures.pixels[images]  # type: ignore[attr-defined]
    return {half.tobytes() for half in np.concatenate([ink[:, :, :8], ink[:, :, 8:]])}


def test_a_number_is_its_two_digits(numbers: Dataset) -> None:
    raw = raw_digits()
    label_of = {
        np.rint(d * (255 / 16)).astype(np.uint8).tobytes(): t for d, t in zip(raw.images, raw.target, strict=True)
    }
    assert numbers.class_names[37] == "37"
    for i in range(0, len(numbers), 97):
        ink = numbers.pictures.pixels[i]  # type: ignore[attr-defined]
        assert 10 * label_of[ink[:, :8].tobytes()] + label_of[ink[:, 8:].tobytes()] == numbers.labels[i]


def test_no_digit_is_on_two_sides(numbers: Dataset) -> None:
    train = np.flatnonzero(numbers.is_train)
    assert numbers.together is not None
    for seed in range(3):
        held_out = stratified_split(numbers.labels[train], 0.33, seed, numbers.class_names, numbers.together[train])
        sides = [train[~held_out], train[held_out], np.flatnonzero(~numbers.is_train)]
        digits = [halves(numbers, side) for side in sides]
        assert sum(map(len, digits)) == len(set.union(*digits))
        assert all(len(set(np.bincount(numbers.labels[side]))) == 1 for side in sides)  # classes of one size


def test_copies_of_a_digit_are_in_one_block() -> None:
    digits = np.zeros((40, 2, 2), dtype=np.uint8)
    digits[:, 0, 0] = np.arange(40) // 2  # two of each
    blocks = digit_pairs._deal(digits, np.arange(40) // 4 % 10, np.random.default_rng(0))
    assert np.array_equal(blocks[::2], blocks[1::2])


def test_the_units_are_dark_on_light_and_ink_is_the_mask(numbers: Dataset) -> None:
    image, mask = np.asarray(numbers.pictures.image(0)), np.asarray(numbers.pictures.mask(0))
    assert image.shape == (8, 16, 3)
    assert (image[:, :8, 0][mask[:, :8] == 255] >= 128).all()
    assert (image[:, 8:, 0][mask[:, 8:] == 255] < 128).all()


def test_the_seed_decides(numbers: Dataset) -> None:
    again = digit_pairs.load_digit_pairs(DataConfig("digit_pairs"))
    other = digit_pairs.load_digit_pairs(DataConfig("digit_pairs", split_seed=1))
    assert again.pictures.digests() == numbers.pictures.digests()
    assert other.pictures.digests() != numbers.pictures.digests()


def test_it_takes_no_files() -> None:
    with pytest.raises(UsageError, match="part of scikit-learn"):
        load_dataset(DataConfig("digit_pairs", masks="here"))
