"""The search's own run in MLflow: best values, size of the front, trials and the largest gap, after each trial.

Worked out from the ledger's events alone, in their order, so that a replay gives the same curves.
"""

from collections.abc import Mapping
from math import inf, isfinite
from typing import Any

from tuner.front.constraint import Constraint
from tuner.tracking.axes import Axis, axes_of, constraints_of
from tuner.tracking.updates import Value, as_values, gap_percent

Vector = tuple[float, ...]  # an objective each, signed so that more is better


class Summary:
    """What the events so far say together."""

    def __init__(self) -> None:
        self.values: list[Value] = []  # all points of all curves; the step is the number of outcomes
        self._axes: list[Axis] = []
        self._constraints: list[Constraint] = []
        self._sizes: dict[int, Mapping[str, Any]] = {}
        self._outcomes: dict[int, str] = {}
        self._n_outcomes = 0  # one that was pruned and went on later has two
        self._front: dict[int, Vector] = {}  # by trial
        self._violating: dict[int, Vector] = {}  # the front of trials that violate a constraint
        self._best: dict[str, float] = {}
        self._gap = -inf

    def add(self, event: Mapping[str, Any]) -> None:
        """Take in the next event; one that makes no sense is reported elsewhere, and adds nothing here."""
        kind, trial = event.get("event"), event.get("trial")
        if kind == "search" and not self._axes and isinstance(event.get("recipe"), Mapping):
            self._axes, self._constraints = axes_of(event["recipe"]), constraints_of(event["recipe"])
        if not isinstance(trial, int):
            return
        if kind == "trial" and isinstance(event.get("params"), Mapping):
            self._sizes[trial] = event["params"]
        elif kind == "outcome" and isinstance(event.get("time_s"), int | float):
            if self._outcomes.get(trial, "pruned") != "pruned":  # written twice: the first one counts
                return
            if trial in self._outcomes and event.get("outcome") == "pruned":
                return
            self._outcomes[trial] = str(event.get("outcome"))
            self._n_outcomes += 1
            if event.get("outcome") == "complete":
                self._complete(event, {**self._sizes.get(trial, {}), **(event.get("values") or {})})
            self.values += as_values(self._now(), "", round(event["time_s"] * 1000), self._n_outcomes)

    def _complete(self, event: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        gap = gap_percent(event.get("program") or {})
        self._gap = self._gap if gap is None else max(self._gap, gap)
        found = {axis.name: values[axis.name] for axis in self._axes if _is_number(values.get(axis.name))}
        for axis in self._axes:
            if axis.name in found:
                value = found[axis.name]
                self._best[axis.name] = axis.better(value, self._best.get(axis.name, value))
        if self._axes and len(found) == len(self._axes):
            front = self._violating if any(c.violation(values) for c in self._constraints) else self._front
            signs = [1 if axis.direction == "max" else -1 for axis in self._axes]
            new = tuple(sign * found[axis.name] for sign, axis in zip(signs, self._axes, strict=True))
            _enter(front, event["trial"], new)

    @property
    def members(self) -> set[int]:
        """The trials on the front, as `tuner.front.pareto` has it."""
        return set(self._front or self._violating)

    def _now(self) -> dict[str, float]:
        best = {f"best/{name}": value for name, value in self._best.items()}
        counts = {"front_size": float(len(self.members)), "trials": float(len(self._outcomes))}
        return best | counts | {"program/gap": self._gap}


def _enter(front: dict[int, Vector], trial: int, new: Vector) -> None:
    """Keep the non-dominated ones; equal ones are all members."""
    if not any(_dominates(member, new) for member in front.values()):
        for beaten in [other for other, member in front.items() if _dominates(new, member)]:
            del front[beaten]
        front[trial] = new


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and isfinite(value)


def _dominates(one: Vector, other: Vector) -> bool:
    return one != other and all(a >= b for a, b in zip(one, other, strict=True))
