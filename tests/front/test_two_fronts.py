"""Two fronts: what only one attains, where it is ahead, and how far the other would have to move."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.errors import UsageError
from tuner.front.attainment import stretches
from tuner.front.pareto import Objective, Point, front
from tuner.front.two_fronts import two_fronts

ACCURACY = Objective("accuracy", "max", 0.0, 100.0)
USED = Objective("n_features", "min", 0.0, 60.0, unit="")
AXES = [ACCURACY, USED]


def members(*rows: tuple[float, float]) -> list[Point]:
    return [Point(i, values={"accuracy": a, "n_features": n}) for i, (a, n) in enumerate(rows)]


FIRST = members((90.0, 50.0), (80.0, 20.0))
SECOND = members((88.0, 30.0), (70.0, 10.0))


def test_shares_of_the_box_are_those_of_its_rectangles() -> None:
    found = two_fronts(FIRST, SECOND, AXES, {"accuracy": 60.0, "n_features": 60.0})
    assert found.box.best == {"accuracy": 90.0, "n_features": 10.0}
    assert found.hypervolume[0] == pytest.approx((30 * 10 + 20 * 30) / 1500)
    assert found.hypervolume[1] == pytest.approx((28 * 30 + 10 * 20) / 1500)
    assert found.only[0] == pytest.approx((2 * 10 + 10 * 10) / 1500)  # right of 88, and between 20 and 30 features
    assert found.only[1] - found.only[0] == pytest.approx(found.hypervolume[1] - found.hypervolume[0])
    assert found.covered == (0, 0)
    assert found.joint == found.members == (2, 2)
    # the first needs 8 points more to match trial 0 of the second, the second 10 features less to match trial 1
    assert found.epsilon == pytest.approx((8 / 30, 10 / 50))


def test_the_usual_reference_lies_a_tenth_beyond_the_worst_member() -> None:
    assert two_fronts(FIRST, SECOND, AXES).box.worst == {"accuracy": 68.0, "n_features": 54.0}
    alone = two_fronts(FIRST[:1], FIRST[:1], AXES)
    assert alone.box.worst == {"accuracy": 80.0, "n_features": 56.0}
    assert alone.hypervolume == (1.0, 1.0)
    with pytest.raises(UsageError, match="accuracy=95 is not worse than the best member, 90"):
        two_fronts(FIRST, SECOND, AXES, {"accuracy": 95.0})


def test_where_one_is_ahead() -> None:
    found = stretches(FIRST, SECOND, AXES)
    assert [(s.worst, s.best, s.ahead, s.gap) for s in found] == [
        (None, 70.0, "second", 10.0),
        (70.0, 80.0, "first", 10.0),
        (80.0, 88.0, "second", 20.0),
        (88.0, 90.0, "first", None),
    ]
    assert [s.between for s in found] == [(1, 1), (1, 0), (0, 0), (0, None)]
    assert [s.ahead for s in stretches(FIRST, FIRST, AXES)] == ["neither"]


PAIRS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=6)


@settings(deadline=None, max_examples=40)
@given(PAIRS, PAIRS)
def test_indicators_agree_with_each_other(one: list[tuple[int, int]], two: list[tuple[int, int]]) -> None:
    first, second = (front(members(*[(float(a), float(n)) for a, n in rows]), AXES) for rows in (one, two))
    found = two_fronts(first, second, AXES)
    assert found.hypervolume[0] - found.only[0] == pytest.approx(found.hypervolume[1] - found.only[1])
    nowhere_worse = found.epsilon[0] <= 1e-12
    assert nowhere_worse == (found.only[1] < 1e-12)
    assert nowhere_worse == all(stretch.ahead != "second" for stretch in stretches(first, second, AXES))
    swapped = two_fronts(second, first, AXES)
    assert swapped.only == pytest.approx(found.only[::-1])
    assert swapped.covered == found.covered[::-1]
