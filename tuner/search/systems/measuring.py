"""Measures the runs of a comparison: what the store has is read, the rest is trained, and kept there by its hash."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from tuner.base.progress import Progress
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
from tuner.search.watch.runs_under_way import RunsUnderWay
from tuner.store import Artifacts


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
        told = RunsUnderWay(len(wanted), lambda run: str(wanted[run.trial]), BrokerMonitor(broker), step)
        found = dict[int, TrialOutcome]()
        for place, outcome in ended_trials(broker, range(len(wanted)), [need.stages for need in wanted], told.tell):
            found[place] = outcome
            told.n_done += 1
    outcomes = [found[place] for place in range(len(wanted))]
    for need, outcome in zip(wanted, outcomes, strict=True):
        if outcome.outcome not in ("complete", "infeasible", "failed"):
            raise TunerError(
                f"{need} could not be measured: {outcome.cause or outcome.outcome}",
                "a reachable store with free space, and an intact feature bank",
                "fix the cause and run the same command again: completed work is kept",
            )
    return outcomes
