"""The front as a table, with the sample sizes of its numbers."""

from collections.abc import Mapping

from rich.console import Group, RenderableType
from rich.text import Text

from tuner.base.metric import parts
from tuner.base.tables import Column, FittedTable, note
from tuner.front import pareto, uncertainty, words
from tuner.front.pareto import Point
from tuner.report import proof
from tuner.search.record.front_view import FrontView
from tuner.search.record.restoration import SearchState, TrialRecord
from tuner.search.watch.texts import heading, number

MOST_NAMED = 8  # trials in one line


def front_table(view: FrontView, state: SearchState) -> Group:
    """The front, the best in the first objective on top; columns that do not fit are left out."""
    if not view.members:
        points = state.points(view.objectives)
        lacking = [o.name for o in view.objectives if not pareto.measured(points, [o])]
        lack = f"none of the {len(points)} complete trials has a value of {' or '.join(lacking) or 'all objectives'}"
        return Group(note(f"{lack if points else 'no complete trial yet'}, so no front"), *_cautions(view))
    first = view.objectives[0]
    sign = -1 if first.direction == "max" else 1
    members = sorted(view.members, key=lambda m: sign * m.values[first.name])
    trials = [state.trials[member.trial] for member in members]
    n = f"{len(members)} {'trial' if len(members) == 1 else 'trials'}"
    lines: list[RenderableType] = [FittedTable(_columns(view, members, trials))]
    lines.append(note(f"{n} on the front, hypervolume {view.hypervolume:.4f}"))
    objectives = [objective.name for objective in view.objectives]
    rests = [uncertainty.legend([*objectives, *parts()], [m.values for m in members])]
    tested = uncertainty.legend(objectives, [t.test for t in trials])
    rests.append(f"on test, {tested}" if tested else "")
    if any(rests):
        lines.append(note(f"{uncertainty.RULE}; {'; '.join(filter(None, rests))}"))
    ends: dict[str, list[int]] = {}
    for trial in trials:
        if proof.by_the_clock(trial.program):
            ends.setdefault(proof.sentence(trial.program), []).append(trial.number)
    lines += [note(f"the program of {trials_named(numbers)} was {end}") for end, numbers in ends.items()]
    return Group(*lines, *_cautions(view))


def _cautions(view: FrontView) -> list[Text]:
    return [note(view.caution)] if view.caution else []


def measured(name: str, values: Mapping[str, float]) -> str:
    """A cell: a value, with its standard error if it is a share of counted images, such as 96.1 ±1.2."""
    deviation = uncertainty.error(name, values)
    if deviation is None:
        return number(values.get(name))
    return f"{values[name]:.1f} ±{uncertainty.plus_minus(deviation)}"


def trials_named(numbers: list[int]) -> str:
    """ "trial 3", "trials 3, 5 and 8", and of many the first ones: "trials 3, 5, 8 and 17 more"."""
    if len(numbers) == 1:
        return f"trial {numbers[0]}"
    named = [str(number) for number in sorted(numbers)]
    if len(named) > MOST_NAMED:
        named[MOST_NAMED:] = [f"{len(named) - MOST_NAMED} more"]
    return f"trials {words.listing(named)}"


def _columns(view: FrontView, members: list[Point], trials: list[TrialRecord]) -> list[Column]:
    """The columns of a front by weight: objectives, gap, the first metric on test, parameters."""
    objectives = [objective.name for objective in view.objectives]
    beside = [p for p in parts() if p not in objectives and any(p in m.values for m in members)]
    params = [p for p in members[0].params if p not in objectives and p != "seed"]
    columns = [Column("trial", [str(m.trial) for m in members], weight=9)]
    columns += [Column(heading(p), [number(m.params.get(p)) for m in members], weight=5) for p in params]
    columns += [Column(heading(o), [measured(o, m.values) for m in members], weight=8) for o in objectives]
    columns += [Column(heading(p), [measured(p, m.values) for m in members], weight=3) for p in beside]
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
