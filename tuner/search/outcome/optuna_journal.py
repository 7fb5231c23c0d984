"""A search as a study of Optuna, in a journal file that `optuna-dashboard` and Optuna itself open.

A snapshot made from the ledger: the search never reads it.
"""

import os
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from math import isfinite
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from tuner.errors import UsageError
from tuner.front.constraint import Constraint
from tuner.front.pareto import Objective
from tuner.recipe import constraints_of, objectives_of
from tuner.search.record.home import SearchHome
from tuner.search.record.restoration import TrialRecord

STATES = {"complete": TrialState.COMPLETE, "failed": TrialState.FAIL, None: TrialState.RUNNING}  # others: PRUNED
MEASURED = "has objective values"  # a constraint of Optuna: above 0 is infeasible
LOST = "its proposal is missing in the ledger"


def write_journal(home: SearchHome, file: Path) -> int:
    """Write the study; its name is the search's, its trials have the numbers of the search's.

    Args:
        home: the search.
        file: where; a file that is there is replaced once the new one is whole.

    Returns:
        The number of trials.

    Raises:
        UsageError: the path is a folder, or in none.
        TunerError: the search cannot be read.
    """
    if file.is_dir() or not file.absolute().parent.is_dir():
        found = "is a folder" if file.is_dir() else "is in a folder that does not exist"
        raise UsageError(f"{file} {found}", "the path of a file in an existing folder", "give another path")
    recipe, _ = home.stored()
    objectives, constraints = objectives_of(recipe), constraints_of(recipe)
    space = {name: _distribution(dimension) for name, dimension in recipe.space.items()}
    state = home.state(recipe)
    trials = [
        _trial(number, state.trials.get(number), objectives, space, constraints)
        for number in range(_count(state.trials))
    ]
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with tempfile.TemporaryDirectory(dir=file.absolute().parent, prefix=".qpm-tuner-") as folder:
        draft = Path(folder) / file.name
        study = optuna.create_study(
            study_name=home.name,
            storage=JournalStorage(JournalFileBackend(str(draft))),
            directions=["maximize" if objective.direction == "max" else "minimize" for objective in objectives],
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            study.set_metric_names([objective.name for objective in objectives])
        study.set_user_attr("store", home.store.url)
        study.add_trials(trials)
        os.replace(draft, file)  # noqa: PTH105  the file's own name may be a link
    return len(trials)


def _count(trials: Mapping[int, TrialRecord]) -> int:
    return max(trials, default=-1) + 1


def _trial(
    number: int,
    record: TrialRecord | None,
    objectives: Sequence[Objective],
    space: Mapping[str, BaseDistribution],
    constraints: Sequence[Constraint] = (),
) -> FrozenTrial:
    """One trial as Optuna has it; a number without a proposal is a failed trial, so that the others keep theirs."""
    record = record or TrialRecord(number, {}, outcome="failed", cause=LOST)
    known = {**record.params, **record.values}
    values = [float(known[o.name]) for o in objectives if o.name in known]
    is_measured = record.outcome == "complete" and len(values) == len(objectives) and all(map(isfinite, values))
    state = STATES.get(record.outcome, TrialState.PRUNED)
    if state == TrialState.COMPLETE and not is_measured:
        state = TrialState.PRUNED
    inside = {name: v for name, v in record.params.items() if name in space and _holds(space[name], v)}
    ended = datetime.fromtimestamp(record.ended_at) if record.outcome else None
    begun = datetime.now() if ended is None else ended - timedelta(seconds=record.seconds)
    made = FrozenTrial(
        number=number,
        state=state,
        value=None,
        values=values if state == TrialState.COMPLETE else None,
        datetime_start=begun,
        datetime_complete=ended,
        params=inside,
        distributions={name: space[name] for name in inside},
        user_attrs=_attributes(record, inside),
        system_attrs={},
        intermediate_values={},
        trial_id=-1,
    )
    if state not in (TrialState.RUNNING, TrialState.FAIL):
        made.set_constraint(MEASURED, 0.0 if is_measured or record.outcome == "pruned" else 1.0)
    if state == TrialState.COMPLETE:
        for constraint in constraints:
            excess = constraint.excess(known)
            made.set_constraint(
                str(constraint), constraint.violation(known) or min(0.0 if excess is None else excess, 0.0)
            )
    return made


def _attributes(record: TrialRecord, inside: Mapping[str, Any]) -> dict[str, Any]:
    """What Optuna has no place for: fixed parameters, other metrics, values on test, outcome and cause."""
    fixed = {name: value for name, value in record.params.items() if name not in inside}
    test = {f"test/{name}": value for name, value in record.test.items()}
    told: dict[str, Any] = {
        "outcome": record.outcome,
        "stage": record.stage,
        "cause": record.cause,
        "model": record.model,
    }
    told["seconds"] = record.seconds if record.outcome else None
    return {**fixed, **record.values, **test, **{name: value for name, value in told.items() if value is not None}}


def _distribution(dimension: Mapping[str, Any]) -> BaseDistribution:
    """A dimension in its own units; the sampler draws places in a list of numbers instead."""
    if "choices" in dimension:
        return CategoricalDistribution(list(dimension["choices"]))
    low, high, log, step = dimension["low"], dimension["high"], bool(dimension.get("log")), dimension.get("step")
    if isinstance(low, int) and isinstance(high, int):
        return IntDistribution(low, high, log=log, step=step or 1)
    return FloatDistribution(float(low), float(high), log=log, step=step)


def _holds(distribution: BaseDistribution, value: Any) -> bool:
    """Whether a value lies in a dimension; one of an earlier recipe may not."""
    if isinstance(distribution, CategoricalDistribution):
        return value in distribution.choices
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    low, high, step = distribution.low, distribution.high, distribution.step
    return bool(low <= value <= high and (step is None or abs((value - low) / step % 1) < 1e-9))
