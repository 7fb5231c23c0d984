"""The rules that take one member, alone and behind distances and limits: what they take, say, and refuse."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.front.test_pick import ACCURACY, INTERPRETABILITY, POINTS, TWO, USED, on
from tuner.errors import UsageError
from tuner.front import words
from tuner.front.bootstrap import Run
from tuner.front.candidates import candidates
from tuner.front.difference import Difference, Price, differences
from tuner.front.pareto import front
from tuner.front.pick import Rules, pick

SIZE = ["features_per_class"]
DENT = on((90.0, 10.0), (50.0, 45.0), (10.0, 90.0))  # the middle one lies inside the straight line


def test_a_wish_is_approached_where_no_weights_lead() -> None:
    wished = pick(DENT, TWO, Rules(aspire={"accuracy": 60.0, "interpretability": 60.0}))
    assert wished.point.trial == 1
    assert wished.reason == (
        "Trial 1 comes closest to accuracy 60.0 % and interpretability 60.0 %: it misses accuracy by 10.0 percentage "
        "points (50.0 %) and interpretability by 15.0 percentage points (45.0 %); none of the 3 members of the front "
        "has a smaller largest shortfall."
    )
    taken = {
        pick(DENT, TWO, Rules(weights={"accuracy": w, "interpretability": 1.0 - w})).point.trial
        for w in np.linspace(0, 1, 21).tolist()
    }
    assert taken == {0, 2}


def test_wishes_that_are_met_are_exceeded_evenly_and_a_wish_for_one_objective_leaves_the_rest_free() -> None:
    met = pick(POINTS, TWO, Rules(aspire={"accuracy": 75.0, "interpretability": 61.0}))
    assert met.point.trial == 2  # by 2 points each; trial 1 by 3.4 and 1.1
    assert "reaches accuracy 75.0 % and interpretability 61.0 %: it betters accuracy by 2.0" in met.reason
    assert "a larger smallest surplus" in met.reason
    assert met.runner_up is not None
    exact = pick(POINTS, TWO, Rules(aspire={"accuracy": 79.0}))
    assert "meets accuracy exactly (79.0 %)" in exact.reason
    fewer = pick(POINTS, [ACCURACY, USED], Rules(aspire={"n_features_used": 15.0, "accuracy": 78.0}))
    assert "features used by 15" in fewer.reason or "features used by 5" in fewer.reason


def test_weights_are_worth_points() -> None:
    twice = pick(POINTS, TWO, Rules(weights={"accuracy": 2.0, "interpretability": 1.0}))
    assert twice.point.trial == 1  # 2 * 78.4 + 62.1 is more than 2 * 79.0 + 55.0
    assert "the weights accuracy 2 and interpretability 1 of objectives that are scaled" in twice.reason
    assert pick(POINTS, TWO, Rules(weights={"accuracy": 1.0, "interpretability": 0.0})).point.trial == 0
    assert twice.runner_up is not None
    assert twice.runner_up.trial == 2


def test_an_order_decides_by_its_first_objective_and_among_equals_by_the_next() -> None:
    first = pick(POINTS, TWO, Rules(order=["interpretability"]))
    assert first.point.trial == 3
    assert first.reason.startswith("Trial 3 comes first in the order interpretability: it is the best of the front in")
    points = on((80.0, 70.0), (80.0, 60.0), (70.0, 75.0))
    for point, used in zip(points, (30.0, 20.0, 10.0), strict=True):
        point.values["n_features_used"] = used
    axes = [ACCURACY, INTERPRETABILITY, USED]
    tied = pick(points, axes, Rules(order=["accuracy", "n_features_used"]))
    assert tied.point.trial == 1
    assert "members equal in accuracy are told apart by features used" in tied.reason
    assert tied.runner_up is not None
    assert tied.runner_up.trial == 0
    near = pick(points, axes, Rules(within={"accuracy": 10.0}, order=["n_features_used"]))
    assert near.point.trial == 2
    assert near.reason.endswith(
        "; within reach are all 3 members of the front that lie within 10.0 percentage points of the best accuracy."
    )


def test_a_trial_is_taken_by_its_number_and_what_beats_it_is_said() -> None:
    beaten = pick(POINTS, TWO, Rules(trial=4))
    assert beaten.point.trial == 4
    assert beaten.reason.endswith(
        "; trial 1 (accuracy 78.4 %, interpretability 62.1 %) is nowhere worse and somewhere better."
    )
    assert beaten.runner_up is None
    assert "nowhere worse" not in pick(POINTS, TWO, Rules(trial=0)).reason
    with pytest.raises(UsageError, match="trial 0 is not among the members within the distances"):
        pick(POINTS, TWO, Rules(trial=0, within={"interpretability": 3.0}))


def test_several_distances_keep_what_lies_within_all() -> None:
    both = pick(POINTS, TWO, Rules(within={"accuracy": 3.0, "interpretability": 3.0}))
    assert both.point.trial == 1  # trials 1 and 2 are within both; 1 has the larger sum
    assert both.reason.endswith(
        "; of the 2 members of the front within 3.0 percentage points of the best accuracy and within 3.0 percentage "
        "points of the best interpretability none does better in the sum of the objectives."
    )
    with pytest.raises(UsageError) as caught:
        pick(POINTS, TWO, Rules(within={"accuracy": 1.0, "interpretability": 1.0}))
    assert caught.value.expected.endswith(
        "the nearest is trial 2, which lies 2.0 percentage points from the best accuracy (allowed: 1) and 2.0 "
        "percentage points from the best interpretability (allowed: 1)"
    )


def test_limits_then_distances_then_one() -> None:
    rules = Rules(
        at_most={"features_per_class": 4},
        within={"interpretability": 3.0},
        weights={"accuracy": 1, "interpretability": 0},
    )
    assert pick(POINTS, TWO, rules).point.trial == 1
    with pytest.raises(UsageError, match="trial 3 with accuracy 70, which misses accuracy at least 78 by 8"):
        pick(POINTS, TWO, Rules(trial=3, at_least={"accuracy": 78.0}))
    with pytest.raises(UsageError, match="which misses accuracy at least 78 by 1"):
        pick(POINTS, TWO, Rules(at_most={"features_per_class": 3}, at_least={"accuracy": 78.0}))


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({"weights": {"accuracy": 1.0, "interpretability": -1.0}}, "at least 0"),
        ({"weights": {"accuracy": 0.0, "interpretability": 0.0}}, "not all of them 0"),
        ({"aspire": {"accuracy": float("inf")}}, "the wish for accuracy is inf"),
        ({"order": ["accuracy", "accuracy"]}, "each objective once"),
        ({"order": ["acuracy"]}, "did you mean 'accuracy'?"),
        ({"at_least": {"test/accuracy": 3.0}}, "test chooses nothing"),
    ],
)
def test_what_makes_no_sense_is_refused(rules: dict, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        pick(POINTS, TWO, Rules(**rules))


ROWS = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=8)


@settings(deadline=None, max_examples=40)
@given(ROWS, st.integers(0, 20), st.integers(0, 20))
def test_every_rule_takes_a_member_and_its_runner_up_differs(rows: list[tuple[int, int]], a: int, b: int) -> None:
    points = on(*((float(x), float(y)) for x, y in rows))
    members = front(points, TWO)
    for rules in (
        Rules(aspire={"accuracy": a, "interpretability": b}),
        Rules(weights={"accuracy": a + 1, "interpretability": b}),
        Rules(order=["interpretability"]),
        Rules(knee=True),
    ):
        taken = pick(points, TWO, rules)
        assert taken.point in members
        if taken.runner_up is not None:
            assert taken.runner_up in members
            assert taken.runner_up.values != taken.point.values
        else:
            assert all(m.values == taken.point.values for m in members)


def test_candidates_are_the_knee_the_ends_and_a_compact_one() -> None:
    found = [(c.point.trial, c.role) for c in candidates(front(POINTS, TWO), TWO)]
    assert found == [(1, "the knee"), (0, "the best in accuracy"), (3, "the best in interpretability"), (2, "compact")]
    confirmed = [(c.point.trial, c.role) for c in candidates(front(POINTS, TWO), TWO, [0, 2])]
    assert confirmed == [
        (2, "the largest sum of objectives and the best in interpretability"),
        (0, "the best in accuracy"),
        (1, "the knee (not confirmed)"),
        (3, "the best in interpretability (not confirmed)"),
    ]
    alone = candidates(POINTS[4:], TWO)
    assert [c.role for c in alone] == [
        "the largest sum of objectives, the best in accuracy and the best in interpretability"
    ]


def runs(seeds: range, split: int, values: np.ndarray, shift: float = 0.0) -> list[Run]:
    """Runs on the images `values`, with seeds that add some points each."""
    return [
        Run(seed, split, {"accuracy": float(values.mean()) + shift + seed}, {"accuracy": values.astype(np.float32)})
        for seed in seeds
    ]


def test_what_two_trials_have_in_common_cancels() -> None:
    rng = np.random.default_rng(0)
    right = np.where(rng.random(400) < 0.7, 100.0, 0.0)
    better = right.copy()
    better[np.flatnonzero(right == 0)[:8]] = 100.0  # the same errors but for eight images
    (paired,) = differences(runs(range(1), 0, better), runs(range(1), 0, right), ["accuracy"])
    (apart,) = differences(runs(range(1), 0, better), runs(range(1), 1, right), ["accuracy"])
    assert paired.change == apart.change == pytest.approx(2.0)
    assert paired.error == pytest.approx(100 * np.sqrt(0.02 * 0.98 / 400), rel=0.15)
    assert apart.error == pytest.approx(100 * np.sqrt(2 * 0.7 * 0.3 / 400), rel=0.15)
    assert (paired.is_large, apart.is_large) == (True, False)
    assert (paired.beyond_noise, apart.beyond_noise) == (None, False), "the luck of the seed is unknown"
    assert paired.verdict() == "beyond the noise of images"
    (seeds,) = differences(runs(range(3), 0, right, 2.0), runs(range(3), 0, right), ["accuracy"])
    assert (seeds.change, seeds.error) == (pytest.approx(2.0), None)  # a seed moves both alike
    (sizes,) = differences([Run(0, 0, {"n_features": 30.0})], [Run(0, 0, {"n_features": 50.0})], ["n_features"])
    assert sizes.sentence() == "20 fewer features"
    assert sizes.beyond_noise is True


def test_a_difference_in_words() -> None:
    less = Difference("accuracy", "%", 78.4, 80.5, 0.8)
    assert less.sentence() == "2.1 ± 0.8 percentage points less accuracy (beyond noise)"
    assert less.cell() == "−2.1 ±0.8"
    assert less.reversed().sentence() == "2.1 ± 0.8 percentage points more accuracy (beyond noise)"
    assert Difference("accuracy", "%", 80.0, 80.0, 0.8).sentence() == "the same accuracy"
    price = Price(7, "the knee", (less,), (3, 0))
    assert price.sentence() == f"against trial 7, the knee: {less.sentence()}"
    assert price.run_once


def test_two_seeds_that_differ_by_chance_are_rarely_told_apart() -> None:
    """With 1.96 errors, three in ten pairs of two runs each would be; with Student's quantile one in twenty."""
    rng, told, errors = np.random.default_rng(0), [], []
    for _ in range(200):
        pair = [[Run(seed, 0, {"correlation": 50.0 + rng.normal()}) for seed in range(2)] for _ in range(2)]
        (found,) = differences(*pair, ["correlation"])
        told.append(found.beyond_noise)
        errors.append(abs(found.change) > 1.96 * found.error)
    assert sum(errors) > 40
    assert sum(told) < 20
    assert found.critical == pytest.approx(12.706, abs=0.01)


def test_noise_that_is_known_of_one_side_alone_is_not_that_of_the_difference() -> None:
    counted = [Run(0, 0, {"accuracy": 90.0, "n_images": 100.0})]
    bare = [Run(0, 0, {"accuracy": 80.0})]
    (found,) = differences(counted, bare, ["accuracy"])
    assert (found.error, found.verdict()) == (None, "noise unknown")
    (known,) = differences(counted, [Run(0, 1, {"accuracy": 80.0, "n_images": 100.0})], ["accuracy"])
    assert known.error == pytest.approx(np.hypot(3.0, 4.0), rel=0.1)


def test_one_feature_less_is_one_feature() -> None:
    (less,) = differences([Run(0, 0, {"features_per_class": 2.0})], [Run(0, 0, {"features_per_class": 3.0})], SIZE)
    assert less.sentence() == "1 fewer feature per class"
    assert less.reversed().sentence() == "1 more feature per class"


def test_verbs_and_their_objects_are_no_riddle() -> None:
    assert words.clauses([("gives up", "a"), ("gains", "b")]) == "gives up a and gains b"
    three = [("gives up", "a"), ("adds", "c"), ("gives up", "b")]
    assert words.clauses(three) == "gives up a and b, and adds c"


def test_a_wish_that_the_sum_has_decided_is_told_as_it_is() -> None:
    told = pick(on((80.0, 0.0), (79.95, 99.0), (0.0, 100.0)), TWO, Rules(aspire={"accuracy": 90.0})).reason
    ahead = "trial 0 has a smaller largest shortfall, by 0.1 percentage points"
    assert told.endswith(f"; {ahead}, and does worse in the sum of all objectives.")


def test_limits_that_exclude_each_other_are_refused() -> None:
    with pytest.raises(UsageError, match="accuracy at least 92 and at most 90"):
        Rules(at_least={"accuracy": 92.0}, at_most={"accuracy": 90.0})
    assert Rules(at_least={"accuracy": 90.0}, at_most={"accuracy": 90.0}).narrows


def test_points_without_params_have_no_compact_candidate() -> None:
    assert "compact" not in [role for c in candidates(front(DENT, TWO), TWO) for role in c.roles]
