"""Runs what confirms a front, as `confirmation_plan` says: its members with other seeds and validation splits."""

import time
from collections.abc import Callable, Sequence

import numpy as np

from tuner.base.progress import Progress
from tuner.data.words import some
from tuner.errors import TunerError, UsageError
from tuner.features.bank import FeatureBank, open_bank
from tuner.recipe import Recipe, objectives_of
from tuner.search.execute.broker_handle import BrokerHandle
from tuner.search.execute.broker_monitor import BrokerMonitor, ended_trials
from tuner.search.execute.messages import RunSnapshot
from tuner.search.outcome.confirmation_plan import ConfirmationRun
from tuner.search.record.events import OUTCOMES, Confirmed
from tuner.search.record.home import SearchHome
from tuner.search.record.inputs import load_input
from tuner.search.record.searched_banks import Bank, bank_keys
from tuner.search.watch.runs_under_way import RunsUnderWay
from tuner.search.watch.texts import measured

Record = Callable[[Confirmed], None]


def confirm(
    runs: Sequence[ConfirmationRun],
    broker: BrokerHandle,
    record: Record,
    progress: Progress,
    look: Callable[[], None] = lambda: None,
    left_s: Callable[[], float | None] = lambda: None,
) -> None:
    """Run them side by side, and record each as it ends.

    Args:
        runs: what to run.
        broker: runs the stages.
        record: receives an event for each run that ended by itself.
        progress: shows how many have ended.
        look: called about once a second, and may stop the broker: runs that it calls off are left to the next start.
        left_s: returns the seconds that the rest is expected to take; None: they follow from the runs that have ended.

    Raises:
        TunerError: the store, a disk or the broker fails.
    """
    with progress.step("confirming the front") as step:
        told = RunsUnderWay(len(runs), _name, BrokerMonitor(broker), step, left_s)

        def looked() -> None:
            told.tell()
            look()

        for place, ended in ended_trials(broker, [run.trial for run in runs], [r.stages for r in runs], looked):
            run = runs[place]
            if ended.outcome == "halted":
                raise TunerError(
                    f"trial {run.trial} could not be confirmed with seed {run.seed}: {ended.cause}",
                    "a reachable store with free space, and an intact feature bank",
                    "fix the cause and run the same command again: completed runs are kept",
                )
            if ended.outcome not in OUTCOMES:
                continue
            cause = None if ended.cause is None else f"{ended.stage}: {ended.cause}"
            if ended.outcome != "complete":
                progress.warn(f"trial {run.trial} with seed {run.seed}: {ended.outcome} in {cause}")
            if ended.outcome == "complete" or ended.stage is not None:  # else a fault of the machine
                event = Confirmed(
                    time.time(), run.trial, run.seed, run.split_seed, ended.outcome, cause, ended.values, ended.stages
                )
                record(event)
                if ended.outcome == "complete":
                    values = measured(objectives_of(run.recipe), {**run.recipe.parameters(), **ended.values})
                    progress.say(f"trial {run.trial} seed {run.seed} complete after {ended.seconds:.0f} s: {values}")
            told.n_done += 1


def _name(run: RunSnapshot) -> str:
    """Which run a stage belongs to: a member has several."""
    return f"trial {run.trial} seed {run.seed}"


def refuse_too_many_splits(recipe: Recipe, home: SearchHome, bank: Bank) -> None:
    """Refuse more validation splits than the smallest class of a search has images; see `check_splits`.

    Which of several banks is looked at makes no difference: their images and labels are the same.
    """
    if recipe.confirm.splits > 1:
        keys = bank_keys(bank)
        made = next((key for key in keys if home.artifacts.find("banks", key) is not None), keys[0])
        check_splits(recipe.confirm.splits, load_input(home.artifacts, "banks", made, open_bank))


def check_splits(splits: int, images: FeatureBank) -> None:
    """Refuse more validation splits than the smallest class has different training images.

    Raises:
        UsageError: naming the classes.
    """
    labels = images.labels[images.is_train]
    if images.content is not None:  # what stays together counts once in a class
        labels = np.unique(np.stack([labels, images.content[images.is_train]]), axis=1)[0]
    found = np.bincount(labels, minlength=len(images.class_names))
    few = [name for name, n in zip(images.class_names, found, strict=True) if n < splits]
    if few:
        raise UsageError(
            f"confirm.splits={splits}, and fewer different training images of {some(few)}",
            f"at most {found.min()} validation splits, the images of the smallest class",
            "ask for fewer splits, and more confirm.seeds",
        )
