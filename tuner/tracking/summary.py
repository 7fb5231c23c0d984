"""The search's own run in MLflow: best values, size of the front, trials and the largest gap, after each trial.

Worked out from the ledger's events alone, in their order, so that a replay gives the same curves.
"""

from collections.abc import Mapping
from math import inf, isfinite
from typing import Any

from tuner.tracking.axes import Axis, axes_of
from tuner.tracking.updates import Value, as_values

Vector = tuple[float, ...]  # an objective each, signed so that more is better


class Summary:
    """What the events so far say together."""

    def __init__(self) -> None:
        self.values: list[Value] = []  # all points of all curves, the step is the number of trials that have ended
        self._axes: list[Axis] = []
        self._sizes: dict[int, Mapping[str, Any]] = {}
        self._ended: set[int] = set()
        self._whole: set[int] = set()  # those that are complete; one that paused first ends twice
        self._front: list[Vector] = []
        self._best: dict[str, float] = {}
        self._gap = -inf

    def add(self, event: Mapping[str, Any]) -> None:
        """Take in the next event; one that makes no sense is reported elsewhere, and adds nothing here."""
        kind, trial = event.get("event"), event.get("trial")
        if kind == "search" and not self._axes and isinstance(event.get("recipe"), Mapping):
            self._axes = axes_of(event["recipe"])
        if not isinstance(trial, int):
            return
        if kind == "trial" and isinstance(event.get("params"), Mapping):
            self._sizes[trial] = event["params"]
        elif kind == "outcome" and isinstance(event.get("time_s"), int | float):
            is_whole = event.get("outcome") == "complete"
            if trial in self._whole or (trial in self._ended and not is_whole):
                return
            self._ended.add(trial)
            if is_whole:
                self._whole.add(trial)
                self._complete(event, {**self._sizes.get(trial, {}), **(event.get("values") or {})})
            self.values += as_values(self._now(), "", round(event["time_s"] * 1000), len(self._ended))

    def _complete(self, event: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        gap = (event.get("program") or {}).get("gap")
        if isinstance(gap, int | float) and isfinite(gap):
            self._gap = max(self._gap, 100 * gap)
        found = {axis.name: values[axis.name] for axis in self._axes if _is_number(values.get(axis.name))}
        for axis in self._axes:
            if axis.name in found:
                value = found[axis.name]
                self._best[axis.name] = axis.better(value, self._best.get(axis.name, value))
        if self._axes and len(found) == len(self._axes):
            self._enter(tuple(found[axis.name] * (1 if axis.direction == "max" else -1) for axis in self._axes))

    def _enter(self, new: Vector) -> None:
        """Keep the non-dominated ones; equal ones are all members, as in `tuner.front.pareto`."""
        if any(_dominates(member, new) for member in self._front):
            return
        self._front = [member for member in self._front if not _dominates(new, member)] + [new]

    def _now(self) -> dict[str, float]:
        best = {f"best/{name}": value for name, value in self._best.items()}
        counts = {"front_size": float(len(self._front)), "trials": float(len(self._ended))}
        return best | counts | {"program/gap": self._gap}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and isfinite(value)


def _dominates(one: Vector, other: Vector) -> bool:
    return one != other and all(a >= b for a, b in zip(one, other, strict=True))
