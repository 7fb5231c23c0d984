"""A real search whose trials pause: on Ray, with MLflow, driven twice."""

import mlflow
import pytest

from tests.searches import home, one_ray, run_tiny

pytestmark = [pytest.mark.slow, pytest.mark.cluster, pytest.mark.long]
ON = ("stopping.rung=0.5", "stopping.eta=2", "stopping.startup_trials=1")


def test_trials_pause_and_go_on(tmp_path):
    """The front has those that went on; MLflow has each trial once, as it ended at last."""
    with one_ray():
        run_tiny(tmp_path, "tiny", *ON, "budget.trials=2")
        _, told = run_tiny(tmp_path, "tiny", *ON, "budget.trials=4")
    state = home(tmp_path).state()
    assert state.damage == []
    assert len(state.trials) == 4
    assert set(state.counts()) == {"complete", "pruned"}, told
    assert all(trial.rung and trial.rung_epochs == (1, 2) for trial in state.trials.values())
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    runs = [run for one in client.search_experiments() for run in client.search_runs([one.experiment_id])]
    by_trial = {run.data.tags["qpm.trial"]: run for run in runs if "qpm.trial" in run.data.tags}
    status = {"complete": "FINISHED", "pruned": "KILLED"}
    for trial in state.trials.values():
        run = by_trial[str(trial.number)]
        assert (run.data.tags["outcome"], run.info.status) == (trial.outcome, status[trial.outcome])
        assert run.data.tags.get("cause", "") == (trial.cause or "")
