"""The difference of two trials in each metric, with its own noise: what is common to both cancels.

Two models measured on the same images share much of their luck, so the error of their difference is not that of two
independent values. Images and seeds are therefore resampled together (docs/explanation/method.md#difference).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Any

import numpy as np

from tuner.base.metric import METRICS
from tuner.front import bootstrap, uncertainty, words
from tuner.front.bootstrap import Run
from tuner.front.confirmation import FEWEST_RUNS, ROUNDING
from tuner.front.spread import LEVEL, Z

NOISE = (
    "± is one standard error of the difference; beyond noise: chance alone makes such a difference in fewer than "
    f"{100 * LEVEL:g} % of cases"
)
RUN_ONCE = "of a model that was run once, ± covers the images and leaves out the luck of the seed"


@dataclass(frozen=True)
class Difference:
    """One metric of a trial less that of another one.

    Attributes:
        metric: its name.
        unit: of the metric; a difference of percentages is in percentage points.
        value: of the first trial, the mean over its confirmation runs where there are some.
        other: of the second trial.
        error: one standard error of the difference; 0 for a size, which does not vary; None: unknown.
        critical: how many errors chance alone exceeds in 5 % of cases: 1.96, and more where few runs say what it is.
        run_once: whether one of the two was run once, so that `error` leaves out the luck of the seed.
    """

    metric: str
    unit: str
    value: float
    other: float
    error: float | None
    critical: float = Z
    run_once: bool = False

    @property
    def change(self) -> float:
        """The first less the second."""
        return self.value - self.other

    @property
    def is_large(self) -> bool | None:
        """Whether it is beyond the noise that is known; None where none is."""
        return None if self.error is None else abs(self.change) > max(self.critical * self.error, ROUNDING)

    @property
    def beyond_noise(self) -> bool | None:
        """Whether the two can be told apart; None where the noise, or that of seeds, is unknown."""
        unknown = self.run_once and bool(self.error) and self.is_large
        return None if unknown else self.is_large

    def reversed(self) -> "Difference":
        """The other one less the first."""
        return replace(self, value=self.other, other=self.value)

    def verdict(self) -> str:
        """As a word: "beyond noise"; "equal" where there is no difference."""
        if abs(self.change) <= ROUNDING:
            return "equal"
        if self.beyond_noise is None and self.is_large:
            return "beyond the noise of images"
        return {True: "beyond noise", False: "within noise", None: "noise unknown"}[self.beyond_noise]

    def cell(self) -> str:
        """As a cell of a table: "−2.1 ±0.8", "+5"."""
        number = words.number(abs(self.change), self.unit)
        sign = "" if abs(self.change) <= ROUNDING else "+" if self.change > 0 else "−"
        return f"{sign}{number} ±{uncertainty.plus_minus(self.error)}" if self.error else f"{sign}{number}"

    def sentence(self) -> str:
        """As words: "2.1 ± 0.8 percentage points less accuracy (beyond noise)"."""
        if abs(self.change) <= ROUNDING:
            return f"the same {words.name(self.metric)}"
        name, size = words.name(self.metric), self.size()
        counted = self.unit != "%" and self.value.is_integer() and self.other.is_integer()
        less = "fewer" if counted else "less"
        if counted and size == "1":
            name = name.replace("features", "feature", 1)
        more = f"{size} {'more' if self.change > 0 else less} {name}"
        return more if self.error == 0 else f"{more} ({self.verdict()})"

    def size(self) -> str:
        """Its size with its unit: "2.1 ± 0.8 percentage points"."""
        noise = f" ± {uncertainty.plus_minus(self.error)}" if self.error else ""
        number = f"{words.number(abs(self.change), self.unit)}{noise}"
        return f"{number} {words.unit_of_difference(self.unit, number)}".rstrip()

    def to_json(self) -> dict[str, Any]:
        """As JSON documents hold it."""
        return {**self.__dict__, "change": self.change, "beyond_noise": self.beyond_noise}


@dataclass(frozen=True)
class Price:
    """What taking one trial instead of another one means.

    Attributes:
        trial: the other one.
        role: what it is: "the knee", "the best in accuracy".
        differences: in each objective.
        runs: confirmation runs of the two trials.
    """

    trial: int
    role: str
    differences: tuple[Difference, ...]
    runs: tuple[int, int] = (0, 0)

    @property
    def run_once(self) -> bool:
        """Whether the noise of seeds is unknown of one of the two."""
        return min(self.runs) < FEWEST_RUNS

    def sentence(self) -> str:
        """As words: "against trial 7, the knee: 2.1 ± 0.8 percentage points less accuracy (beyond noise), and ..."."""
        told = [difference.sentence() for difference in self.differences]
        return f"against trial {self.trial}, {self.role}: {words.listing(told)}"

    def to_json(self) -> dict[str, Any]:
        """As JSON documents hold it."""
        told = {difference.metric: difference.to_json() for difference in self.differences}
        return {"trial": self.trial, "role": self.role, "differences": told, "runs": list(self.runs)}


def differences(one: Sequence[Run], other: Sequence[Run], metrics: Sequence[str]) -> tuple[Difference, ...]:
    """The differences of two trials, in those of the metrics that all their runs have.

    Args:
        one: runs of the first trial: its confirmation runs, or else the search's own one. Runs of both trials with the
            same split are measured on the same images, and runs with the same seed and split are paired.
        other: runs of the second trial.
        metrics: names of metrics and sizes.
    """
    known = [name for name in metrics if all(name in run.values for run in (*one, *other))]
    drawn = bootstrap.resample({0: one, 1: other}, known)
    once = min(len(one), len(other)) < FEWEST_RUNS
    found = []
    for name in known:
        value, against = (float(np.mean([run.values[name] for run in runs])) for runs in (one, other))
        if name not in METRICS:  # a parameter
            found.append(Difference(name, "", value, against, 0.0))
            continue
        spread = float((drawn[0][name] - drawn[1][name]).std())
        is_known = spread > ROUNDING and all(_has_noise(name, runs) for runs in (one, other))
        critical = Z if once or not is_known else _critical(name, one, other, spread)
        unit = METRICS[name].unit
        found.append(Difference(name, unit, value, against, spread if is_known else None, critical, once))
    return tuple(found)


def _has_noise(metric: str, runs: Sequence[Run]) -> bool:
    """Whether draws say how a trial's value varies: with its seeds, or at least with its images."""
    return len(runs) >= FEWEST_RUNS or bootstrap.has_noise(metric, runs[0])


def _critical(metric: str, one: Sequence[Run], other: Sequence[Run], spread: float) -> float:
    """The quantile of Student's t, since the variance over a few seeds is itself uncertain; that over images is not.

    Degrees of freedom after Welch and Satterthwaite, of paired differences where both have the same runs.
    """
    from scipy.special import stdtrit

    sides = [{(run.seed, run.split): run.values[metric] for run in runs} for runs in (one, other)]
    if sides[0].keys() == sides[1].keys():
        samples = [np.array([sides[0][pair] - sides[1][pair] for pair in sides[0]])]
    else:
        samples = [np.array(list(side.values())) for side in sides]
    variances = [(float(sample.var(ddof=1)) / len(sample), len(sample) - 1) for sample in samples]
    uncertain = sum(variance**2 / freedom for variance, freedom in variances)
    freedom = spread**4 / uncertain if uncertain > 0 else inf
    least = min(freedom for _, freedom in variances)
    return Z if freedom == inf else max(Z, float(stdtrit(max(freedom, least), 1 - LEVEL / 2)))
