"""Measures the front on the test split: only its members, and each of them once."""

import math
import time
from collections.abc import Callable

from tuner.base.progress import Progress
from tuner.errors import TunerError
from tuner.recipe import Recipe, objectives_of
from tuner.search.execute.broker_handle import BrokerHandle
from tuner.search.execute.broker_monitor import run_trials
from tuner.search.execute.plan import evaluation, plan_trial
from tuner.search.record.events import Measured
from tuner.search.record.restoration import SearchState
from tuner.search.record.searched_banks import Bank

Record = Callable[[Measured], None]


def measure_front(
    recipe: Recipe,
    bank: Bank,
    state: SearchState,
    broker: BrokerHandle,
    record: Record,
    progress: Progress,
    within_s: float = math.inf,
) -> None:
    """Measure those members of the front on the test split that have not been measured.

    See docs/explanation/method.md#no-test-leak. Under `protocol: paper` the objectives are test metrics already, and
    there is nothing to do. Members not measured after `within_s` seconds are left to the next driver.
    """
    if recipe.protocol == "paper":
        return
    objectives = objectives_of(recipe)
    members = [p.trial for p in state.members(objectives) if not state.trials[p.trial].test]
    rows = []
    for trial in members:
        *made, _ = plan_trial(recipe, bank, state.trials[trial].params)
        rows.append([*made, evaluation(next(spec for spec in made if spec.row.gives_the_model), "test")])
    if not members:
        return
    with progress.step("measuring the front on the test split"):
        outcomes = run_trials(broker, members, rows, within_s)
    for trial, measured in zip(members, outcomes, strict=True):
        if measured.outcome == "halted":
            raise TunerError(
                f"trial {trial} could not be measured on the test split: {measured.cause}",
                "a reachable store with free space, and an intact feature bank",
                "fix the cause and run the same command again: completed measurements are kept",
            )
        if measured.outcome == "complete":
            record(Measured(time.time(), trial, measured.values))
