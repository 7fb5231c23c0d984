"""A run of Ray Tune over the trials of a search: what the driver hooks into it, and how it is set up."""

from pathlib import Path
from typing import Any

from ray import tune

from tuner.search.execute.broker import ON_THE_HEAD
from tuner.search.execute.broker_handle import BrokerHandle
from tuner.search.execute.coordinator import Coordinator, Forget
from tuner.search.propose.searcher import LedgerSearcher


class NoReport(tune.ProgressReporter):
    """Prevents Ray Tune from clearing a notebook cell to show its own table."""

    def should_report(self, trials: list[Any], done: bool = False) -> bool:
        """Never."""
        return False

    def report(self, trials: list[Any], done: bool, *sys_info: str) -> None:
        """Nothing."""


class Follow(tune.Callback):
    """Has the searcher carry out instructions also while every trial runs, when Tune asks it for none."""

    def __init__(self, searcher: LedgerSearcher) -> None:
        self._searcher = searcher

    def on_step_begin(self, iteration: int, trials: Any, **_: Any) -> None:
        """Called by Tune several times a second, in the thread that asks for trials."""
        self._searcher.look()


def tune_run(name: str, searcher: LedgerSearcher, broker: BrokerHandle, retries: int, scratch: Path) -> tune.Tuner:
    """The run, which its `fit` starts.

    Args:
        name: of the search.
        searcher: says which trials run, and when there are no more.
        broker: takes the trials through their stages.
        retries: how often the coordinator of a trial may die.
        scratch: a folder for what Tune writes; nothing in it is needed afterwards.
    """
    coordinator = tune.with_parameters(Coordinator, broker=broker)
    return tune.Tuner(
        tune.with_resources(coordinator, tune.PlacementGroupFactory([ON_THE_HEAD])),
        tune_config=tune.TuneConfig(
            search_alg=searcher,
            num_samples=-1,  # until the searcher says that it has finished: trials may be added
            reuse_actors=True,
            trial_dirname_creator=lambda trial: str(trial.trial_id),
        ),
        run_config=tune.RunConfig(
            name=name,
            storage_path=str(scratch),
            verbose=0,
            progress_reporter=NoReport(),
            callbacks=[Forget(), Follow(searcher)],
            failure_config=tune.FailureConfig(max_failures=retries),
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
        ),
    )
