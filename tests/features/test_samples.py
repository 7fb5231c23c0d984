"""Samples keep their tensors together."""

import numpy as np
import torch

from tuner.features.samples import Samples


def _samples() -> Samples:
    return Samples(
        patches=torch.arange(5 * 4 * 3).reshape(5, 4, 3).half(),
        cls=torch.arange(15).reshape(5, 3).half(),
        labels=torch.tensor([0, 1, 2, 0, 1]),
        masks=torch.arange(20, dtype=torch.uint8).reshape(5, 2, 2),
        has_mask=torch.tensor([True, True, False, True, True]),
        grid=(2, 2),
        n_classes=3,
        image_attributes=torch.arange(10, dtype=torch.int8).reshape(5, 2),
        class_attributes=torch.rand(3, 2),
    )


def test_subset_by_index_and_by_mask() -> None:
    whole = _samples()
    chosen = whole.subset(np.array([3, 1]))
    assert len(chosen) == 2
    assert chosen.labels.tolist() == [0, 1]
    for name in ("patches", "cls", "masks", "has_mask", "image_attributes"):
        assert torch.equal(getattr(chosen, name), getattr(whole, name)[[3, 1]]), name
    assert chosen.class_attributes is whole.class_attributes
    by_mask = whole.subset(whole.labels == 1)
    assert by_mask.labels.tolist() == [1, 1]
    assert (by_mask.n_classes, by_mask.grid, by_mask.dim) == (3, (2, 2), 3)


def test_to_moves_everything() -> None:
    moved = _samples().to("meta")
    for name in ("patches", "cls", "labels", "masks", "has_mask", "image_attributes", "class_attributes"):
        assert getattr(moved, name).device.type == "meta", name
    assert moved.device.type == "meta"
