"""Distance from the training images: small for more of the same, large for others, and the limit means what it says."""

import numpy as np
import pytest

from tuner.features.likeness import FEWEST, Likeness


def tokens(n: int, seed: int, *, shift: float = 0.0, spread: float = 1.0, dim: int = 6) -> np.ndarray:
    """Images of 9 tokens that vary along three directions, and a little along all others."""
    draw = np.random.default_rng(seed)
    directions = np.random.default_rng(99).normal(size=(3, dim))
    images = draw.normal(size=(n, 1, 3)) @ directions + 0.1 * draw.normal(size=(n, 9, dim))
    return (spread * images + shift).astype(np.float16)


@pytest.fixture(scope="module")
def likeness() -> Likeness:
    found = Likeness.fit(tokens(400, 0), np.arange(400), (3, 3))
    assert found is not None
    return found


def test_more_of_the_same_is_within_the_limit_and_usual_at_one(likeness: Likeness) -> None:
    found = likeness.distances(tokens(500, 1))
    assert sum(d.unlike for d in found) <= 5
    assert 0.7 < np.median([d.value for d in found]) < 1.2
    assert 40 < np.median([d.farther_than for d in found]) < 60
    assert {d.n_images for d in found} == {400}


@pytest.mark.parametrize(
    "other", [tokens(50, 2, shift=3.0), tokens(50, 2, spread=8.0), np.zeros((1, 9, 6), np.float16)],
    ids=["shifted", "stronger", "empty"],
)  # fmt: skip
def test_other_images_are_unlike(likeness: Likeness, other: np.ndarray) -> None:
    found = likeness.distances(other)
    assert sum(d.unlike for d in found) >= 0.9 * len(other)
    assert all(d.farther_than == 100 for d in found if d.unlike)


def test_a_few_odd_training_images_do_not_set_the_limit() -> None:
    images = tokens(100, 7)
    images[[40, 80]] = tokens(2, 8, shift=3.0)  # both are left out together
    found, pure = (Likeness.fit(of, np.arange(100), (3, 3)) for of in (images, tokens(100, 7)))
    assert found is not None
    assert pure is not None
    assert found.left_out[-1] > 2 * found.limit
    assert found.limit < 1.5 * pure.limit
    assert {d.within for d in found.distances(images)} == {97.0}
    assert {d.within for d in pure.distances(images)} == {100.0}
    assert sum(d.unlike for d in found.distances(tokens(200, 9))) <= 4


def test_only_training_images_are_learned_and_nothing_is_random() -> None:
    bank = np.concatenate([tokens(60, 3), tokens(60, 4, shift=50.0)])
    one, two = (Likeness.fit(bank, np.arange(60), (3, 3)) for _ in range(2))
    assert one is not None
    assert two is not None
    for name, part in one.arrays().items():
        np.testing.assert_array_equal(part, two.arrays()[name])
    assert all(d.unlike for d in one.distances(bank[60:]))


def test_what_was_stored_measures_the_same(likeness: Likeness) -> None:
    again = Likeness.of(likeness.arrays(), 6, (3, 3), "a file")
    images = tokens(20, 5)
    stored, fitted = ([d.value for d in one.distances(images)] for one in (again, likeness))
    np.testing.assert_allclose(stored, fitted, rtol=1e-3)


def test_few_or_equal_training_images() -> None:
    assert Likeness.fit(tokens(FEWEST - 1, 6), np.arange(FEWEST - 1), (3, 3)) is None
    least = Likeness.fit(tokens(FEWEST, 6), np.arange(FEWEST), (3, 3))
    assert least is not None
    assert all(np.isfinite(d.value) for d in least.distances(tokens(5, 7)))
    equal = Likeness.fit(np.ones((20, 9, 6), np.float16), np.arange(20), (3, 3))
    assert equal is not None
    same, other = equal.distances(np.stack([np.ones((9, 6)), np.full((9, 6), 1.5)]))
    assert (same.unlike, other.unlike) == (False, True)
