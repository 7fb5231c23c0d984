"""The augmentation: its sizes, its draws, and that every operation changes the image within its kind."""

import numpy as np
from PIL import Image

from tuner.qpm.resnet.augmentation import _OPERATIONS, augmented, jittered

PIXELS = np.random.default_rng(0).integers(0, 255, (40, 40, 3)).astype(np.uint8)


def test_one_generator_makes_one_image():
    images = [augmented(PIXELS, 32, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert images[0].shape == (32, 32, 3)
    assert images[0].dtype == np.uint8
    assert np.array_equal(images[0], images[1])
    assert not np.array_equal(images[0], images[2])


def test_jitter_is_small():
    flat = Image.new("RGB", (8, 8), (200, 100, 50))
    for seed in range(20):
        changed = np.asarray(jittered(flat, np.random.default_rng(seed))).astype(int)
        assert np.abs(changed - np.array([200, 100, 50])).max() < 90


def test_operations_at_no_strength_leave_the_image_alone():
    image = Image.fromarray(PIXELS)
    kept = [bool((np.asarray(run(image, 0.0)) == PIXELS).all()) for run, most, _ in _OPERATIONS if most]
    assert all(kept)
    assert len(_OPERATIONS) == 14


def test_operations_at_full_strength_change_it():
    image = Image.fromarray(PIXELS)
    same = [np.array_equal(np.asarray(run(image, most)), PIXELS) for run, most, _ in _OPERATIONS if most]
    assert not any(same)
