"""The learning curves of the report: those that are missing are told once, not one by one."""

from tests.jobs.test_trial import PRUNED, curves_in
from tests.ledgers import finished, home_with, trial_events
from tuner.base.progress import Silent
from tuner.search.outcome.curves import learning_curves


class Told(Silent):
    """Keeps the warnings."""

    def __init__(self):
        self.warned = []

    def warn(self, line):
        self.warned.append(line)


def test_many_curves_that_are_gone_are_one_line_with_their_number(tmp_path):
    home, told = home_with(tmp_path / "runs", finished()), Told()
    assert list(learning_curves(home, home.state(), [2, 0, 1], told)) == []
    (line,) = told.warned
    assert line.startswith("learning curves of 3 of 3 trials (0, 1 and 2) are not in the report: ")
    told.warned.clear()
    assert list(learning_curves(home, home.state(), [1], told)) == []
    assert [line.partition(" are not")[0] for line in told.warned] == ["learning curves of trial 1"]


def test_pruned_trials_have_their_curves_up_to_the_rung(tmp_path):
    events = trial_events(3, {}, **PRUNED)
    uses = [("dense", "dense0"), ("rung", "rung3")]
    events[1]["stages"] = [
        {"stage": stage, "key": key, "reused": False, "seconds": 1.0, "saved_s": 0.0} for stage, key in uses
    ]
    home, told = home_with(tmp_path / "runs", [*finished(), *events]), Told()
    rows = [{"epoch": 1, "loss": 2.0, "val_loss": 2.5}, {"epoch": 2, "loss": 1.0}]
    curves_in(home, "dense", "dense0", rows)
    curves_in(home, "rung", "rung3", rows)
    dense, tuned = learning_curves(home, home.state(), [0], told)
    assert (dense.trials, dense.stage, dense.of, dense.tuned) == ((0, 3), "dense", 0, False)
    assert (tuned.trials, tuned.stage, tuned.of, tuned.tuned) == ((3,), "finetune", 10, True)
    assert tuned.columns == {"epoch": [1, 2], "loss": [2.0, 1.0], "val_loss": [2.5, None]}
    assert [line.partition(" are not")[0] for line in told.warned] == ["learning curves of trial 0"]
