"""The status of a search: one JSON document, and its text for commands."""

from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from tuner.base.steps import duration
from tuner.base.tables import Column, FittedTable, note, plain_line
from tuner.report import proof
from tuner.search.cost.spent import spent_in
from tuner.search.cost.texts import cost
from tuner.search.record.front_view import FrontView
from tuner.search.record.home import SearchHome
from tuner.search.record.restoration import SearchState, TrialRecord, tally
from tuner.search.stages import program_stage
from tuner.search.watch.front_table import front_table, trials_named
from tuner.search.watch.mirror import stored_place
from tuner.search.watch.result import SearchResult
from tuner.search.watch.texts import reuse_line


def status(home: SearchHome) -> dict[str, Any]:
    """The status as one JSON document."""
    state = home.state()
    return _document(home, state, home.front(state=state))


def _document(home: SearchHome, state: SearchState, view: FrontView) -> dict[str, Any]:
    recipe, bank = home.stored()
    spent, prices = spent_in(state), recipe.budget.prices
    return {
        "search": home.name,
        "store": home.store.url,
        "bank": bank if isinstance(bank, str) else {point.told(): point.key for point in bank.points},
        "trials": state.counts(),
        "open": [trial.number for trial in state.open()],
        "budget": state.budget or recipe.budget.trials,
        "paused_by": "" if state.paused is None else state.paused.by,
        "members": [member.trial for member in view.members],
        "confirmed": view.confirmed(),
        "beyond_noise": [trial for trial in view.confirmed() if view.bars[trial].beyond_noise],
        "hypervolume": view.hypervolume,
        "hypervolume_error": view.hypervolume_error,
        "reference": dict(view.reference.values),
        "moving": view.moving,
        "caution": view.caution,
        "elapsed_s": state.elapsed_s,
        "stages": state.reuse(),
        "spent": {"cpu_hours": spent.cpu_hours, "gpu_hours": spent.gpu_hours, "money": spent.money(prices)},
        "programs": [
            {"trial": n, "program": trial.program and trial.program.to_json()}
            for n, trial in sorted(state.trials.items())
        ],
        "pick": None if state.pick is None else {"trial": state.pick.trial, "reason": state.pick.reason},
        "mlflow": stored_place(home) or None,
    }


def status_text(home: SearchHome) -> Group:
    """The status as text."""
    state = home.state()
    view = home.front(state=state)
    found = _document(home, state, view)
    ended = tally(found["trials"]) or "none"
    lines: list[RenderableType] = [
        plain_line(f"search {home.name} in {home.store.url}"),
        plain_line(f"trials ended: {ended}; open: {len(found['open'])}; budget: {found['budget']}"),
        *([plain_line(f"paused by {found['paused_by']}")] if found["paused_by"] else []),
        *_causes(state),
        plain_line(f"{reuse_line(state)}; search time {duration(state.elapsed_s)}"),
        plain_line(
            f"stages ran for {cost(spent_in(state), home.stored()[0].budget.prices)} (run time times what was held)"
        ),
        programs_table(state),
        front_table(view, state),
    ]
    if found["mlflow"]:
        lines.append(plain_line(f"MLflow: {found['mlflow']}"))
    return Group(*lines)


def end_text(result: SearchResult) -> Group:
    """How a run of a search ended, as text: progress, reasons of failed trials, and the front."""
    name, counts = repr(result.home.name), result.state.counts()
    ended = sum(counts.values())
    if result.already_complete:
        first = f"search {name} is complete: {ended} trials, {result.recipe.budget.trials} asked for"
    elif result.ended_by_limit:
        first = result.ended_by_limit
    elif result.stopped_by:
        first = f"search {name} stopped after {ended} trials, as {result.stopped_by} asked; the same command carries on"
    elif result.interrupted:
        first = f"search {name} stopped after {ended} trials; the same command carries on"
    else:
        first = f"search {name} done: {tally(counts)}; {reuse_line(result.state)}"
    lines: list[RenderableType] = [plain_line(first), *_causes(result.state)]
    if programs := proof.overview(trial.program for trial in result.state.trials.values()):
        lines.append(note(programs))
    lines.append(front_table(result.home.front(state=result.state), result.state))
    return Group(*lines)


def places(result: SearchResult) -> dict[str, str]:
    """The locations of all results after a run: "report", "front", "picture", "store" and "MLflow"."""
    return dict(result.files) | {"store": result.home.store.url, "MLflow": result.tracking}


def programs_table(state: SearchState) -> Group:
    """How the program of each trial ended; trials that share one share a row."""
    trials: dict[str, list[TrialRecord]] = {}
    for position, trial in sorted(state.trials.items()):
        if trial.program:
            trials.setdefault(trial.stage_key(program_stage().name) or str(position), []).append(trial)
    if not trials:
        return Group()
    programs = [group[0].program for group in trials.values()]
    columns = [
        Column("trials", [", ".join(str(t.number) for t in group) for group in trials.values()], weight=9, words=True),
        Column("program", [proof.ended(p) for p in programs], weight=7, words=True, narrowest=20),
        Column("gap %", [proof.gap(p) for p in programs], weight=8),
        Column("bound", [proof.figure(p, "bound") for p in programs], weight=6),
        Column("objective", [proof.figure(p, "objective") for p in programs], weight=5),
    ]
    return Group(note(proof.overview(t.program for t in state.trials.values())), FittedTable(columns))


def _causes(state: SearchState) -> list[Text]:
    """Why trials did not complete; trials with the same cause share a line."""
    groups: dict[str, list[int]] = {}
    for trial in state.finished():
        if trial.cause:
            where = f" in {trial.stage}" if trial.stage else ""
            groups.setdefault(f"{trial.outcome}{where}: {trial.cause}", []).append(trial.number)
    return [plain_line(f"  {trials_named(numbers)} {told}") for told, numbers in groups.items()]
