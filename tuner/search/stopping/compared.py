"""The trials that are compared at the rung, as numbers: their values there and at their ends, and their parameters."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tuner.front.constraint import Constraint
from tuner.front.pareto import Objective
from tuner.recipe import Recipe, constraints_of, objectives_of
from tuner.search.record.state import TrialRecord
from tuner.search.stopping.forecast import at_the_end, traits_of
from tuner.search.stopping.halving import Flags, Halving
from tuner.search.stopping.ranking import Losses

Row = tuple[float, ...]


@dataclass(frozen=True)
class Compared:
    """Trials that have come to the rung, in the order of their numbers; plain values, as they cross to workers.

    Attributes:
        numbers: of the trials.
        rung: of each, its losses at the rung, less is better, and behind them how far it is beyond the constraints.
        ended: the same at the end; None for a trial whose end is not known.
        params: of each trial.
        exact: (n_objectives,), which objectives are known from the start, such as a size.
    """

    numbers: tuple[int, ...] = ()
    rung: tuple[Row, ...] = ()
    ended: tuple[Row | None, ...] = ()
    params: tuple[Mapping[str, Any], ...] = ()
    exact: tuple[bool, ...] = ()

    @classmethod
    def of(cls, recipe: Recipe, trials: Iterable[TrialRecord]) -> "Compared":
        """Those of the trials that can be compared: measured at the rung's epoch, with all that is to be measured.

        One that has failed or was skipped after its rung has no end to be compared by, and takes no place of another.
        """
        objectives, constraints = objectives_of(recipe), constraints_of(recipe)
        found = [
            (trial, row)
            for trial in trials
            if trial.outcome in (None, "pruned", "complete")
            and is_at_rung(recipe, trial)
            and (row := losses(objectives, trial.params, trial.rung, constraints)) is not None
        ]
        ended = tuple(
            losses(objectives, trial.params, trial.values, constraints) if trial.outcome == "complete" else None
            for trial, _ in found
        )
        exact = exact_of(objectives, found[0][0].params, found[0][0].rung) if found else ()
        params = tuple(trial.params for trial, _ in found)
        return cls(tuple(trial.number for trial, _ in found), tuple(row for _, row in found), ended, params, exact)

    def with_one(self, row: Row, params: Mapping[str, Any], exact: tuple[bool, ...]) -> "Compared":
        """These, and one more trial, which has just come to its rung."""
        return Compared((*self.numbers, -1), (*self.rung, row), (*self.ended, None), (*self.params, params), exact)

    def going_on(self, rule: Halving) -> Flags:
        """(n_trials,), which of them a rule lets go on."""
        return rule.going_on(*self._arrays(), self.exact, traits_of(self.params))

    def forecasts(self) -> Losses:
        """(n_trials, n_objectives + n_constraints), as `rung`, at the end: known, or forecast."""
        return at_the_end(*self._arrays(), traits_of(self.params))

    def _arrays(self) -> tuple[Losses, Losses]:
        """Losses at the rung and at the end, NaN where that is not known."""
        width = len(self.rung[0]) if self.rung else 0
        ended = [row or (np.nan,) * width for row in self.ended]
        shape = len(self.rung), width
        return np.array(self.rung, dtype=np.float64).reshape(shape), np.array(ended, dtype=np.float64).reshape(shape)


def losses(
    objectives: Sequence[Objective],
    params: Mapping[str, Any],
    values: Mapping[str, float],
    constraints: Sequence[Constraint] = (),
) -> Row | None:
    """The objectives of a trial, each signed so that less is better, then its constraints; None if one is missing."""
    known = {**params, **values}
    if any(objective.name not in known for objective in objectives):
        return None
    beyond = [constraint.excess(known) for constraint in constraints]
    signed = [float(known[o.name]) * (-1.0 if o.direction == "max" else 1.0) for o in objectives]
    found = [*signed, *(excess for excess in beyond if excess is not None)]
    return tuple(found) if len(found) == len(objectives) + len(constraints) else None


def exact_of(
    objectives: Sequence[Objective], params: Mapping[str, Any], values: Mapping[str, float]
) -> tuple[bool, ...]:
    """(n_objectives,), which of them are parameters, and so known from the start."""
    return tuple(objective.name in params and objective.name not in values for objective in objectives)


def is_at_rung(recipe: Recipe, trial: TrialRecord) -> bool:
    """Whether its values at a rung are of the epoch at which the present settings have it."""
    epochs = epochs_of(recipe, trial)
    return trial.rung_epochs is not None and trial.rung_epochs == (recipe.stopping.rung_epoch(epochs), epochs)


def epochs_of(recipe: Recipe, trial: TrialRecord) -> int:
    """Epochs of fine-tuning of a trial."""
    return int(trial.params.get("finetune.epochs", recipe.finetune.epochs))
