"""What is known of a member of a front beyond the one run that found it: repeated runs, and how much they say.

The run that put a trial on a front was selected for its value, which is therefore too good on average (the winner's
curse). Confirmation runs repeat the trial with other seeds and were not selected, so their mean has no such bias.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from tuner.front import bootstrap, uncertainty
from tuner.front.bootstrap import Run
from tuner.front.pareto import Objective

SURE = 0.95
"""Probability of being non-dominated from which a member counts as beyond noise."""

FEWEST_RUNS = 2
"""Confirmation runs below which nothing is known of the noise of seeds."""

ROUNDING = 1e-9  # below it, values that differ are equal

MEANS = "values of confirmed members are means over their runs, without the run that was selected"
BEYOND_NOISE = f"beyond noise: non-dominated with a probability of at least {SURE:g}"
RULE = "± is one standard error, over images and, for confirmed members, over seeds"


@dataclass(frozen=True)
class ErrorBars:
    """What the runs of a member say (docs/explanation/method.md#beyond-noise).

    Attributes:
        runs: confirmation runs; 0: the search's own run only.
        mean: mean of every metric over the confirmation runs, in its unit; empty without any.
        deviation: sample standard deviation of it over the runs; empty below two runs.
        error: one standard error of the mean, or of the search's own value: over images, and over seeds from two
            runs on. A metric without a known error is absent.
        probability: of being non-dominated among all trials, 0 to 1; None below two runs.
    """

    runs: int = 0
    mean: dict[str, float] = field(default_factory=dict)
    deviation: dict[str, float] = field(default_factory=dict)
    error: dict[str, float] = field(default_factory=dict)
    probability: float | None = None

    @property
    def beyond_noise(self) -> bool:
        """Whether it is non-dominated beyond noise."""
        return self.probability is not None and self.probability >= SURE

    def shown(self, values: Mapping[str, float]) -> dict[str, float]:
        """The values to show: those of the confirmation runs where there are some, else the search's own."""
        return {**values, **self.mean}

    def to_json(self) -> dict[str, Any]:
        """As JSON documents hold it."""
        return {**self.__dict__, "beyond_noise": self.beyond_noise}


def chance(bars: ErrorBars) -> str:
    """The probability of being non-dominated as text: "0.97", or "–" where it is unknown."""
    return "–" if bars.probability is None else f"{bars.probability:.2f}"


def verdict(bars: ErrorBars) -> str:
    """Whether a member is beyond noise as text: "yes" or "no", or "–" where too few runs say nothing of it."""
    return "–" if bars.probability is None else "yes" if bars.beyond_noise else "no"


def weigh(
    searched: Mapping[int, Run],
    confirmed: Mapping[int, Sequence[Run]],
    objectives: Sequence[Objective],
    rivals: Mapping[int, Run] = MappingProxyType({}),
    *,
    draws: int = bootstrap.DRAWS,
    seed: int = 0,
) -> dict[int, ErrorBars]:
    """The error bars of each member of a front.

    A probability is one of being non-dominated among all trials. Those with fewer than two confirmation runs enter
    with the search's own value, less what the confirmed ones have lost on average (the winner's curse, and the luck of
    the search's seed), and with the noise of seeds that the confirmed ones have shown.

    Args:
        searched: the search's own run of each member.
        confirmed: the confirmation runs of each member that has any.
        objectives: the axes of the front.
        rivals: the search's own run of each trial that is not on the front.
        draws: bootstrap draws.
        seed: of the draws.
    """
    repeated = {member: list(runs) for member, runs in confirmed.items() if runs}
    single = {member: [run] for member, run in searched.items() if member not in repeated}
    metrics = dict.fromkeys(o.name for o in objectives)
    metrics |= dict.fromkeys(name for runs in (repeated | single).values() for name in runs[0].images)
    drawn: dict[int, bootstrap.Drawn] = {}
    for group in filter(None, (repeated, single)):
        drawn |= bootstrap.resample(group, list(metrics), draws=draws, seed=seed)
    sure = {member: runs for member, runs in repeated.items() if len(runs) >= FEWEST_RUNS}
    others = {**rivals, **{member: run for member, run in searched.items() if member not in sure}}
    expected = _as_if_confirmed(others, sure, searched, [o.name for o in objectives], draws, seed) if sure else {}
    shares = bootstrap.non_dominated({member: drawn[member] for member in sure}, expected, objectives)
    found = {}
    for member in searched:
        runs = repeated.get(member) or single[member]
        n = len(confirmed.get(member, ()))
        mean, deviation = _moments(runs) if n else ({}, {})
        errors = _errors(runs, deviation)
        for name, values in drawn[member].items():
            if (n > 1 or name not in errors) and values.std() > ROUNDING:
                errors[name] = float(values.std())
        found[member] = ErrorBars(n, mean, deviation, errors, shares.get(member))
    return found


def _as_if_confirmed(
    others: Mapping[int, Run],
    sure: Mapping[int, Sequence[Run]],
    searched: Mapping[int, Run],
    metrics: Sequence[str],
    draws: int,
    seed: int,
) -> dict[int, bootstrap.Drawn]:
    """(draws,) values of members without enough runs, as far as the runs of others let expect them."""
    rng = np.random.default_rng([seed, 1])
    known = [m for m in metrics if all(m in run.values for runs in sure.values() for run in runs)]
    noise, losses = [], []
    for member, runs in sorted(sure.items()):
        table = np.array([[run.values[name] for name in known] for run in runs])
        noise.append((table - table.mean(axis=0)) * np.sqrt(len(runs) / (len(runs) - 1)))
        losses.append([searched[member].values.get(name, np.nan) for name in known] - table.mean(axis=0))
    pool, lost = np.concatenate(noise), dict(zip(known, np.nanmean(losses, axis=0).tolist(), strict=True))
    found = {}
    for member, run in sorted(others.items()):
        shift = dict(zip(known, pool[rng.integers(len(pool), size=draws)].T, strict=True))
        found[member] = {name: run.values[name] - lost[name] + shift[name] for name in known if name in run.values}
    return found


def _moments(runs: Sequence[Run]) -> tuple[dict[str, float], dict[str, float]]:
    """Mean and standard deviation of the metrics that all runs have; numbers of images are averaged only."""
    names = [name for name in runs[0].values if all(name in run.values for run in runs)]
    table = np.array([[run.values[name] for name in names] for run in runs]).reshape(len(runs), len(names))
    mean = dict(zip(names, table.mean(axis=0).tolist(), strict=True))
    if len(runs) < FEWEST_RUNS:
        return mean, {}
    spread = zip(names, table.std(axis=0, ddof=1).tolist(), strict=True)
    return mean, {name: value for name, value in spread if not uncertainty.is_count(name)}


def _errors(runs: Sequence[Run], deviation: Mapping[str, float]) -> dict[str, float]:
    """Standard errors without the bootstrap: of shares by the binomial rule, and over seeds."""
    n, found = len(runs), {}
    averaged = {name: float(np.mean([run.values.get(name, np.nan) for run in runs])) for name in runs[0].values}
    split = uncertainty.errors(averaged)
    for name in dict.fromkeys((*split, *deviation)):
        found[name] = float(np.hypot(split.get(name, 0.0), deviation.get(name, 0.0) / np.sqrt(n)))
    return {name: error for name, error in found.items() if error > 0}
