"""The stratified cut: shares, seeds, and classes that are too small."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.data.splits import stratified_split
from tuner.errors import UsageError


@given(
    counts=st.lists(st.integers(2, 40), min_size=1, max_size=8),
    fraction=st.floats(0.01, 0.99),
    seed=st.integers(0, 1000),
)
def test_each_class_gives_its_share_and_keeps_one_on_both_sides(counts: list[int], fraction: float, seed: int) -> None:
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    held_out = stratified_split(labels, fraction, seed)
    for label, count in enumerate(counts):
        n = held_out[labels == label].sum()
        assert 1 <= n <= count - 1
        assert abs(n - fraction * count) <= 1


def test_the_seed_decides() -> None:
    labels = np.repeat(np.arange(5), 20)
    first = stratified_split(labels, 0.3, 1)
    assert np.array_equal(first, stratified_split(labels, 0.3, 1))
    assert not np.array_equal(first, stratified_split(labels, 0.3, 2))
    assert not stratified_split(labels, 0.0, 1).any()


def test_a_class_with_one_image_is_named() -> None:
    with pytest.raises(UsageError, match="wren"):
        stratified_split(np.array([0, 0, 1]), 0.5, 0, ["sparrow", "wren"])
    with pytest.raises(UsageError, match="class 1"):
        stratified_split(np.array([0, 0, 1]), 0.5, 0)
    with pytest.raises(UsageError, match=r"1\.0"):
        stratified_split(np.array([0, 0]), 1.0, 0)


def test_groups_with_several_classes_are_held_out_whole() -> None:
    labels, groups = np.tile(np.arange(4), 30), np.repeat(np.arange(10), 12)
    held_out = stratified_split(labels, 0.3, 0, content=groups)
    assert len(np.unique(groups[held_out])) == 3
    assert not np.intersect1d(groups[held_out], groups[~held_out]).size
    assert not np.array_equal(held_out, stratified_split(labels, 0.3, 1, content=groups))


def test_a_class_that_groups_keep_on_one_side_is_named() -> None:
    labels, groups = np.array([0, 2, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 2, 2])
    with pytest.raises(UsageError, match=r"images of (owl|wren|tit) are on one side"):
        stratified_split(labels, 0.25, 0, ["wren", "tit", "owl"], groups)  # whichever group is held out
