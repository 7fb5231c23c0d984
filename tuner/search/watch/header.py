"""The lines above a running search: what is searched, its budget and time so far, the best so far, where to look."""

from collections.abc import Sequence
from dataclasses import dataclass

from tuner.base.metric import METRICS
from tuner.base.steps import duration
from tuner.front import pareto, uncertainty, words
from tuner.front.pareto import Objective
from tuner.recipe import Recipe
from tuner.search.cost.forecast import Expected
from tuner.search.cost.spent import spent_in
from tuner.search.cost.texts import cost_in_short, sure
from tuner.search.record.state import SearchState
from tuner.search.watch.texts import figure, heading

STOPPING = "stopping: running stages come to their end"


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
    axes = ", ".join(f"{words.name(o.name)} ({o.direction})" for o in objectives)
    lines = [f"search {place.name}{title}", f"objectives {axes} | over {', '.join(map(words.name, recipe.space))}"]
    lines += mlflow_lines(place.mlflow)
    return [*lines, f"from elsewhere: qpm-tuner trial --store {place.store} --name {place.name}"]


def mlflow_lines(place: str) -> list[str]:
    """Where MLflow shows the search; for a file, the command that serves it has a line of its own."""
    server, then, page = place.partition(", then ")
    told = [f"start {server}", page] if then else [place]
    return [f"MLflow: {text}" for text in told if text]


def progress(
    state: SearchState, recipe: Recipe, elapsed_s: float, expected: Expected | None, *, stopping: bool = False
) -> str:
    """How far the search is: "7/16 trials, 1 failed | 12 min, 0.31 CPU h so far | ETA 20 min, right within about 25 %".

    What it has cost is told in money where prices are given, else in GPU hours, else in CPU hours.

    Args:
        state: of the search.
        recipe: with its budget.
        elapsed_s: search time so far.
        expected: what it is expected to take; None: unknown.
        stopping: whether someone has asked for its end.
    """
    counts = state.counts()
    other = "".join(f", {n} {outcome}" for outcome, n in counts.items() if outcome != "complete")
    limit_s = recipe.budget.time_limit_s
    so_far = duration(elapsed_s) + (f" of {duration(limit_s)}" if limit_s else "")
    so_far = ", ".join(filter(None, [so_far, cost_in_short(spent_in(state), recipe.budget)]))
    parts = [f"{sum(counts.values())}/{recipe.budget.trials} trials{other}", f"{so_far} so far"]
    if state.paused is not None:
        parts.append(f"paused by {state.paused.by}")
    return " | ".join([*parts, STOPPING if stopping else _told(state, recipe, expected)])


def ahead(state: SearchState, recipe: Recipe, expected: Expected | None, *, stopping: bool = False) -> str:
    """The trials that have ended, and the time that is left: "7/16 trials | ETA 12 min"."""
    if stopping:
        return f"{sum(state.counts().values())}/{recipe.budget.trials} trials | stopping"
    eta = "ETA unknown" if expected is None or expected.overdue else f"ETA {duration(expected.left_s)}"
    return f"{sum(state.counts().values())}/{recipe.budget.trials} trials | {eta}"


def _told(state: SearchState, recipe: Recipe, expected: Expected | None) -> str:
    """The time that is left, confirmation included."""
    if expected is None:
        return "ETA unknown"
    if state.paused is not None:
        return f"{duration(expected.left_s)} left when resumed"
    if expected.overdue:
        return "ETA unknown until a trial has ended"
    if not (state.open() or state.missing(recipe.budget.trials)):
        return f"last trials done, ETA {duration(expected.left_s)}"
    at_most = "at most " if recipe.budget.patience else ""
    by = f" by {expected.limit}" if expected.limit else ""
    return f"ETA {at_most}{duration(expected.left_s)}{by}, {sure(expected)}"


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
