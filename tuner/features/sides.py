"""Splits the images of a bank into train, validation and test under a protocol, without overlap."""

from typing import Any

import numpy as np

from tuner.data.splits import stratified_split
from tuner.features.bank import FeatureBank


def split_masks(bank: FeatureBank, split: dict[str, Any], seed: int) -> dict[str, np.ndarray]:
    """Which images are `train`, `validation` and `test` under a protocol: boolean masks (n_images,).

    Under `paper`, train is all of train and there is no validation split
    (docs/explanation/method.md#no-test-leak). Copies of an image are
    never on both sides of the cut between train and validation.

    Args:
        bank: the feature bank, which knows train and test.
        split: `protocol` and `validation_fraction`.
        seed: of the cut between train and validation.
    """
    if split["protocol"] == "paper":
        masks = {"train": bank.is_train, "test": ~bank.is_train}
    else:
        held_out = np.zeros(len(bank), dtype=np.bool_)
        train = np.flatnonzero(bank.is_train)
        content = None if bank.content is None else bank.content[train]
        fraction = split["validation_fraction"]
        held_out[train[stratified_split(bank.labels[train], fraction, seed, bank.class_names, content)]] = True
        masks = {"train": bank.is_train & ~held_out, "validation": held_out, "test": ~bank.is_train}
    check_sides(masks, bank)
    return masks


def check_sides(masks: dict[str, np.ndarray], bank: FeatureBank) -> None:
    """Make sure that no model is measured on what it was trained on, however the masks were made.

    Raises:
        AssertionError: an image lies on no side or on two, test is not the bank's, or copies of an image are both in
            train and in validation.
    """
    if not (np.sum(list(masks.values()), axis=0) == 1).all():
        raise AssertionError(f"the sides {', '.join(masks)} are not disjoint, or not complete")
    if not np.array_equal(masks["test"], ~bank.is_train):
        raise AssertionError("test is not what the bank holds out")
    if bank.content is not None and "validation" in masks:
        both = np.intersect1d(bank.content[masks["train"]], bank.content[masks["validation"]])
        if len(both):
            raise AssertionError(f"copies of {bank.paths[int(both[0])]} lie both in train and in validation")
