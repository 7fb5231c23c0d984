"""Dominance, ranks and hypervolume against the definitions, written out by brute force."""

import itertools
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.errors import UsageError
from tuner.front import hypervolume as volumes_of
from tuner.front.pareto import Objective, Point, front, measured, ranks

OBJECTIVES = [
    Objective("accuracy", "max", 0.0, 100.0),
    Objective("interpretability", "max", 0.0, 100.0),
    Objective("n_features_used", "min", 0.0, 60.0, unit=""),
]


def hypervolume(points: list[Point], objectives: list[Objective]) -> float:
    return volumes_of.hypervolume(points, objectives, volumes_of.natural(objectives))


def history(points: list[Point], objectives: list[Objective]) -> list[float]:
    return volumes_of.history(points, objectives, volumes_of.natural(objectives))


def make_points(rows: list[tuple[float, ...]]) -> list[Point]:
    return [Point(i, values={o.name: v for o, v in zip(OBJECTIVES, row, strict=False)}) for i, row in enumerate(rows)]


def dominates(a: Point, b: Point, objectives: list[Objective]) -> bool:
    turned = [[p.values[o.name] * (1 if o.direction == "max" else -1) for o in objectives] for p in (a, b)]
    pairs = list(zip(*turned, strict=True))
    return all(x >= y for x, y in pairs) and any(x > y for x, y in pairs)


def inclusion_exclusion(points: list[Point], objectives: list[Objective]) -> float:
    """Volume of a union of boxes with one corner at the origin; exact, exponential."""
    boxes = [[o.goodness(p.values[o.name]) for o in objectives] for p in points]
    total = 0.0
    for size in range(1, len(boxes) + 1):
        for subset in itertools.combinations(boxes, size):
            total -= (-1) ** size * float(np.prod(np.min(subset, axis=0)))
    return total


# few distinct values, so that ties and duplicates are common
coarse = st.integers(0, 6).map(lambda i: i * 10.0)
fine = st.floats(0.0, 60.0, allow_nan=False)
value = st.one_of(coarse, fine)


def rows(n_objectives: int, max_size: int = 12) -> st.SearchStrategy[list[tuple[float, ...]]]:
    return st.lists(st.tuples(*[value] * n_objectives), max_size=max_size)


@pytest.mark.parametrize("n_objectives", [1, 2, 3])
def test_front_is_what_nobody_dominates(n_objectives: int) -> None:
    objectives = OBJECTIVES[:n_objectives]

    @given(rows(n_objectives))
    def check(values: list[tuple[float, ...]]) -> None:
        points = make_points(values)
        expected = [p for p in points if not any(dominates(q, p, objectives) for q in points)]
        assert front(points, objectives) == expected

    check()


@given(rows(3))
def test_ranks_peel_one_front_after_another(values: list[tuple[float, ...]]) -> None:
    rest = make_points(values)
    by_trial = {p.trial: rank for p, rank in zip(rest, ranks(rest, OBJECTIVES), strict=True)}
    rank = 0
    while rest:
        rank += 1
        layer = front(rest, OBJECTIVES)
        assert {by_trial[p.trial] for p in layer} == {rank}
        rest = [p for p in rest if p not in layer]


@pytest.mark.parametrize("n_objectives", [1, 2, 3])
def test_hypervolume_is_the_volume_of_the_union(n_objectives: int) -> None:
    objectives = OBJECTIVES[:n_objectives]

    @given(rows(n_objectives, max_size=7))
    def check(values: list[tuple[float, ...]]) -> None:
        points = make_points(values)
        expected = inclusion_exclusion(points, objectives)
        assert hypervolume(points, objectives) == pytest.approx(expected, abs=1e-9)

    check()


def test_hypervolume_agrees_with_throwing_darts() -> None:
    rng = np.random.default_rng(0)
    points = make_points([tuple(row) for row in rng.uniform(0, 60, (40, 3))])
    boxes = np.array([[o.goodness(p.values[o.name]) for o in OBJECTIVES] for p in points])
    darts = rng.uniform(size=(20_000, 1, 3))
    share = (darts <= boxes).all(axis=2).any(axis=1).mean()
    assert hypervolume(points, OBJECTIVES) == pytest.approx(share, abs=0.015)


@settings(deadline=None)
@given(rows(3, max_size=25), st.randoms(use_true_random=False))
def test_order_does_not_matter_and_more_never_hurts(values: list[tuple[float, ...]], shuffle: random.Random) -> None:
    points = make_points(values)
    mixed = shuffle.sample(points, len(points))
    assert hypervolume(mixed, OBJECTIVES) == pytest.approx(hypervolume(points, OBJECTIVES), abs=1e-12)
    assert sorted(p.trial for p in front(mixed, OBJECTIVES)) == [p.trial for p in front(points, OBJECTIVES)]
    for i in range(1, len(mixed) + 1):
        assert hypervolume(mixed[:i], OBJECTIVES) >= hypervolume(mixed[: i - 1], OBJECTIVES) - 1e-12


@settings(deadline=None)
@given(rows(2, max_size=20))
def test_history_is_the_hypervolume_so_far(values: list[tuple[float, ...]]) -> None:
    points = make_points(values)
    volumes = history(points, OBJECTIVES[:2])
    assert volumes == sorted(volumes)
    expected = [hypervolume(points[: i + 1], OBJECTIVES[:2]) for i in range(len(points))]
    assert volumes == pytest.approx(expected, abs=1e-12)


def test_points_without_an_objective_are_left_out_and_can_be_counted() -> None:
    whole, lacking = (
        Point(0, values={"accuracy": 50.0, "interpretability": 50.0}),
        Point(1, values={"accuracy": 99.0}),
    )
    nan = Point(2, values={"accuracy": 99.0, "interpretability": float("nan")})
    points, objectives = [lacking, whole, nan], OBJECTIVES[:2]
    assert measured(points, objectives) == [whole]
    assert front(points, objectives) == [whole]
    assert ranks(points, objectives) == [0, 1, 0]
    assert hypervolume(points, objectives) == pytest.approx(0.25)
    assert history(points, objectives) == pytest.approx([0.0, 0.25, 0.25])


def test_equal_points_are_all_members() -> None:
    points = make_points([(50.0, 50.0), (50.0, 50.0), (40.0, 50.0)])
    assert [p.trial for p in front(points, OBJECTIVES[:2])] == [0, 1]


def test_nothing_measured() -> None:
    assert front([], OBJECTIVES) == []
    assert ranks([], OBJECTIVES) == []
    assert hypervolume([], OBJECTIVES) == 0.0
    assert history([], OBJECTIVES) == []


def test_values_beyond_the_natural_range_count_as_its_ends() -> None:
    points = make_points([(120.0, 50.0), (50.0, -3.0)])
    assert hypervolume(points, OBJECTIVES[:2]) == pytest.approx(0.5)


def test_a_range_must_have_an_extent() -> None:
    with pytest.raises(UsageError, match="natural range 100 to 0"):
        Objective("accuracy", "max", 100, 0)
