"""Two trials side by side, of one search or of two: parameters, metrics with the noise of each difference, features."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tuner.base.metric import METRICS
from tuner.errors import UsageError
from tuner.front import uncertainty, words
from tuner.front.bootstrap import Run
from tuner.front.difference import NOISE, RUN_ONCE, Difference, Price, differences
from tuner.front.pareto import Objective
from tuner.recipe import objectives_of
from tuner.search.outcome.comparable import Comparable, comparable
from tuner.search.outcome.prices import Runs
from tuner.search.outcome.shared_features import SharedFeatures, shared_features
from tuner.search.record.home import SearchHome
from tuner.search.record.state import SearchState, TrialRecord

APART = 2**33
"""Added to the split seeds of a second search that is measured on other images, so that no images are paired."""


@dataclass(frozen=True)
class TrialsDiff:
    """Two trials side by side.

    Attributes:
        names: of the trials: "trial 3", or "digits:3" where they are of two searches.
        objectives: the axes.
        params: parameter -> its value in each trial; None: it has none.
        differences: the first trial less the second, in the objectives and then in all other metrics.
        runs: confirmation runs of each.
        comparable: whether their values are of the same images.
        shared: the features that both have, or why that is unknown.
        test: values of each on the test split, empty where it was not measured there; context only.
    """

    names: tuple[str, str]
    objectives: tuple[Objective, ...]
    params: Mapping[str, tuple[Any, Any]]
    differences: tuple[Difference, ...]
    runs: tuple[int, int]
    comparable: Comparable
    shared: SharedFeatures | str
    test: tuple[Mapping[str, float], Mapping[str, float]]

    def dominance(self) -> str:
        """Which of them dominates the other by its values, in a sentence."""
        one, two = self.names
        named = {o.name for o in self.objectives}
        known = {d.metric: d for d in self.differences if d.metric in named}
        if len(known) < len(named):
            return f"{one} and {two} cannot be ranked: one of them lacks {' or '.join(sorted(named - known.keys()))}"
        losses = [o.loss(known[o.name].value, known[o.name].other) for o in self.objectives]
        axes = words.listing([words.name(o.name) for o in self.objectives])
        if max(losses) <= 0 and min(losses) < 0:
            return f"{one} is nowhere worse than {two} and somewhere better in {axes}{self._doubt(losses)}"
        if min(losses) >= 0 and max(losses) > 0:
            return f"{two} is nowhere worse than {one} and somewhere better in {axes}{self._doubt(losses)}"
        if not any(losses):
            return f"{one} and {two} are equal in {axes}"
        return f"neither dominates the other in {axes}{self._doubt(losses)}"

    def _doubt(self, losses: Sequence[float]) -> str:
        """Whether that holds beyond noise."""
        known = {d.metric: d for d in self.differences}
        noisy = [
            words.name(o.name)
            for o, lost in zip(self.objectives, losses, strict=True)
            if lost and known[o.name].beyond_noise is not True
        ]
        return f", but their difference in {words.listing(noisy)} is not known to be beyond noise" if noisy else ""

    def sentences(self) -> list[str]:
        """The comparison in words, without the table."""
        named = {o.name for o in self.objectives}
        told = [d.sentence() for d in self.differences if d.metric in named]
        lines = [f"{self.names[0]} against {self.names[1]}: {words.listing(told)}"] if told else []
        lines.append(self.dominance())
        lines.append(self.shared if isinstance(self.shared, str) else self.shared.sentence())
        return [*lines, *self.cautions()]

    def cautions(self) -> list[str]:
        """What has to be known to read it."""
        return [f"caution: {caution}" for caution in self.comparable.cautions]

    def noise(self) -> str:
        """What ± means."""
        return "; ".join([NOISE, *([RUN_ONCE] if Price(0, "", (), self.runs).run_once else [])])

    def to_dict(self) -> dict[str, Any]:
        """As `qpm-tuner diff --json` prints it."""
        return {
            "kind": "trials",
            "names": list(self.names),
            "objectives": {o.name: o.direction for o in self.objectives},
            "params": {name: list(pair) for name, pair in self.params.items()},
            "differences": {d.metric: d.to_json() for d in self.differences},
            "runs": list(self.runs),
            "dominance": self.dominance(),
            "shared_features": self.shared if isinstance(self.shared, str) else self.shared.to_json(),
            "test": [dict(values) for values in self.test],
            **self.comparable.to_json(),
        }

    def __str__(self) -> str:
        return "\n".join(self.sentences())


def diff_trials(
    homes: tuple[SearchHome, SearchHome], numbers: tuple[int, int], objectives: Sequence[str] | None = None
) -> TrialsDiff:
    """Compare two complete trials.

    Args:
        homes: the search of each.
        numbers: of the trials.
        objectives: axes; None: those of the first search.

    Raises:
        UsageError: a trial has no values, or an objective is unknown.
        TunerError: an artifact or the store cannot be read.
    """
    axes = objectives_of(homes[0].stored()[0], objectives)
    states = (homes[0].state(), homes[1].state())
    pair = (_complete(homes[0], states[0], numbers[0]), _complete(homes[1], states[1], numbers[1]))
    likeness = comparable(homes, states)
    runs = [
        Runs.read(home, axes, state, [trial.number]) for home, state, trial in zip(homes, states, pair, strict=True)
    ]
    one, two = (found.of(trial.number) for found, trial in zip(runs, pair, strict=True))
    if not likeness.same_images or not alike(one, two):
        two = apart(two)
    known = [o.name for o in axes]
    metrics = [*known, *(name for name in METRICS if name not in known and not uncertainty.is_count(name))]
    same_search = homes[0].store.url == homes[1].store.url and homes[0].name == homes[1].name
    names = [
        f"trial {trial.number}" if same_search else f"{home.name}:{trial.number}"
        for home, trial in zip(homes, pair, strict=True)
    ]
    params = dict.fromkeys([*pair[0].params, *pair[1].params])
    return TrialsDiff(
        (names[0], names[1]),
        axes,
        {name: (pair[0].params.get(name), pair[1].params.get(name)) for name in params},
        differences(one, two, metrics),
        (_confirmed(runs[0], pair[0]), _confirmed(runs[1], pair[1])),
        likeness,
        shared_features(homes, pair),
        (pair[0].test, pair[1].test),
    )


def alike(one: Sequence[Run], two: Sequence[Run]) -> bool:
    """Whether runs with the same split have as many images, as they must to be paired."""
    sizes: dict[int, int] = {}
    return all(
        sizes.setdefault(run.split, len(values)) == len(values)
        for run in (*one, *two)
        for values in list(run.images.values())[:1]
    )


def apart(runs: Sequence[Run]) -> list[Run]:
    """The same runs, as measured on images of their own."""
    return [replace(run, split=run.split + APART) for run in runs]


def _confirmed(runs: Runs, trial: TrialRecord) -> int:
    return len(runs.confirmed.get(trial.number, ()))


def _complete(home: SearchHome, state: SearchState, number: int) -> TrialRecord:
    if not state.is_complete(number):
        complete = sorted(n for n in state.trials if state.is_complete(n))
        has = state.trials[number].outcome or "not ended yet" if number in state.trials else "unknown"
        what = f"trial {number} of search {home.name!r} is {has}"
        raise UsageError(what, f"a complete trial, one of {complete}", "name one that is complete")
    return state.trials[number]
