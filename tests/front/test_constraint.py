"""Outcome constraints: their text, how far a trial is beyond them, and that violators are no members of a front."""

import pytest

from tuner.errors import UsageError
from tuner.front import hypervolume, pareto
from tuner.front.constraint import Constraint, satisfaction
from tuner.front.knee import pick_knee
from tuner.front.pareto import Objective, Point

AXES = (Objective("accuracy", "max", 0, 100), Objective("size", "min", 0, 50, unit=""))


def point(trial, accuracy, size, *violates):
    return Point(trial, values={"accuracy": accuracy, "size": size}, violates=violates)


@pytest.mark.parametrize("text", ["accuracy >= 80", "  accuracy>=80.0 ", "accuracy >= 8e1"])
def test_a_constraint_is_read_from_its_text(text):
    assert Constraint.parse(text) == Constraint("accuracy", ">=", 80.0)
    assert str(Constraint.parse(text)) == "accuracy >= 80"


@pytest.mark.parametrize(
    "text", ["accuracy > 80", "accuracy", ">= 80", "accuracy >= x", "accuracy >= 1.2.3", "80 <= accuracy"]
)
def test_another_text_is_refused(text):
    with pytest.raises(UsageError, match="constraint") as refused:
        Constraint.parse(text)
    assert "accuracy >= 80" in refused.value.todo


def test_a_violation_is_a_share_of_the_bound():
    least, most = Constraint.parse("accuracy >= 80"), Constraint.parse("size <= 20")
    assert least.violation({"accuracy": 80.0}) == 0.0
    assert least.violation({"accuracy": 72.0}) == pytest.approx(0.1)
    assert most.violation({"size": 25}) == pytest.approx(0.25)
    assert most.violation({"size": 3}) == 0.0
    assert least.violation({}) == least.violation({"accuracy": float("nan")}) == 1.0


def test_a_trial_that_violates_is_no_member_and_ranks_behind_all_others():
    points = [point(0, 99, 40, "size <= 30"), point(1, 90, 20), point(2, 80, 25), point(3, 50, 45, "size <= 30")]
    assert [p.trial for p in pareto.front(points, AXES)] == [1]
    assert pareto.ranks(points, AXES) == [3, 1, 2, 4]
    assert pick_knee(points, AXES).point.trial == 1


def test_where_all_trials_violate_the_front_is_theirs_but_counts_nothing():
    points = [point(0, 99, 40, "size <= 30"), point(1, 90, 35, "size <= 30"), point(2, 80, 45, "size <= 30")]
    assert [p.trial for p in pareto.front(points, AXES)] == [0, 1]
    worst = hypervolume.natural(AXES)
    assert hypervolume.hypervolume(points, AXES, worst) == 0.0
    assert hypervolume.history([*points, point(3, 50, 25)], AXES, worst) == pytest.approx([0, 0, 0, 0.25])


def test_it_is_said_how_many_satisfy():
    wanted = [Constraint.parse("accuracy >= 80")]
    assert satisfaction([], [False]) == satisfaction(wanted, []) == ""
    assert satisfaction(wanted, [True, False, True]) == (
        "1 of 3 complete trials satisfies accuracy >= 80; the others are no members of the front"
    )
    assert satisfaction(wanted, [True, True]).startswith("none of the 2 complete trials satisfies accuracy >= 80, so")
    assert satisfaction(wanted, [False, False]) == "all 2 complete trials satisfy accuracy >= 80"


def test_a_trial_that_satisfies_a_bound_says_by_how_much():
    bound = Constraint.parse("accuracy >= 80")
    assert bound.excess({"accuracy": 88.0}) == pytest.approx(-0.1)
    assert bound.excess({"accuracy": 72.0}) == bound.violation({"accuracy": 72.0}) == pytest.approx(0.1)
    assert bound.excess({"accuracy": float("nan")}) is None
