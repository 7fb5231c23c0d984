"""What a trial is compared with at the rung: the earlier trials that its proposal knew, whatever has ended since.

So the decision depends on the numbers of trials and on their values, never on who was faster.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tuner.front.constraint import Constraint
from tuner.front.pareto import Objective
from tuner.recipe import Recipe, constraints_of, objectives_of
from tuner.search.record.state import SearchState, TrialRecord
from tuner.search.stopping.forecast import traits_of
from tuner.search.stopping.halving import Halving, Verdict


@dataclass(frozen=True)
class Bar:
    """The comparison of one trial; crosses to the broker, and is applied there once the rung's values are known.

    Attributes:
        rule: decides.
        objectives: of the search.
        params: the trial's parameters; an objective among them is known from the start.
        earlier: losses of the earlier trials at the rung, one row per trial, less is better; and behind them how far
            each is beyond the constraints.
        ended: losses of the same trials at the end; None for one that was not trained to it in its first run.
        epoch: the epoch of the rung.
        epochs: epochs of fine-tuning in all.
        constraints: of the search.
        others: parameters of the earlier trials.
        pauses: the trial pauses at the rung in any case, and goes on if a later turn promotes it (`promotion.py`).
    """

    rule: Halving
    objectives: tuple[Objective, ...]
    params: Mapping[str, Any]
    earlier: tuple[tuple[float, ...], ...]
    ended: tuple[tuple[float, ...] | None, ...]
    epoch: int
    epochs: int
    constraints: tuple[Constraint, ...] = ()
    others: tuple[Mapping[str, Any], ...] = ()
    pauses: bool = False

    def judge(self, values: Mapping[str, float]) -> Verdict | None:
        """Whether the trial goes on; None: it cannot be compared, and goes on.

        That is so where it lacks an objective, or what a constraint is about, at the rung.

        Args:
            values: metrics measured at the rung.
        """
        own = losses(self.objectives, self.params, values, self.constraints)
        if own is None:
            return None
        if self.pauses:
            return Verdict(False, 1, 1, 0)
        exact = exact_of(self.objectives, self.params, values)
        earlier = np.array(self.earlier, dtype=np.float64).reshape(-1, len(own))
        unknown = (np.nan,) * len(own)
        ended = np.array([row or unknown for row in self.ended], dtype=np.float64).reshape(-1, len(own))
        traits = traits_of([*self.others, self.params]) if self.others else None
        return self.rule.judge(earlier, ended, np.array(own), exact, traits)

    @property
    def cause(self) -> str:
        """Why a trial is stopped, in one line; the same for all that are stopped there."""
        if self.pauses:
            return f"paused at epoch {self.epoch} of {self.epochs}"
        return f"not among the best 1/{self.rule.eta:g} at epoch {self.epoch} of {self.epochs}"


def bar_of(recipe: Recipe, state: SearchState, trial: TrialRecord) -> Bar | None:
    """What a trial is compared with; None if it is not stopped early, or its fine-tuning has no epoch for a rung.

    Args:
        recipe: the search, with the present settings of early stopping.
        state: holds the earlier trials.
        trial: compared with those before number `trial.known`, of which all have ended; a trial that was proposed
            while early stopping was off has no such number, and is not stopped.
    """
    if trial.known is None:
        return None
    epochs = _epochs(recipe, trial)
    epoch = recipe.stopping.rung_epoch(epochs)
    if epoch is None:
        return None
    objectives, constraints = objectives_of(recipe), constraints_of(recipe)
    rule = Halving(recipe.stopping.eta, recipe.stopping.startup_trials)
    if recipe.stopping.promotes:
        goes_on = trial.outcome is None and trial.reopened and is_at_rung(recipe, trial)
        pause = Bar(rule, objectives, trial.params, (), (), epoch, epochs, constraints, pauses=True)
        return None if goes_on else pause
    earlier = (state.trials[number] for number in range(trial.known) if number in state.trials)
    rows = [
        (row, at_its_end(objectives, other, constraints), other.params)
        for other in earlier
        if is_at_rung(recipe, other) and (row := losses(objectives, other.params, other.rung, constraints)) is not None
    ]
    rungs, ends, others = (tuple(row[0] for row in rows), tuple(row[1] for row in rows), tuple(row[2] for row in rows))
    return Bar(rule, objectives, trial.params, rungs, ends, epoch, epochs, constraints, others)


def losses(
    objectives: Sequence[Objective],
    params: Mapping[str, Any],
    values: Mapping[str, float],
    constraints: Sequence[Constraint] = (),
) -> tuple[float, ...] | None:
    """The objectives of a trial, each signed so that less is better, then its constraints; None if one is missing."""
    known = {**params, **values}
    if any(objective.name not in known for objective in objectives):
        return None
    beyond = [constraint.excess(known) for constraint in constraints]
    signed = [float(known[o.name]) * (-1.0 if o.direction == "max" else 1.0) for o in objectives]
    found = [*signed, *(excess for excess in beyond if excess is not None)]
    return tuple(found) if len(found) == len(objectives) + len(constraints) else None


def at_its_end(
    objectives: Sequence[Objective], trial: TrialRecord, constraints: Sequence[Constraint]
) -> tuple[float, ...] | None:
    """Losses of a trial at its end; None if it has none, or was pruned first and went on at a time of its own."""
    if trial.outcome != "complete" or trial.reopened:
        return None
    return losses(objectives, trial.params, trial.values, constraints)


def exact_of(
    objectives: Sequence[Objective], params: Mapping[str, Any], values: Mapping[str, float]
) -> tuple[bool, ...]:
    """(n_objectives,), which of them are parameters, and so known from the start."""
    return tuple(objective.name in params and objective.name not in values for objective in objectives)


def is_at_rung(recipe: Recipe, trial: TrialRecord) -> bool:
    """Whether its values at a rung are of the epoch at which the present settings have it."""
    epochs = _epochs(recipe, trial)
    return trial.rung_epochs is not None and trial.rung_epochs == (recipe.stopping.rung_epoch(epochs), epochs)


def _epochs(recipe: Recipe, trial: TrialRecord) -> int:
    return int(trial.params.get("finetune.epochs", recipe.finetune.epochs))
