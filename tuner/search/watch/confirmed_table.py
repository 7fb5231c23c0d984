"""What the confirmation of a front has shown: mean and deviation of each member, and which are beyond noise."""

from collections import Counter

from rich.console import Group, RenderableType

from tuner.base.tables import Column, FittedTable, note
from tuner.front.confirmation import ErrorBars, chance, verdict
from tuner.search.record.front_view import FrontView
from tuner.search.record.state import SearchState
from tuner.search.watch.front_table import confirmed_sentence, in_order, trials_named
from tuner.search.watch.texts import figure, heading

DEVIATION = "± is the standard deviation over the runs; the search's own run is left out, since it was selected"


def confirmed_table(view: FrontView, state: SearchState) -> Group:
    """The members of a front, the best in the first objective on top."""
    members = in_order(view)
    bars = [view.bars.get(m.trial, ErrorBars()) for m in members]
    columns = [Column("trial", [str(m.trial) for m in members], weight=9)]
    columns += [
        Column(heading(o.name), [_mean(e, o.name, m.values) for e, m in zip(bars, members, strict=True)], weight=8)
        for o in view.objectives
    ]
    columns += [
        Column("runs", [str(e.runs) for e in bars], weight=6),
        Column("non-dominated", [chance(e) for e in bars], weight=6),
        Column("beyond noise", [verdict(e) for e in bars], weight=7),
    ]
    lines: list[RenderableType] = [FittedTable(columns), note(DEVIATION), note(confirmed_sentence(view))]
    return Group(*lines, *(note(line) for line in _failures(view, state)))


def _mean(bars: ErrorBars, name: str, values: dict[str, float]) -> str:
    """A value with its deviation over runs: "96.1 ±0.8"; of a size, which does not vary, "5"."""
    return figure(name, values.get(name), bars.deviation.get(name) or None)


def _failures(view: FrontView, state: SearchState) -> list[str]:
    """Runs that did not complete: they count for nothing, but are told."""
    found = []
    for member in view.members:
        runs = state.trials[member.trial].confirmations.values()
        for cause, n in Counter(f"{run.outcome}, {run.cause}" for run in runs if run.outcome != "complete").items():
            found.append(f"{n} of {len(runs)} runs of {trials_named([member.trial])} did not complete: {cause}")
    return found
