"""How long stages take: as measured in this search, else in others of the store, else as guessed by size."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import Literal, NamedTuple

from tuner.search.record.stage_use import StageUse
from tuner.search.stages import model_stage, rung_stage

Source = Literal["search", "store", "guess"]

FEW = 3
"""Runs of a stage below which its time is known roughly only."""
OUTLIER = 1.25
"""A run that took longer than this many times the usual counts as so long: the first of a worker loads libraries."""
KEEP = 0.9
"""Each further run of a stage lessens the weight of those before it by this factor: a machine gets busier, or idle."""


class Timed(NamedTuple):
    """A run of a stage that has been timed.

    Attributes:
        stage: its name.
        guessed_s: seconds by the guess.
        took_s: seconds that it ran.
    """

    stage: str
    guessed_s: float
    took_s: float


@dataclass
class StageTimes:
    """Seconds of a stage from its guess: the guess times the ratio of measured to guessed seconds of its stage.

    The ratio is that of the sums, so it is the mean where all guesses are alike, and follows epochs and width where
    these are searched. The last runs count most, and outliers less. A stage that has not been timed has the ratio of
    its like (fine-tuning and the rung in its middle), else it takes as long as guessed.

    Attributes:
        ratios: by stage.
        counts: timed runs by stage.
        source: where they come from.
        beside_s: seconds that a stage takes beside its run: until a worker has it, and until its trial goes on.
    """

    ratios: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    source: Source = "guess"
    beside_s: float = 0.0

    @classmethod
    def of(cls, runs: Iterable[Timed], source: Source, beside_s: float = 0.0) -> "StageTimes":
        """From timed runs of one source, in the order of their ends."""
        timed: dict[str, list[Timed]] = {}
        for run in runs:
            if run.guessed_s > 0:
                timed.setdefault(run.stage, []).append(run)
        ratios = {stage: _ratio(found) for stage, found in timed.items()}
        counts = {stage: len(found) for stage, found in timed.items()}
        return cls(ratios, counts, source if ratios else "guess", beside_s)

    def seconds(self, stage: str, guessed_s: float) -> float:
        """Seconds that a run of a stage will take."""
        return guessed_s * self.ratios.get(self._timed(stage), 1.0)

    def runs_of(self, stage: str) -> int:
        """How often a stage, or what its time is taken from, has been timed."""
        return self.counts.get(self._timed(stage), 0)

    def _timed(self, stage: str) -> str:
        """The stage whose times a stage has: its own, or those of its like."""
        rung, whole = rung_stage().name, model_stage().name
        like = {rung: whole, whole: rung}.get(stage, stage)
        return like if stage not in self.ratios and like in self.ratios else stage

    def over(self, others: "StageTimes") -> "StageTimes":
        """These, completed by others for stages that have not been timed."""
        if not self.ratios:
            return others
        return StageTimes(others.ratios | self.ratios, others.counts | self.counts, self.source, self.beside_s)


def _ratio(runs: Sequence[Timed]) -> float:
    """Measured by guessed seconds of a stage, from its runs in the order of their ends."""
    most = OUTLIER * median(run.took_s / run.guessed_s for run in runs)
    guessed = took = 0.0
    for run in runs:
        guessed, took = KEEP * guessed + run.guessed_s, KEEP * took + min(run.took_s, most * run.guessed_s)
    return took / guessed


def beside(uses: Iterable[StageUse]) -> float:
    """What stages took beside their runs, in seconds: the lower quartile, since the rest waited for their turn."""
    waits = [max(0.0, use.seconds - use.ran_s) for use in uses if use.ran_s is not None and not use.reused]
    return quantiles(waits, n=4)[0] if len(waits) > 1 else 0.0


def found_share(uses: Iterable[StageUse], known: Collection[str]) -> dict[str, float]:
    """The share of the stages of each name that were in the store already, made by other searches.

    Half a stage that was not counts beside them, so that a single find does not promise the next.

    Args:
        uses: stages that trials have requested.
        known: keys that say nothing about others: they were known to be there, or are under way.
    """
    there: dict[str, dict[str, bool]] = {}
    for use in uses:
        if use.key not in known:
            keys = there.setdefault(use.stage, {})
            keys[use.key] = use.reused and keys.get(use.key, True)
    return {stage: sum(keys.values()) / (len(keys) + 0.5) for stage, keys in there.items()}
