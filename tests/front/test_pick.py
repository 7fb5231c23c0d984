"""The rules pick what they say, and say what they picked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.errors import UsageError
from tuner.front.candidates import candidates
from tuner.front.knee import pick_knee
from tuner.front.near_best import pick_within
from tuner.front.pareto import Objective, Point, front
from tuner.front.pick import Rules, pick

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
        "Trial 1 is the knee of the front, the best trade-off: it gives up 0.6 percentage points of accuracy "
        "(78.4 %, against the best of the front, 79.0 % of trial 0) and 2.9 percentage points of interpretability "
        "(62.1 %, against the best of the front, 65.0 % of trial 3), and none of its 4 members lies further beyond "
        "the straight line between the extremes."
    )
    assert chosen.alternatives == ()


def test_knee_does_not_depend_on_the_natural_range() -> None:
    wide = [Objective("accuracy", "max", -1e4, 1e4), INTERPRETABILITY]
    assert pick_knee(POINTS, wide).point == pick_knee(POINTS, TWO).point


def test_knee_with_an_objective_to_minimise() -> None:
    chosen = pick_knee(POINTS, [ACCURACY, USED])
    assert chosen.point.trial == 2
    assert "adds 20 features used (30, against the best of the front, 10 of trial 3)" in chosen.reason


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


def test_an_extreme_that_lies_further_beyond_the_plane_is_not_denied() -> None:
    objectives = [*TWO, Objective("sid5", "max", 0.0, 100.0)]
    extremes = [(56.0, 11.0, 76.0), (78.0, 84.0, 33.0)]  # two of three: the plane is that of equal sums
    names = ("accuracy", "interpretability", "sid5")

    def told(*between: tuple[float, float, float]) -> str:
        rows = [*extremes, *between]
        return pick_knee(
            [Point(i, values=dict(zip(names, row, strict=True))) for i, row in enumerate(rows)], objectives
        ).reason

    alone = "and the only one of its 3 members that is best in no objective lies beyond the plane between the extremes."
    assert told((49.0, 40.0, 73.0)).endswith(alone)
    assert "and none of its 2 members that are best in no objective lies further" in told(
        (49.0, 40.0, 73.0), (50.0, 38.0, 72.0)
    )


def on(*rows: tuple[float, float]) -> list[Point]:
    return [Point(i, values={"accuracy": a, "interpretability": b}) for i, (a, b) in enumerate(rows)]


def test_a_front_of_one_member_has_no_knee() -> None:
    assert pick_knee(POINTS[4:], TWO).reason == (
        "Trial 4 is the only member of the front, so there is no knee: it is the best of the front in "
        "accuracy (60.0 %) and interpretability (60.0 %)."
    )
    twins = pick_knee([Point(7, values=POINTS[0].values), Point(3, values=POINTS[0].values)], TWO)
    assert twins.reason.startswith("Trial 3 is one of 2 equal members, the whole of the front, so there is no knee")
    assert twins.reason.endswith("; trial 7 has the same values, and the earliest is taken.")


def test_a_front_of_two_members_has_no_knee_and_both_are_named() -> None:
    two = pick_knee(POINTS[2:4], TWO)
    assert two.point.trial == 2  # 140 against 135
    assert two.alternatives == (3,)
    assert two.reason == (
        "Trial 2 is taken though the front has no knee (nothing lies between its extremes): it has the largest sum "
        "of objectives, each scaled by its natural range, and is the best of the front in accuracy (77.0 %) and gives "
        "up 2.0 percentage points of interpretability (63.0 %, against the best of the front, 65.0 % of trial 3); "
        "the alternative is trial 3 (accuracy 70.0 %, interpretability 65.0 %)."
    )


@pytest.mark.parametrize(
    ("rows", "chosen", "why"),
    [
        ([(80, 70), (75, 75), (70, 80)], 0, "its 3 members all lie on the straight line between the extremes"),
        ([(0.1, 0.7), (0.2, 0.6), (0.3, 0.5), (0.8, 0.0)], 3, "its 4 members all lie on the straight line"),
        ([(0, 80), (40, 10), (80, 0)], 2, "none of its 3 members lies beyond the straight line between the extremes"),
        ([(80, 0), (0, 80), (80, 0)], 0, "nothing lies between its extremes"),
        ([(80, 20), (80 + 1e-13, 20 - 1e-13), (60, 70)], 2, "nothing lies between its extremes"),
    ],
)
def test_a_front_without_a_bulge_has_no_knee(rows: list[tuple[float, float]], chosen: int, why: str) -> None:
    picked = pick_knee(on(*rows), TWO)
    assert picked.point.trial == chosen
    assert f"though the front has no knee ({why}" in picked.reason
    others = [i for i, row in enumerate(rows) if row != pytest.approx(rows[chosen], abs=1e-9)]
    assert list(picked.alternatives) == others
    assert all(f"trial {i} (accuracy {rows[i][0]:.1f} %" in picked.reason for i in others)


def three(*rows: tuple[float, float, float]) -> list[Point]:
    return [
        Point(i, values=dict(zip(("accuracy", "interpretability", "sid5"), row, strict=True)))
        for i, row in enumerate(rows)
    ]


def test_an_extreme_of_three_objectives_is_no_knee() -> None:
    objectives = [*TWO, Objective("sid5", "max", 0.0, 100.0)]
    ends = [(90.0, 90.0, 10.0), (10.0, 10.0, 90.0)]  # the first is the best in two objectives
    alone = pick_knee(three(*ends), objectives)
    assert "though the front has no knee (nothing lies between its extremes)" in alone.reason
    assert (alone.point.trial, alone.alternatives) == (0, (1,))
    corners = pick_knee(three((90.0, 0.0, 0.0), (0.0, 90.0, 0.0), (0.0, 0.0, 90.0)), objectives)
    assert "has no knee (nothing lies between its extremes)" in corners.reason
    assert "is the knee" in pick_knee(three(*ends, (60.0, 60.0, 60.0)), objectives).reason
    assert pick_knee(three(*ends, (60.0, 60.0, 60.0)), objectives).point.trial == 2


def test_many_alternatives_are_counted() -> None:
    picked = pick_knee(on(*((float(i), 50.0 - i) for i in range(14))), TWO)
    assert len(picked.alternatives) == 13
    assert picked.reason.endswith("trial 10 (accuracy 10.0 %, interpretability 40.0 %) and 10 more.")


def test_one_objective_has_no_knee_but_a_best() -> None:
    picked = pick(POINTS, [ACCURACY])
    assert picked.reason == (
        "Trial 0 is the best of the front in accuracy (79.0 %); with one objective there is no trade-off and so no "
        "knee; the alternative is trial 1 (accuracy 78.4 %)."
    )
    assert pick(POINTS, [USED]).point.trial == 3
    assert (
        "there is nothing to trade the distance for" in pick(POINTS, [ACCURACY], Rules(within={"accuracy": 5.0})).reason
    )


def test_differences_are_taken_before_rounding() -> None:
    points = on((79.04, 10.0), (78.46, 20.04), (0.0, 20.06))
    reason = pick_within(points, TWO, {"accuracy": 1.0}).reason
    assert "gives up 0.6 percentage points of accuracy (78.5 %, against the best of the front, 79.0 %" in reason
    assert "gains 10.0 percentage points of interpretability (20.0 %, against 10.0 % of trial 0)" in reason
    assert "less than 0.1 percentage points of interpretability (20.0 %," in pick_knee(points, TWO).reason


def test_an_accuracy_comes_with_its_error_and_the_number_of_images() -> None:
    counted = [Point(p.trial, p.params, {**p.values, "n_images": 288.0}) for p in POINTS]
    assert "accuracy (78.4 ± 2.4 %, n = 288, against the best of the front, 79.0 ± 2.4 % of trial 0)" in (
        pick_knee(counted, TWO).reason
    )


def test_within() -> None:
    chosen = pick_within(POINTS, TWO, {"accuracy": 1.0})
    assert chosen.point.trial == 1
    assert chosen.reason == (
        "Trial 1 gives up 0.6 percentage points of accuracy (78.4 %, against the best of the front, 79.0 % of trial 0) "
        "and gains 7.1 percentage points of interpretability (62.1 %, against 55.0 % of trial 0); of the 2 members of "
        "the front within 1.0 percentage point of the best accuracy none does better in interpretability."
    )
    assert pick_within(POINTS, TWO, {"accuracy": 0.5}).reason == (
        "Trial 0 is the best of the front in accuracy (79.0 %); no other member of the front lies within 0.5 "
        "percentage points of the best accuracy."
    )
    assert pick_within(POINTS, TWO, {"accuracy": 0.0}).point.trial == 0
    assert "; of all 4 members of the front within 1000.0 percentage" in (
        pick_within(POINTS, TWO, {"accuracy": 1e3}).reason
    )
    assert pick_within(POINTS, TWO, {"interpretability": 2.0}).point.trial == 2


def test_within_counts_the_distance_itself() -> None:
    assert 64.3 - 64.1 > 0.2  # in floats
    points = [
        Point(0, values={"accuracy": 64.3, "interpretability": 10.0}),
        Point(1, values={"accuracy": 64.1, "interpretability": 20.0}),
    ]
    assert pick_within(points, TWO, {"accuracy": 0.2}).point.trial == 1


def test_one_feature_is_one_feature() -> None:
    points = [Point(0, {}, {"accuracy": 80.0, "n_features_used": 6.0}), Point(1, {}, {"accuracy": 79.0})]
    points[1].values["n_features_used"] = 5.0
    reason = pick_within(points, [ACCURACY, USED], {"accuracy": 2.0}).reason
    assert "saves 1 feature used (5, against 6 of trial 0)" in reason


def test_within_of_several_others_takes_their_sum() -> None:
    chosen = pick_within(POINTS, [*TWO, USED], {"accuracy": 9.0})
    assert chosen.point.trial == 3
    assert "gains 10.0 percentage points of interpretability (65.0 %, against 55.0 % of trial 0)" in chosen.reason
    assert "saves 40 features used (10, against 50 of trial 0)" in chosen.reason
    assert chosen.reason.endswith("does better in the sum of the other objectives.")


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=1), st.integers(0, 20))
def test_within_is_a_member_within_reach_that_nobody_near_excels(rows: list[tuple[int, int]], distance: int) -> None:
    points = [Point(i, values={"accuracy": a, "interpretability": b}) for i, (a, b) in enumerate(rows)]
    chosen = pick_within(points, TWO, {"accuracy": distance}).point
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
    chosen = pick(POINTS, TWO, Rules(at_most={"features_per_class": 3}))
    assert chosen.point.trial == 2
    assert chosen.reason.startswith(
        "Of the 3 trials with features_per_class at most 3, trial 2 (features_per_class 3) is taken though the front "
        "within the limits has no knee"
    )
    within = pick(POINTS, TWO, Rules(at_most={"features_per_class": 3, "n_features_used": 20}, within={"accuracy": 7}))
    assert within.point.trial == 3
    assert pick(POINTS, TWO, Rules(at_most={"features_per_class": 3}, within={"accuracy": 0.0})).point.trial == 2


def test_at_most_counts_trials_that_others_beat() -> None:
    chosen = pick(POINTS, TWO, Rules(at_most={"n_features_used": 20}, within={"interpretability": 100.0}))
    assert chosen.point.trial == 3
    beaten = [POINTS[0], POINTS[1], POINTS[4]]
    alone = pick(beaten, TWO, Rules(at_most={"features_per_class": 3}))
    assert alone.reason.startswith("Trial 4 (features_per_class 3), the only one with features_per_class at most 3, is")
    assert alone.reason.endswith("; trial 1 beats it, but with features_per_class 4.")


def test_trials_without_the_limited_number_are_counted() -> None:
    partly = [Point(p.trial, p.params, {**p.values, "sid5": 80.0 if p.trial else float("nan")}) for p in POINTS]
    assert pick(partly, TWO, Rules(at_most={"sid5": 90}, within={"accuracy": 0})).reason.endswith(
        "; 1 trial has no such value."
    )
    with pytest.raises(UsageError, match="no trial has a number named 'sid5'"):
        pick([Point(0, values={**POINTS[0].values, "sid5": float("nan")})], TWO, Rules(at_most={"sid5": 90}))


def test_a_limit_is_not_missed_by_float_arithmetic() -> None:
    point = Point(0, {"l1": 0.1 + 0.2}, POINTS[0].values)
    assert pick([point], TWO, Rules(at_most={"l1": 0.3})).point is point


def test_nobody_qualifies() -> None:
    with pytest.raises(UsageError, match="nearest is trial 3 with features_per_class 2") as error:
        pick(POINTS, TWO, Rules(at_most={"features_per_class": 1}))
    assert error.value.what == "no trial has features_per_class at most 1"
    with pytest.raises(UsageError, match="none of 1 trials has a value of accuracy and interpretability"):
        pick([Point(0, values={"accuracy": 3.0})], TWO, Rules(at_most={"accuracy": 1}))
    with pytest.raises(UsageError, match="none of 0 trials"):
        pick_knee([], TWO)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"at_most": {"variant": 3}}, "no trial has a number named 'variant'"),
        ({"at_most": {"colour": 3}}, "one of accuracy, features_per_class"),
        ({"within": {"accuracy": -1.0}}, "the distance is -1.0"),
        ({"within": {"accuracy": float("nan")}}, "the distance is nan"),
        ({"within": {"accuracy": float("inf")}}, "the distance is inf"),
        ({"at_most": {"n_features_used": float("nan")}}, "the limit of n_features_used is nan"),
        ({"at_most": {"features_pre_class": 3}}, "did you mean 'features_per_class'?"),
        ({"within": {"acuracy": 1.0}}, "did you mean 'accuracy'?"),
        ({"within": {"sid5": 1.0}}, "one of accuracy, interpretability"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        pick(POINTS, TWO, Rules(**arguments))


def test_lower_limits_and_both_kinds_at_once() -> None:
    chosen = pick(POINTS, TWO, Rules(at_least={"interpretability": 63.5}))
    assert chosen.point.trial == 3
    assert chosen.reason.startswith("Trial 3 (interpretability 65), the only one with interpretability at least 63.5,")
    both = pick(POINTS, TWO, Rules(at_most={"features_per_class": 4}, at_least={"features_per_class": 3}))
    assert both.point.params["features_per_class"] in (3, 4)
    assert "features_per_class at most 4 and features_per_class at least 3" in both.reason
    assert "(features_per_class 4)" in both.reason


def test_lower_limits_that_no_trial_respects_name_the_nearest() -> None:
    with pytest.raises(UsageError, match="no trial has accuracy at least 90") as caught:
        pick(POINTS, TWO, Rules(at_least={"accuracy": 90.0}))
    assert "the nearest is trial 0 with accuracy 79" in caught.value.expected
    assert "loosen" in caught.value.todo


def test_what_all_members_share_is_no_merit_of_one() -> None:
    """The confirmed members of a front may all have 5 features per class, where another member has 2."""
    axes = [*TWO, Objective("features_per_class", "min", 0.0, 50.0, unit="features")]
    rows = enumerate([(79.0, 55.0), (70.0, 65.0)])
    points = [Point(i, {}, {"accuracy": a, "interpretability": b, "features_per_class": 5.0}) for i, (a, b) in rows]
    assert "equals all of the front in features per class (5)" in pick_knee(points, axes).reason
    roles = [candidate.role for candidate in candidates(points, axes)]
    assert roles == ["the largest sum of objectives and the best in interpretability", "the best in accuracy"]
