"""The front as a table, with the sample sizes of its numbers."""

from rich.console import Group, RenderableType
from rich.text import Text

from tuner.base.metric import parts
from tuner.base.tables import Column, FittedTable, note
from tuner.front import confirmation, pareto, uncertainty, words
from tuner.front.confirmation import FEWEST_RUNS, chance, verdict
from tuner.front.pareto import Point
from tuner.report import proof
from tuner.search.record.front_view import FrontView
from tuner.search.record.restoration import SearchState, TrialRecord
from tuner.search.watch.texts import figure, heading, number, pruned_line

MOST_NAMED = 8  # trials in one line


def front_table(view: FrontView, state: SearchState) -> Group:
    """The front, the best in the first objective on top; columns that do not fit are left out."""
    if not view.members:
        points = state.points(view.objectives)
        lacking = [o.name for o in view.objectives if not pareto.measured(points, [o])]
        lack = f"none of the {len(points)} complete trials has a value of {' or '.join(lacking) or 'all objectives'}"
        return Group(note(f"{lack if points else 'no complete trial yet'}, so no front"), *_cautions(view))
    members = in_order(view)
    trials = [state.trials[member.trial] for member in members]
    n = f"{len(members)} {'trial' if len(members) == 1 else 'trials'}"
    lines: list[RenderableType] = [FittedTable(_columns(view, members, trials))]
    lines.append(note(f"{n} on the front, {view.volume} ({view.scale})"))
    if view.moving:
        lines.append(note(view.moving))
    lines += [note(pruned)] if (pruned := pruned_line(state)) else []
    objectives = [objective.name for objective in view.objectives]
    rests = [uncertainty.legend([*objectives, *parts()], [m.values for m in members])]
    tested = uncertainty.legend(objectives, [t.test for t in trials])
    rests.append(f"on test, {tested}" if tested else "")
    if view.confirmed():
        lines.append(note(confirmed_sentence(view)))
        lines.append(note(confirmation.MEANS))
    rule = confirmation.RULE if any(m.errors for m in members) else uncertainty.RULE
    if any(rests):
        lines.append(note(f"{rule}; {'; '.join(filter(None, rests))}"))
    ends: dict[str, list[int]] = {}
    for trial in trials:
        if proof.by_the_clock(trial.program):
            ends.setdefault(proof.sentence(trial.program), []).append(trial.number)
    lines += [note(f"the program of {trials_named(numbers)} was {end}") for end, numbers in ends.items()]
    return Group(*lines, *_cautions(view))


def _cautions(view: FrontView) -> list[Text]:
    return [note(sentence) for sentence in (view.satisfaction, view.caution) if sentence]


def in_order(view: FrontView) -> list[Point]:
    """The members, the best in the first objective on top."""
    first = view.objectives[0]
    return sorted(view.members, key=lambda m: -first.goodness(m.values[first.name]))


def confirmed_sentence(view: FrontView) -> str:
    """How many members are beyond noise, what that means, and how many of them too few runs say nothing of."""
    n, known = len(view.members), [view.bars[trial] for trial in view.confirmed()]
    sure, few = sum(e.beyond_noise for e in known), sum(e.probability is None for e in known)
    texts = [f"{sure} of {n} {'member' if n == 1 else 'members'} {confirmation.BEYOND_NOISE}"]
    texts += [f"{few} {'has' if few == 1 else 'have'} fewer than the {FEWEST_RUNS} runs that this takes"] if few else []
    if without := n - len(known):
        texts.append(f"{without} {'is' if without == 1 else 'are'} not confirmed")
    return "; ".join(texts)


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
    columns += [
        Column(heading(o), [figure(o, m.values.get(o), m.error(o)) for m in members], weight=8) for o in objectives
    ]
    columns += [Column(heading(p), [figure(p, m.values.get(p), m.error(p)) for m in members], weight=3) for p in beside]
    if view.confirmed():
        bars = [view.bars[m.trial] for m in members]
        columns += [
            Column("beyond noise", [verdict(e) for e in bars], weight=7),
            Column("runs", [str(e.runs or "") for e in bars], weight=6),
            Column("non-dominated", [chance(e) for e in bars], weight=3),
        ]
    tested = [o for o in objectives if any(o in t.test for t in trials)]  # a size is the same on every split
    columns += [
        Column(
            heading(f"test/{o}"),
            [figure(o, t.test.get(o), uncertainty.error(o, t.test)) for t in trials],
            weight=4 if i else 6,
        )
        for i, o in enumerate(tested)
    ]
    if any(t.program for t in trials):
        columns += [
            Column("gap %", [proof.gap(t.program) for t in trials], weight=7),
            Column("program", [proof.short(t.program) for t in trials], weight=4, words=True),
            Column("bound", [proof.figure(t.program, "bound") for t in trials], weight=2),
        ]
    return columns
