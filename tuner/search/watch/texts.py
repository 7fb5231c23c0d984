"""Short texts for tables and log lines: headings, numbers, a stage under way, what reuse saved."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tuner.base.metric import METRICS
from tuner.base.steps import duration
from tuner.front import uncertainty, words
from tuner.front.pareto import Objective
from tuner.front.uncertainty import plus_minus
from tuner.search.execute.messages import RunSnapshot
from tuner.search.record.holder import short
from tuner.search.record.restoration import SearchState, TrialRecord

QUIET_S = 30.0  # a stage usually reports within seconds

SIZES = {"n_features": "features", "features_per_class": "per class"}  # short, because terminals are narrow


def reuse_line(state: SearchState) -> str:
    """The savings from reuse, such as "dense reused 37 times, 41 min saved"."""
    table = state.reuse()
    reused = [f"{stage} reused {row['reused']:.0f} times" for stage, row in table.items() if row["reused"]]
    if not reused:
        return "nothing reused yet"
    return f"{', '.join(reused)}, {duration(sum(row['saved_s'] for row in table.values()))} saved"


def pruned_line(state: SearchState) -> str:
    """How many trials early stopping has ended, and where: "9 trials pruned at epoch 3 of 10"; empty for none."""
    pruned = [trial.rung_epochs for trial in state.finished() if trial.outcome == "pruned" and trial.rung_epochs]
    at = [f"{n} at epoch {epoch} of {epochs}" for (epoch, epochs), n in sorted(Counter(pruned).items())]
    if not at:
        return ""
    trials = f"{len(pruned)} {'trial' if len(pruned) == 1 else 'trials'} pruned"
    return f"{trials}{at[0].removeprefix(str(len(pruned)))}" if len(at) == 1 else f"{trials}: {', '.join(at)}"


def goes_on(trial: TrialRecord) -> str:
    """Of a trial that had paused: "trial 3 goes on from epoch 3 of 10: by now it is among the best".

    Without the reason where no turn has promoted it: the settings of early stopping may have changed instead.
    """
    at = f" from epoch {trial.rung_epochs[0]} of {trial.rung_epochs[1]}" if trial.rung_epochs else ""
    why = "" if trial.promoted is None else ": by now it is among the best"
    return f"trial {trial.number} goes on{at}{why}"


def number(value: Any) -> str:
    """A cell of a table: a float with four digits, empty for None."""
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def figure(metric: str, value: float | None, noise: float | None = None) -> str:
    """A cell with a metric and its noise, if that is known: "96.1 ±1.2", "0.523 ±0.02", "5"; empty for None."""
    if value is None:
        return ""
    shown = words.number(value, METRICS[metric].unit if metric in METRICS else "")
    return shown if noise is None else f"{shown} ±{plus_minus(noise)}"


def measured(objectives: Sequence[Objective], values: Mapping[str, Any]) -> str:
    """The objectives that are known, with their noise: "accuracy 88.4 ±0.9 %, per class 5"; empty for none."""
    told = []
    for objective in (each for each in objectives if each.name in values):
        name = objective.name
        shown = figure(name, float(values[name]), uncertainty.error(name, values))
        told.append(f"{heading(name)} {shown} {objective.unit}".rstrip())
    return ", ".join(told)


def told_stage(run: RunSnapshot) -> str:
    """A running stage: epoch or incumbent and gap, another driver that runs it, and how long it has been silent."""
    if run.elsewhere:
        return f"{run.stage} run by {short(run.elsewhere)}"
    if not run.begun:
        return f"{run.stage} waiting"
    if run.waits:
        return f"{run.stage} {run.waits}"
    detail = f" {run.done}/{run.epochs}" if run.epochs else ""
    known = {name: value for name, value in run.values.items() if math.isfinite(value)}
    if "incumbent" in known:
        detail = f" {known['incumbent']:.5g}" + (f" gap {100 * known['gap']:.2g} %" if "gap" in known else "")
    quiet = f" (no heartbeat for {duration(run.quiet_s)})" if run.quiet_s > QUIET_S else ""
    return f"{run.stage}{detail} {duration(run.seconds)}{quiet}"


def heading(name: str) -> str:
    """A column's heading, shortened for long names."""
    split, _, metric = name.rpartition("/")
    known = METRICS[metric].heading if metric in METRICS else SIZES.get(metric, metric)
    return f"{split} {known}".strip()
