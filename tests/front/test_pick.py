"""The rules pick what they say, and say what they picked."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.errors import UsageError
from tuner.front.pareto import Objective, Point, front
from tuner.front.pick import Pick, pick, pick_at_most, pick_knee, pick_within

ACCURACY = Objective("accuracy", "max", 0.0, 100.0)
INTERPRETABILITY = Objective("interpretability", "max", 0.0, 100.0)
USED = Objective("n_features_used", "min", 0.0, 60.0, unit="")
TWO = [ACCURACY, INTERPRETABILITY]

POINTS = [
    Point(
        i,
        {"features_per_class": k, "variant": "paper"},
        {"accuracy": a, "interpretability": b, "n_features_used": n},
    )
    for i, (k, a, b, n) in enumerate(
        [
            (5, 79.0, 55.0, 50),
            (4, 78.4, 62.1, 40),
            (3, 77.0, 63.0, 30),
            (2, 70.0, 65.0, 10),
            (3, 60.0, 60.0, 20),
        ]
    )
]


def test_knee() -> None:
    chosen = pick_knee(POINTS, TWO)
    assert chosen.point.trial == 1
    assert chosen.reason == (
        "Trial 1 is the knee of the front, where the trade is best: it gives up 0.6 points of accuracy "
        "(78.4 against the best 79.0) and 2.9 points of interpretability (62.1 against the best 65.0), and "
        "none of the 4 members lies further beyond the straight line between the extremes."
    )


def test_knee_does_not_depend_on_the_natural_range() -> None:
    wide = [Objective("accuracy", "max", -1e4, 1e4), INTERPRETABILITY]
    assert pick_knee(POINTS, wide).point == pick_knee(POINTS, TWO).point


def test_knee_with_an_objective_to_minimise() -> None:
    chosen = pick_knee(POINTS, [ACCURACY, USED])
    assert chosen.point.trial == 2
    assert "adds 20 features used (30 against the best 10)" in chosen.reason


def test_knee_of_three_objectives() -> None:
    corners = [(90.0, 10.0, 50), (10.0, 90.0, 50), (10.0, 10.0, 5)]
    middle, dent = (70.0, 70.0, 15), (11.0, 11.0, 6)
    points = [
        Point(i, values=dict(zip(("accuracy", "interpretability", "n_features_used"), row, strict=True)))
        for i, row in enumerate([*corners, middle, dent])
    ]
    chosen = pick_knee(points, [*TWO, USED])
    assert chosen.point.trial == 3
    assert "beyond the plane between the extremes" in chosen.reason


def test_knee_of_three_is_measured_from_the_plane_not_by_the_sum() -> None:
    objectives = [*TWO, Objective("sid5", "max", 0.0, 100.0)]
    extremes = [(100, 60, 0), (0, 100, 0), (0, 0, 100)]  # the first is good in two: the plane leans
    furthest, largest_sum = (30, 80, 50), (90, 30, 45)
    points = [
        Point(i, values=dict(zip(("accuracy", "interpretability", "sid5"), map(float, row), strict=True)))
        for i, row in enumerate([*extremes, furthest, largest_sum])
    ]
    assert pick_knee(points, objectives).point.trial == 3


def test_fronts_without_a_knee() -> None:
    alone = pick_knee(POINTS[4:], TWO)
    assert alone.reason == (
        "Trial 4 is the only member of the front: it has the best accuracy (60.0) and interpretability (60.0)."
    )
    two = pick_knee(POINTS[2:4], TWO)
    assert two.point.trial == 2  # 140 against 135
    assert "the front has no knee, for none of its 2 members lies beyond" in two.reason
    twins = [Point(7, values=POINTS[0].values), Point(3, values=POINTS[0].values)]
    assert pick_knee(twins, TWO).reason.startswith("Trial 3 is the first of 2 equal members")
    dented = [
        Point(i, values={"accuracy": a, "interpretability": 80.0 - a - 30 * (a == 40)})
        for i, a in enumerate((0, 40, 80))
    ]
    assert pick_knee(dented, TWO).point.trial == 2  # the extremes tie: the more accurate one


def test_within() -> None:
    chosen = pick_within(POINTS, TWO, 1.0, "accuracy")
    assert chosen.point.trial == 1
    assert chosen.reason == (
        "Trial 1 gives up 0.6 points of accuracy (78.4 against the best 79.0) and gains 7.1 points of "
        "interpretability; nobody within 1.0 point of the best accuracy does better in interpretability."
    )
    assert pick_within(POINTS, TWO, 0.5, "accuracy").reason.startswith("Trial 0 has the best accuracy (79.0); nobody")
    assert pick_within(POINTS, TWO, 2.0, "interpretability").point.trial == 2


def test_within_counts_the_distance_itself() -> None:
    assert 64.3 - 64.1 > 0.2  # in floats
    points = [
        Point(0, values={"accuracy": 64.3, "interpretability": 10.0}),
        Point(1, values={"accuracy": 64.1, "interpretability": 20.0}),
    ]
    assert pick_within(points, TWO, 0.2, "accuracy").point.trial == 1


def test_within_of_several_others_takes_their_sum() -> None:
    chosen = pick_within(POINTS, [*TWO, USED], 9.0, "accuracy")
    assert chosen.point.trial == 3
    assert "gains 10.0 points of interpretability and saves 40 features used" in chosen.reason
    assert chosen.reason.endswith("does better in the sum of the other objectives.")


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=1), st.integers(0, 20))
def test_within_is_a_member_within_reach_that_nobody_near_excels(rows: list[tuple[int, int]], distance: int) -> None:
    points = [Point(i, values={"accuracy": a, "interpretability": b}) for i, (a, b) in enumerate(rows)]
    chosen = pick_within(points, TWO, distance, "accuracy").point
    assert chosen in front(points, TWO)
    best = max(p.values["accuracy"] for p in points)
    near = [p for p in points if best - p.values["accuracy"] <= distance]
    assert chosen in near
    assert chosen.values["interpretability"] == max(p.values["interpretability"] for p in near)


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=1))
def test_knee_is_the_furthest_beyond_the_line(rows: list[tuple[int, int]]) -> None:
    points = [Point(i, values={"accuracy": a, "interpretability": b}) for i, (a, b) in enumerate(rows)]
    members = front(points, TWO)
    chosen = pick_knee(points, TWO).point
    assert chosen in members
    ax, ay = max((p.values["accuracy"], p.values["interpretability"]) for p in members)
    bx, by = min((p.values["accuracy"], p.values["interpretability"]) for p in members)

    def beyond(p: Point) -> float:  # twice the signed area of the triangle: proportional to the distance
        return (ax - bx) * (p.values["interpretability"] - by) - (ay - by) * (p.values["accuracy"] - bx)

    assert beyond(chosen) == max(beyond(p) for p in members)


def test_at_most() -> None:
    chosen = pick_at_most(POINTS, TWO, {"features_per_class": 3})
    assert chosen.point.trial == 2
    assert chosen.reason.startswith("Of 3 trials with features per class at most 3, trial 2 has")
    within: Pick = pick_at_most(
        POINTS,
        TWO,
        {"features_per_class": 3, "n_features_used": 20},
        partial(pick_within, distance=7, metric="accuracy"),
    )
    assert within.point.trial == 3
    assert pick(POINTS, TWO, at_most={"features_per_class": 3}, within=0.0).point.trial == 2


def test_at_most_counts_trials_that_others_beat() -> None:
    chosen = pick(POINTS, TWO, at_most={"n_features_used": 20}, within=100.0, metric="interpretability")
    assert chosen.point.trial == 3
    beaten = [POINTS[0], POINTS[1], POINTS[4]]
    assert "(trial 1, beyond the limit, beats it)" in pick(beaten, TWO, at_most={"features_per_class": 3}).reason


def test_nobody_qualifies() -> None:
    with pytest.raises(UsageError, match="nearest is trial 3 with features_per_class 2") as error:
        pick_at_most(POINTS, TWO, {"features_per_class": 1})
    assert error.value.what == "no trial has features_per_class at most 1"
    with pytest.raises(UsageError, match="none of 1 trials has a value of accuracy and interpretability"):
        pick([Point(0, values={"accuracy": 3.0})], TWO, at_most={"accuracy": 1})
    with pytest.raises(UsageError, match="none of 0 trials"):
        pick_knee([], TWO)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"at_most": {"variant": 3}}, "no trial has a number named 'variant'"),
        ({"at_most": {"colour": 3}}, "one of accuracy, features_per_class"),
        ({"within": -1.0}, "the distance is -1.0"),
        ({"within": float("nan")}, "the distance is nan"),
        ({"metric": "accuracy"}, "named without a distance"),
        ({"within": 1.0, "metric": "sid5"}, "one of accuracy, interpretability"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        pick(POINTS, TWO, **arguments)
