"""Trials as pandas DataFrames, with the column names of Optuna's `trials_dataframe` where they exist.

One row per trial. Columns:

number              position in the search, from 0
state               complete, pruned (by early stopping), failed, infeasible, stopped, skipped, or open (proposed, not
                    ended)
duration            wall time of the trial; NaT while it is open
datetime_complete   when it ended, UTC
params_NAME         its parameters, named as in the recipe's space
values_NAME         metrics on the split that objectives are measured on (validation; test under `protocol=paper`)
errors_NAME         one standard error of a value where it is known, in the metric's unit
confirmed_NAME      mean over the confirmation runs, for confirmed members of the front
deviation_NAME      standard deviation over them, in the metric's unit
test_NAME           metrics on the test split, for members of the front
rung_NAME           metrics at the rung of early stopping, on the split that objectives are measured on
rung_epoch          the epoch of fine-tuning at which they were measured; missing without a rung
program_NAME        how the quadratic program ended: objective, bound, gap (a share), status, seconds
stage, cause        where and why the trial ended, if it is not complete
model               key of the fine-tuned model's artifact
on_front            whether it is a member of the front
runs                confirmation runs; 0 where it was run once
non_dominated       probability of being non-dominated; missing below two confirmation runs
beyond_noise        whether that is at least 0.95

`values_NAME` are those of the search's own run, which is too good on average for members, since they were selected.

`frame.attrs` holds "search", "objectives" (name -> direction), "units" (column -> unit), "hypervolume" (0 to 1) and
"caution" (a sentence if its trials were chosen on the test images, else empty).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from tuner.front import uncertainty
from tuner.front.candidates import Candidate
from tuner.front.confirmation import ErrorBars
from tuner.qpm import METRICS
from tuner.search.record.front_view import FrontView
from tuner.search.record.restoration import SearchState, TrialRecord

FIRST = ("number", "state", "duration", "datetime_complete")
LAST = ("stage", "cause", "model", "on_front", "runs", "non_dominated", "beyond_noise")
GROUPS = ("params_", "values_", "errors_", "confirmed_", "deviation_", "test_", "rung_", "program_")
PROGRAM_UNITS = {"program_gap": "share of the bound", "program_seconds": "s"}


def trials_frame(view: FrontView, state: SearchState) -> pd.DataFrame:
    """All trials, by number."""
    return _frame(view, [trial for _, trial in sorted(state.trials.items())])


def front_frame(view: FrontView, state: SearchState) -> pd.DataFrame:
    """The members of the front, the best in the first objective on top."""
    best = view.objectives[0]
    members = sorted(view.members, key=lambda member: -best.goodness(member.values[best.name]))
    return _frame(view, [state.trials[member.trial] for member in members])


def candidates_frame(view: FrontView, state: SearchState, candidates: Sequence[Candidate]) -> pd.DataFrame:
    """The candidates of a front in their order, with what each is in the column `role`."""
    frame = _frame(view, [state.trials[candidate.point.trial] for candidate in candidates])
    frame.insert(1, "role", [candidate.role for candidate in candidates])
    return frame


def _frame(view: FrontView, trials: Sequence[TrialRecord]) -> pd.DataFrame:
    members = {member.trial for member in view.members}
    rows = [_row(trial, trial.number in members, view.bars.get(trial.number, ErrorBars())) for trial in trials]
    objectives = [f"values_{objective.name}" for objective in view.objectives]
    names = dict.fromkeys([*objectives, *(name for row in rows for name in row)])
    columns = [*FIRST, *(n for group in GROUPS for n in names if n.startswith(group)), *LAST]
    frame = pd.DataFrame(rows, columns=columns)
    frame = frame.astype(_types(frame, columns))
    frame["duration"] = pd.to_timedelta(frame["duration"], unit="s")
    frame["datetime_complete"] = pd.to_datetime(frame["datetime_complete"], unit="s", utc=True)
    frame.attrs = {
        "search": view.search,
        "objectives": {objective.name: objective.direction for objective in view.objectives},
        "hypervolume": view.hypervolume,
        "caution": view.caution,
        "units": {name: unit for name in columns if (unit := _unit(name))},
    }
    return frame


def _types(frame: pd.DataFrame, columns: Sequence[str]) -> dict[str, str]:
    """The types of columns that pandas cannot tell from values that are missing in all rows, or without rows."""
    types = {"number": "int64", "on_front": "bool", "runs": "int64", "non_dominated": "float64", "beyond_noise": "bool"}
    unknown = [n for n in columns if n.startswith(GROUPS) and n != "program_status" and frame[n].isna().all()]
    return types | {n: "float64" for n in unknown if not n.startswith("params_")}


def _row(trial: TrialRecord, on_front: bool, bars: ErrorBars) -> dict[str, Any]:
    ended = trial.outcome is not None
    return {
        "number": trial.number,
        "state": trial.outcome or "open",
        "duration": trial.seconds if ended else None,
        "datetime_complete": trial.ended_at if ended else None,
        **_named("params_", trial.params),
        **_named("values_", trial.values),
        **_named("errors_", uncertainty.errors(trial.values) | ({} if bars.runs else bars.error)),
        **_named("confirmed_", bars.mean),
        **_named("deviation_", bars.deviation),
        **_named("test_", trial.test),
        **_named("rung_", trial.rung | ({"epoch": trial.rung_epochs[0]} if trial.rung_epochs else {})),
        **_named("program_", trial.program.to_json() if trial.program else {}),
        "stage": trial.stage,
        "cause": trial.cause,
        "model": trial.model,
        "on_front": on_front,
        "runs": bars.runs,
        "non_dominated": bars.probability,
        "beyond_noise": bars.beyond_noise,
    }


def _named(group: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{group}{name}": value for name, value in values.items()}


def _unit(column: str) -> str:
    """The unit of a column, empty for a plain number."""
    group, _, name = column.partition("_")
    metric = METRICS.get(name.removeprefix("assigned_"))
    if group in ("errors", "deviation"):
        return "percentage points" if metric is None or metric.unit == "%" else metric.unit
    if group in ("values", "confirmed", "test", "rung"):
        return metric.unit if metric else uncertainty.KINDS.get(name.removeprefix("assigned_"), "")
    return PROGRAM_UNITS.get(column, "")
