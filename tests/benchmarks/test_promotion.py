"""The rules of the promotion benchmark, on made-up trials: what each keeps, and that the product's rule is its own."""

import numpy as np

from benchmarks.promotion import LAG, STARTUP, at_once, promoted, second_look

# trial 20 looks like any other at the rung, and ends as the best of all
RUNG = np.array([[float(i), float(i)] for i in range(40)])
LATE = np.where(np.arange(40)[:, None] == 20, -50.0, RUNG)


def test_the_first_trials_go_on_at_once_and_pause_where_all_pause():
    assert at_once(RUNG[::-1], RUNG[::-1], 4)[: STARTUP + LAG - 1].all()
    assert promoted(RUNG, RUNG, 4).sum() == 10
    assert promoted(RUNG, RUNG, 4)[:10].all()


def test_a_trial_that_ranks_better_when_others_are_known_goes_on_later():
    """Ten bad trials, one that is ended for being no better, then worse ones only."""
    rung = np.array([[float(v), float(v)] for v in [*range(12), 5.5, *range(20, 50)]])
    assert not at_once(rung, rung, 4)[12]
    assert second_look(rung, rung, 4, 4)[12]
    assert promoted(rung, rung, 4)[12]


def test_only_a_rule_that_knows_the_end_sees_what_the_rung_hides():
    assert promoted(RUNG, LATE, 4, foresees=True)[20]
    assert not promoted(RUNG, LATE, 4)[20]
