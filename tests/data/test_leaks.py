"""No image that a model is measured on was trained on: not under any protocol, seed or split, and no copy of one."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tuner.features.bank import FeatureBank
from tuner.features.sides import check_sides, split_masks

PROTOCOLS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("paper", {"protocol": "paper", "validation_fraction": 0.2}),
    ("validation", {"protocol": "validation", "validation_fraction": 0.2}),
    ("validation, half", {"protocol": "validation", "validation_fraction": 0.5}),
)


def _bank(seed: int, copies: bool) -> FeatureBank:
    """150 images of 6 classes, a quarter held out as test; with `copies`, a third of the images has one."""
    generator = np.random.default_rng(seed)
    labels = generator.permutation(np.arange(150) % 6)
    content = np.arange(150)
    if copies:
        for i in range(0, 150, 3):
            alike = np.flatnonzero(labels == labels[i])
            content[i] = content[generator.choice(alike[alike <= i])]
    is_train = np.ones(150, dtype=np.bool_)
    for label in range(6):
        is_train[np.flatnonzero(labels == label)[:6]] = False
    return FeatureBank(
        patches=np.zeros((150, 1, 1), np.float16),
        cls=None,
        labels=labels,
        is_train=is_train,
        masks=None,
        has_mask=np.zeros(150, dtype=np.bool_),
        grid=(1, 1),
        class_names=tuple("abcdef"),
        paths=tuple(f"{i:03d}" for i in range(150)),
        class_attributes=None,
        image_attributes=None,
        key="key",
        folder=Path(),
        content=content if copies else None,
    )


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("copies", [False, True])
@pytest.mark.parametrize(("name", "split"), PROTOCOLS)
def test_sides_are_disjoint_and_complete(name: str, split: dict[str, Any], copies: bool, seed: int) -> None:
    bank = _bank(seed, copies)
    masks = split_masks(bank, split, seed)
    indices = [np.flatnonzero(mask) for mask in masks.values()]
    assert sorted(np.concatenate(indices).tolist()) == list(range(150))  # each image once
    assert masks["test"].tolist() == (~bank.is_train).tolist()
    assert set(bank.labels[masks["train"]].tolist()) == set(range(6))
    if split["protocol"] == "paper":
        assert set(masks) == {"train", "test"}
        assert masks["train"].tolist() == bank.is_train.tolist()
        return
    assert set(masks) == {"train", "validation", "test"}
    assert set(bank.labels[masks["validation"]].tolist()) == set(range(6))
    share = masks["validation"].sum() / bank.is_train.sum()
    assert share == pytest.approx(split["validation_fraction"], abs=0.06)
    if bank.content is not None:
        assert not set(bank.content[masks["train"]].tolist()) & set(bank.content[masks["validation"]].tolist())


def test_the_seed_moves_validation_and_never_test() -> None:
    bank, split = _bank(0, False), PROTOCOLS[1][1]
    cuts = [split_masks(bank, split, seed) for seed in range(4)]
    assert len({cut["validation"].tobytes() for cut in cuts}) == 4
    assert len({cut["test"].tobytes() for cut in cuts}) == 1
    assert np.array_equal(split_masks(bank, split, 2)["train"], cuts[2]["train"])


def test_a_bank_without_content_is_cut_like_one_without_copies() -> None:
    bank, split = _bank(0, False), PROTOCOLS[1][1]
    alike = replace(bank, content=np.arange(150))
    assert np.array_equal(split_masks(bank, split, 5)["validation"], split_masks(alike, split, 5)["validation"])


def test_a_leak_stops_the_stage() -> None:
    bank = _bank(0, True)
    masks = split_masks(bank, PROTOCOLS[1][1], 0)
    with pytest.raises(AssertionError, match="not disjoint"):
        check_sides(masks | {"train": bank.is_train}, bank)  # validation images in train
    with pytest.raises(AssertionError, match="not complete"):
        check_sides(masks | {"validation": np.zeros(150, dtype=np.bool_)}, bank)
    with pytest.raises(AssertionError, match="test is not"):
        check_sides({"train": masks["test"], "test": ~masks["test"]}, bank)
    assert bank.content is not None
    torn = {name: mask.copy() for name, mask in masks.items()}
    pair = next(
        i for i in range(150) if masks["train"][i] and (bank.content[masks["train"]] == bank.content[i]).sum() > 1
    )
    torn["train"][pair], torn["validation"][pair] = False, True
    with pytest.raises(AssertionError, match="both in train and in validation"):
        check_sides(torn, bank)


def test_groups_of_several_classes_stay_together() -> None:
    bank, split = _bank(0, False), PROTOCOLS[2][1]
    first, second = (np.flatnonzero(bank.is_train & (bank.labels == label)) for label in (0, 1))
    content = np.arange(150)
    content[second] = first[: len(second)]
    for seed in range(5):
        masks = split_masks(replace(bank, content=content), split, seed)
        assert not np.intersect1d(content[masks["train"]], content[masks["validation"]]).size
        assert masks["validation"].any()
