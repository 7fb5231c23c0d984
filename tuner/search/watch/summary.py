"""What the commands print about a search: its front, its status, and where everything lies."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console

from tuner.base.steps import duration
from tuner.base.tables import Column, print_columns
from tuner.front import pareto, uncertainty, words
from tuner.front.pareto import Point
from tuner.report import proof
from tuner.search.record.front_view import FrontView
from tuner.search.record.home import SearchHome
from tuner.search.record.restoration import SearchState, TrialRecord, tally
from tuner.search.stages import program_stage
from tuner.search.watch.progress import heading, number, reuse_line

if TYPE_CHECKING:
    from tuner.search.driver.run import SearchResult

# The parts of the interpretability index, always shown beside it.
PARTS = ("plausibility_undilated", "class_independence", "contrastiveness")
MOST_NAMED = 8  # trials in one line


def print_front(view: FrontView, state: SearchState, console: Console) -> None:
    """The front as a table, the best in the first objective on top; where there is no room, columns are left out."""
    if not view.members:
        points = state.points(view.objectives)
        lacking = [o.name for o in view.objectives if not pareto.measured(points, [o])]
        lack = f"none of the {len(points)} complete trials has a value of {' or '.join(lacking) or 'all objectives'}"
        say(console, f"{lack if points else 'no complete trial yet'}, so no front")
        return
    first = view.objectives[0]
    sign = -1 if first.direction == "max" else 1
    members = sorted(view.members, key=lambda m: sign * m.values[first.name])
    trials = [state.trials[member.trial] for member in members]
    print_columns(console, _front_columns(view, members, trials))
    say(
        console,
        f"{len(members)} {'trial' if len(members) == 1 else 'trials'} on the front, hypervolume {view.hypervolume:.4f}",
    )
    objectives = [objective.name for objective in view.objectives]
    rests = [uncertainty.legend([*objectives, *PARTS], [m.values for m in members])]
    tested = uncertainty.legend(objectives, [t.test for t in trials])
    rests.append(f"on test, {tested}" if tested else "")
    if any(rests):
        say(console, f"{uncertainty.RULE}; {'; '.join(filter(None, rests))}")
    ends: dict[str, list[int]] = {}
    for trial in trials:
        if proof.by_the_clock(trial.program):
            ends.setdefault(proof.sentence(trial.program), []).append(trial.number)
    for end, numbers in ends.items():
        say(console, f"the program of {trials_named(numbers)} was {end}")


def _front_columns(view: FrontView, members: list[Point], trials: list[TrialRecord]) -> list[Column]:
    """The columns of a front; of most weight are objectives, gap, the first on test, parameters, in this order."""
    objectives = [objective.name for objective in view.objectives]
    parts = [p for p in PARTS if p not in objectives and any(p in m.values for m in members)]
    params = [p for p in members[0].params if p not in objectives and p != "seed"]
    columns = [Column("trial", [str(m.trial) for m in members], weight=9)]
    columns += [Column(heading(p), [number(m.params.get(p)) for m in members], weight=5) for p in params]
    columns += [Column(heading(o), [measured(o, m.values) for m in members], weight=8) for o in objectives]
    columns += [Column(heading(p), [measured(p, m.values) for m in members], weight=3) for p in parts]
    tested = [o for o in objectives if any(o in t.test for t in trials)]  # a size is the same on every split
    columns += [
        Column(heading(f"test/{o}"), [measured(o, t.test) for t in trials], weight=4 if i else 6)
        for i, o in enumerate(tested)
    ]
    if any(t.program for t in trials):
        columns += [
            Column("gap %", [proof.gap(t.program) for t in trials], weight=7),
            Column("program", [proof.short(t.program) for t in trials], weight=4, words=True),
            Column("bound", [proof.figure(t.program, "bound") for t in trials], weight=2),
        ]
    return columns


def measured(name: str, values: Mapping[str, float]) -> str:
    """A cell: a value, with its standard error where it is a share of counted images, such as 96.1 ±1.2."""
    deviation = uncertainty.error(name, values)
    if deviation is None:
        return number(values.get(name))
    return f"{values[name]:.1f} ±{uncertainty.plus_minus(deviation)}"


def say(console: Console, line: str) -> None:
    """A line below a table."""
    console.print(line, style="dim", markup=False, highlight=False)


def print_status(home: SearchHome, console: Console) -> None:
    """How far a search is."""
    found = status(home)
    state = home.state()
    ended = tally(found["trials"]) or "none"
    console.print(f"search {home.name} in {home.store.url}", markup=False, soft_wrap=True)
    console.print(f"trials ended: {ended}; open: {len(found['open'])}; budget: {found['budget']}")
    print_causes(state, console)
    console.print(f"{reuse_line(state)}; search time {duration(state.elapsed_s)}")
    print_programs(state, console)
    print_front(home.front(state=state), state, console)


def print_causes(state: SearchState, console: Console) -> None:
    """Why trials did not complete; those of one cause share a line."""
    groups: dict[str, list[int]] = {}
    for trial in state.finished():
        if trial.cause:
            where = f" in {trial.stage}" if trial.stage else ""
            groups.setdefault(f"{trial.outcome}{where}: {trial.cause}", []).append(trial.number)
    for told, numbers in groups.items():
        console.print(f"  {trials_named(numbers)} {told}", markup=False, highlight=False)


def trials_named(numbers: list[int]) -> str:
    """ "trial 3", "trials 3, 5 and 8", and of many the first ones: "trials 3, 5, 8 and 17 more"."""
    if len(numbers) == 1:
        return f"trial {numbers[0]}"
    named = [str(number) for number in sorted(numbers)]
    if len(named) > MOST_NAMED:
        named[MOST_NAMED:] = [f"{len(named) - MOST_NAMED} more"]
    return f"trials {words.listing(named)}"


def print_programs(state: SearchState, console: Console) -> None:
    """How the program of each trial ended; trials that share one share a row."""
    trials: dict[str, list[TrialRecord]] = {}
    for position, trial in sorted(state.trials.items()):
        if trial.program:
            trials.setdefault(trial.stage_key(program_stage().name) or str(position), []).append(trial)
    if not trials:
        return
    programs = [group[0].program for group in trials.values()]
    say(console, proof.overview(t.program for t in state.trials.values()))
    columns = [
        Column("trials", [", ".join(str(t.number) for t in group) for group in trials.values()], weight=9, words=True),
        Column("program", [proof.ended(p) for p in programs], weight=7, words=True, narrowest=20),
        Column("gap %", [proof.gap(p) for p in programs], weight=8),
        Column("bound", [proof.figure(p, "bound") for p in programs], weight=6),
        Column("objective", [proof.figure(p, "objective") for p in programs], weight=5),
    ]
    print_columns(console, columns)


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
        "budget": state.budget or recipe.budget.trials,
        "members": [member.trial for member in view.members],
        "hypervolume": view.hypervolume,
        "elapsed_s": state.elapsed_s,
        "stages": state.reuse(),
        "programs": [
            {"trial": n, "program": trial.program and trial.program.to_json()}
            for n, trial in sorted(state.trials.items())
        ],
        "pick": None if state.pick is None else {"trial": state.pick.trial, "reason": state.pick.reason},
    }


def print_summary(result: "SearchResult", console: Console) -> None:
    """The end of `jobs.search`: the front, what was reused, and where everything lies."""
    home, counts = result.home, result.state.counts()
    ended = sum(counts.values())
    if result.already_complete:
        console.print(
            f"search {home.name!r} is complete: {ended} trials, {result.recipe.budget.trials} asked for", markup=False
        )
    elif result.ended_by_limit:
        console.print(result.ended_by_limit, markup=False, soft_wrap=True)
    elif result.interrupted:
        console.print(f"search {home.name!r} stopped after {ended} trials; the same command carries on", markup=False)
    else:
        console.print(f"search {home.name!r} done: {tally(counts)}; {reuse_line(result.state)}", markup=False)
    print_causes(result.state, console)
    if programs := proof.overview(trial.program for trial in result.state.trials.values()):
        say(console, programs)
    print_front(home.front(state=result.state), result.state, console)
    address = f"--store {home.store.url} --name {home.name}"
    places = dict(result.files) | {"store": home.store.url, "MLflow": result.tracking}
    places["pick a model"] = f"python -m jobs.pick {address} --knee --export picked"
    places["more trials"] = f"python -m jobs.search {address} --trials {2 * max(ended, 1)}"
    for name, place in places.items():
        console.print(f"{name:14}{place}", markup=False, highlight=False, soft_wrap=True)
