"""Measures the runs of a comparison: what the store has is read, the rest is trained, and kept there by its hash."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from tuner.base.progress import Progress
from tuner.base.steps import Step, duration
from tuner.errors import TunerError
from tuner.recipe import Recipe
from tuner.search.execute.broker import start_broker
from tuner.search.execute.broker_handle import closing
from tuner.search.execute.broker_monitor import BrokerMonitor, ended_trials
from tuner.search.execute.messages import TrialOutcome
from tuner.search.execute.plan import StageSpec
from tuner.search.execute.results import Results
from tuner.search.session.connect import ray_for, scratch_folder
from tuner.search.systems.rows import Run
from tuner.search.watch.texts import told_stage
from tuner.store import Artifacts

MOST_TOLD = 2  # running stages in one line


@dataclass(frozen=True)
class Wanted:
    """A run that a comparison needs.

    Attributes:
        title: of its row.
        seed: of the run.
        stages: up to the measurement.
    """

    title: str
    seed: int
    stages: list[StageSpec]

    @property
    def key(self) -> str:
        """The key of its evaluation: what it is."""
        return self.stages[-1].key

    def __str__(self) -> str:
        """As messages name it: "QPM 50/5 with seed 1"."""
        return f"{self.title} with seed {self.seed}"


def measure(
    artifacts: Artifacts,
    wanted: Sequence[Wanted],
    recipe: Recipe,
    progress: Progress,
    known: Mapping[str, Mapping[str, float]] = MappingProxyType({}),
) -> list[Run | TrialOutcome]:
    """Measure runs that need not depend on each other; stages that they share run once.

    Args:
        artifacts: of the store.
        wanted: the runs.
        recipe: its resources and retries.
        progress: told how many runs are done, what is under way and how long the rest will take.
        known: values by the key of their evaluation, which need no look into the store.

    Returns:
        For each, the run; or how it ended, if it did not complete.

    Raises:
        TunerError: store, disk or bank fail; completed stages are kept.
    """
    stored, found = Results(artifacts), dict[int, Mapping[str, float]]()
    with progress.step("looking for runs in the store") as step:
        for i, need in enumerate(wanted):
            step.at(f"{i} of {len(wanted)}")
            if need.key in known:
                found[i] = known[need.key]
            elif (result := stored.stored(need.stages[-1])) is not None:
                found[i] = result.values or {}
    missing = [i for i in range(len(wanted)) if i not in found]
    ended = dict(zip(missing, _run(artifacts, [wanted[i] for i in missing], recipe, progress), strict=True))
    results: list[Run | TrialOutcome] = []
    for i, need in enumerate(wanted):
        if (outcome := ended.get(i)) is not None and outcome.outcome != "complete":
            results.append(outcome)
            continue
        results.append(Run(need.seed, need.key, found[i] if outcome is None else outcome.values))
    return results


def _run(artifacts: Artifacts, wanted: Sequence[Wanted], recipe: Recipe, progress: Progress) -> list[TrialOutcome]:
    """Train and measure the runs that the store does not have."""
    if not wanted:
        return []
    with (
        ray_for(recipe.resources, progress) as resources,
        closing(start_broker(artifacts.store.url, scratch_folder(), resources, recipe.budget.retries)) as broker,
        progress.step("comparing") as step,
    ):
        tell = _Teller(wanted, BrokerMonitor(broker), step)
        found = dict[int, TrialOutcome]()
        for place, outcome in ended_trials(broker, range(len(wanted)), [need.stages for need in wanted], look=tell):
            found[place] = outcome
            tell.n_done += 1
    outcomes = [found[place] for place in range(len(wanted))]
    for need, outcome in zip(wanted, outcomes, strict=True):
        if outcome.outcome not in ("complete", "infeasible", "failed"):
            raise TunerError(
                f"{need} could not be measured: {outcome.cause or outcome.outcome}",
                "a reachable store with free space, and an intact feature bank",
                "fix the cause and run the same command again: completed work is kept",
            )
    return outcomes


class _Teller:
    """Tells a step how many runs are done, what is under way, and how long the rest will take at that rate."""

    def __init__(self, wanted: Sequence[Wanted], monitor: BrokerMonitor, step: Step) -> None:
        self._wanted, self._monitor, self._step = wanted, monitor, step
        self._started_s = time.monotonic()
        self.n_done = 0

    def __call__(self) -> None:
        """Called about once a second."""
        total, done = len(self._wanted), self.n_done
        begun = [run for run in self._monitor.runs() if run.begun]
        under_way = [f"{self._wanted[run.trial]}: {told_stage(run)}" for run in begun[:MOST_TOLD]]
        left = (time.monotonic() - self._started_s) / done * (total - done) if done else None
        told = [f"{done} of {total} runs", *under_way, *([] if left is None else [f"ETA {duration(left)}"])]
        self._step.at(", ".join(told))
