"""What the commands print about a search: its front, its status, and where everything lies."""

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from tuner.search.heartbeat import duration
from tuner.search.home import FrontView, SearchHome
from tuner.search.progress import heading, number, reuse_line
from tuner.search.records import SearchState

if TYPE_CHECKING:
    from tuner.search.run import SearchResult

# The parts of the interpretability index, always shown beside it.
PARTS = ("plausibility_undilated", "class_independence", "contrastiveness")


def print_front(view: FrontView, state: SearchState, console: Console) -> None:
    """The front as a table, the best in the first objective on top."""
    if not view.members:
        console.print("no complete trial yet, so no front")
        return
    objectives = [objective.name for objective in view.objectives]
    parts = [p for p in PARTS if p not in objectives and p in view.members[0].values]
    tested = any(state.trials[m.trial].test for m in view.members)
    params = [p for p in view.members[0].params if p not in objectives and p != "seed"]
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("trial", *params, *objectives, *parts, *(f"test/{o}" for o in objectives if tested)):
        table.add_column(heading(name), justify="right")
    first = view.objectives[0]
    sign = -1 if first.direction == "max" else 1
    for member in sorted(view.members, key=lambda m: sign * m.values[first.name]):
        test = state.trials[member.trial].test
        cells = [number(member.params[p]) for p in params] + [number(member.values[n]) for n in (*objectives, *parts)]
        cells += [number(test.get(o)) for o in objectives if tested]
        table.add_row(str(member.trial), *cells)
    console.print(table)
    console.print(f"{len(view.members)} trials on the front, hypervolume {view.hypervolume:.4f}", style="dim")


def print_status(home: SearchHome, console: Console) -> None:
    """How far a search is."""
    found = status(home)
    state = home.state()
    outcomes = ", ".join(f"{n} {outcome}" for outcome, n in found["trials"].items()) or "none"
    console.print(f"search {home.name} in {home.store.url}", markup=False)
    console.print(f"trials ended: {outcomes}; open: {len(found['open'])}; budget: {found['budget']}")
    for trial in state.finished():
        if trial.cause:
            console.print(f"  trial {trial.number} {trial.outcome} in {trial.stage}: {trial.cause}", markup=False)
    console.print(f"{reuse_line(state)}; search time {duration(state.elapsed_s)}")
    print_front(home.front(state=state), state, console)


def status(home: SearchHome) -> dict[str, Any]:
    """The status as one JSON document."""
    recipe, bank = home.stored()
    state = home.state()
    view = home.front(state=state)
    return {
        "search": home.name,
        "store": home.store.url,
        "bank": bank,
        "trials": state.counts(),
        "open": [trial.number for trial in state.open()],
        "budget": recipe.budget.trials,
        "members": [member.trial for member in view.members],
        "hypervolume": view.hypervolume,
        "elapsed_s": state.elapsed_s,
        "stages": state.reuse(),
        "pick": None if state.pick is None else {"trial": state.pick["trial"], "reason": state.pick["reason"]},
    }


def print_summary(result: "SearchResult", console: Console) -> None:
    """The end of `jobs.search`: the front, what was reused, and where everything lies."""
    home, counts = result.home, result.state.counts()
    ended = sum(counts.values())
    if result.already_complete:
        console.print(
            f"search {home.name!r} is complete: {ended} of {result.recipe.budget.trials} trials", markup=False
        )
    elif result.interrupted:
        console.print(f"search {home.name!r} stopped after {ended} trials; the same command carries on", markup=False)
    else:
        outcomes = ", ".join(f"{n} {outcome}" for outcome, n in counts.items())
        console.print(f"search {home.name!r} done: {outcomes}; {reuse_line(result.state)}", markup=False)
    for trial in result.state.finished():
        if trial.outcome == "failed":
            console.print(f"  trial {trial.number} failed in {trial.stage}: {trial.cause}", markup=False, style="red")
    print_front(home.front(state=result.state), result.state, console)
    where = Table.grid(padding=(0, 2))
    address = f"--store {home.store.url} --name {home.name}"
    for name, path in result.files.items():
        where.add_row(name, path)
    where.add_row("store", home.store.url)
    where.add_row("MLflow", result.tracking)
    where.add_row("pick a model", f"python -m jobs.pick {address} --knee --export picked")
    where.add_row("more trials", f"python -m jobs.search {address} --trials {2 * max(ended, 1)}")
    console.print(where, soft_wrap=True)
