"""Batches come in order, squashed, with masks on the token grid."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tuner.data.load import load_dataset
from tuner.data.settings import DataConfig
from tuner.errors import TunerError
from tuner.features.geometry import mask_on_grid
from tuner.features.loading import batches


def test_order_size_and_content(photos: DataConfig) -> None:
    data = load_dataset(photos)
    index = np.array([5, 0, 7, 23, 2, 2, 11])
    loaded = list(batches(data, index, 32, (4, 4), 3))
    assert [len(batch.index) for batch in loaded] == [3, 3, 1]
    assert np.array_equal(np.concatenate([batch.index for batch in loaded]), index)
    assert loaded[0].images.shape == (3, 3, 32, 32)
    expected = np.asarray(data.pictures.image(5).resize((32, 32), Image.Resampling.BILINEAR))
    assert np.array_equal(loaded[0].images[0].permute(1, 2, 0).numpy(), expected)
    without = next(i for i in range(24) if not data.has_mask[i])
    assert not next(batches(data, [without], 32, (4, 4), 1)).masks.any()


def test_more_and_fewer_batches_than_prepared(photos: DataConfig) -> None:
    data = load_dataset(photos)
    for n in (0, 1, 24):
        assert sum(len(batch.index) for batch in batches(data, range(n), 8, (2, 2), 1)) == n


def test_stopping_early_leaves_no_threads_behind(photos: DataConfig) -> None:
    import threading

    before = threading.active_count()
    loader = batches(load_dataset(photos), range(24), 8, (2, 2), 1)
    next(loader)
    loader.close()
    assert threading.active_count() == before


def test_an_image_that_breaks_on_the_way_is_named(photos: DataConfig) -> None:
    data = load_dataset(photos)
    (Path(photos.root) / data.paths[4]).write_bytes(b"gone bad")
    with pytest.raises(TunerError, match=data.paths[4]):
        list(batches(data, range(24), 8, (2, 2), 5))
    whole = load_dataset(replace(photos, masks=""))
    assert not whole.has_mask.any()


def test_mask_on_grid_is_bilinear_at_cell_centres() -> None:
    """OpenCV's INTER_LINEAR samples at (i + 0.5) * scale - 0.5 and mixes the two neighbours on each axis."""
    mask = np.random.default_rng(0).integers(0, 256, (37, 53)).astype(np.uint8)

    def weights(size: int, cells: int) -> np.ndarray:
        at = np.clip((np.arange(cells) + 0.5) * size / cells - 0.5, 0, size - 1)
        low = np.minimum(at.astype(int), size - 2)
        matrix = np.zeros((cells, size))
        matrix[np.arange(cells), low] = 1 - (at - low)
        matrix[np.arange(cells), low + 1] = at - low
        return matrix

    expected = weights(37, 5) @ mask @ weights(53, 7).T
    assert np.abs(mask_on_grid(mask, (5, 7)) - expected).max() <= 0.5 + 1e-3
    assert (mask_on_grid(np.full((9, 9), 255, np.uint8), (4, 4)) == 255).all()
