"""The lines above a running search: what is searched, its budget and time so far, the best so far, where to look."""

from collections.abc import Sequence
from dataclasses import dataclass

from tuner.base.metric import METRICS
from tuner.base.steps import duration
from tuner.front import pareto, uncertainty
from tuner.front.pareto import Objective
from tuner.recipe import Recipe
from tuner.search.record.state import SearchState
from tuner.search.watch.eta import eta
from tuner.search.watch.texts import figure, heading


@dataclass(frozen=True)
class Place:
    """Where a running search can be looked at.

    Attributes:
        name: of the search.
        store: address of its store.
        mlflow: address of MLflow; empty: it is switched off.
    """

    name: str
    store: str
    mlflow: str = ""


def header(place: Place, recipe: Recipe, objectives: Sequence[Objective]) -> list[str]:
    """The lines that stay the same."""
    title = f": {recipe.title}" if recipe.title else ""
    axes = ", ".join(f"{heading(o.name)} {o.direction}" for o in objectives)
    lines = [f"search {place.name}{title}", f"objectives {axes} | over {', '.join(map(heading, recipe.space))}"]
    if place.mlflow:
        lines.append(f"MLflow {place.mlflow}")
    return [*lines, f"from elsewhere: qpm-tuner trial --store {place.store} --name {place.name}"]


def progress(state: SearchState, recipe: Recipe, elapsed_s: float, since_s: float = 0.0) -> str:
    """How far the search is, such as "7/16 trials, 1 failed | 12 min | ETA 20 min ± 3 min".

    Args:
        state: of the search.
        recipe: with its budget.
        elapsed_s: search time so far.
        since_s: seconds since the last trial ended.
    """
    counts = state.counts()
    other = "".join(f", {n} {outcome}" for outcome, n in counts.items() if outcome != "complete")
    parts = [f"{sum(counts.values())}/{recipe.budget.trials} trials{other}", f"{duration(elapsed_s)} so far"]
    if recipe.budget.time_limit_s:
        parts[-1] += f" of {duration(recipe.budget.time_limit_s)}"
    if state.paused is not None:
        parts.append(f"paused by {state.paused.by}")
    return " | ".join([*parts, told_eta(state, recipe, since_s)])


def told_eta(state: SearchState, recipe: Recipe, since_s: float) -> str:
    """The time that the remaining trials take."""
    if not (state.open() or state.missing(recipe.budget.trials)):
        return "last trials done"
    found = eta(state, recipe, since_s)
    if found is None:
        return "ETA unknown before a trial is complete"
    return f"ETA {duration(found.seconds)} ± {duration(found.spread)}"


def best(state: SearchState, objectives: Sequence[Objective]) -> str:
    """The best value of each objective so far, with its trial; empty before a trial is complete."""
    points = pareto.measured(state.points(objectives), objectives)
    if not points:
        return ""
    told = []
    for objective in objectives:
        name = objective.name
        top = max(points, key=lambda point: (objective.goodness(point.values[name]), -point.trial))
        shown = figure(name, top.values[name], uncertainty.error(name, top.values))
        unit = f" {METRICS[name].unit}" if name in METRICS and METRICS[name].unit else ""
        told.append(f"{heading(name)} {shown}{unit} (trial {top.trial})")
    return f"best so far: {', '.join(told)}"
