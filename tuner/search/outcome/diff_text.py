"""Two trials or two searches side by side as tables; what a table cannot say comes below as sentences."""

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from tuner.base.tables import Column, FittedTable, note, plain_line
from tuner.front import uncertainty, words
from tuner.front.difference import Difference
from tuner.front.pareto import Objective
from tuner.search.outcome.diff_trials import TrialsDiff
from tuner.search.outcome.searches_diff import SearchesDiff
from tuner.search.watch.pick_text import ON_TEST
from tuner.search.watch.texts import figure, heading, number

MOST_SETTINGS = 12


def trials_text(diff: TrialsDiff) -> Group:
    """Parameters, metrics with the noise of their differences, features."""
    one, two = diff.names
    params = [
        Column("parameter", [words.name(name) for name in diff.params], weight=9, words=True),
        Column(one, [_told(pair[0]) for pair in diff.params.values()], weight=8),
        Column(two, [_told(pair[1]) for pair in diff.params.values()], weight=8),
        Column("", ["" if pair[0] == pair[1] else "differs" for pair in diff.params.values()], weight=7),
    ]
    axes = [o.name for o in diff.objectives]
    found = [d for d in diff.differences if d.metric in axes or d.change]
    equal = [words.name(d.metric) for d in diff.differences if d not in found]
    metrics = [
        Column("metric", [_metric(d, axes) for d in found], weight=9, words=True),
        Column(one, [figure(d.metric, d.value) for d in found], weight=8),
        Column(two, [figure(d.metric, d.other) for d in found], weight=8),
        Column("difference", [d.cell() for d in found], weight=7),
        Column("", [d.verdict() for d in found], weight=6, words=True, narrowest=13),
    ]
    lines: list[RenderableType] = [FittedTable(params), plain_line(""), FittedTable(metrics)]
    lines.append(note(f"* objective; values of confirmed trials are means over their runs; {diff.noise()}"))
    lines += [note(f"equal in both: {', '.join(equal)}")] if equal else []
    lines += _tested(diff)
    told = [line for line in diff.sentences() if not line.startswith(f"{one} against")]
    return Group(*lines, plain_line(""), *map(_sentence, told), *_settings(diff.comparable.settings))


def searches_text(diff: SearchesDiff) -> Group:
    """Fronts and costs in a row each, then where which is ahead."""
    fronts, spent = diff.fronts, diff.spent
    both = range(2)
    columns = [
        Column("search", list(diff.names), weight=9, words=True, narrowest=10),
        Column("members", [str(fronts.members[i]) for i in both], weight=7),
        Column("on the joint front", [str(fronts.joint[i]) for i in both], weight=6),
        Column("dominated by the other", [str(fronts.covered[i]) for i in both], weight=5),
        Column("hyper- volume %", [f"{100 * fronts.hypervolume[i]:.1f}" for i in both], weight=8),
        Column("only this %", [f"{100 * fronts.only[i]:.1f}" for i in both], weight=6),
        Column("trials", [str(spent[i].trials) for i in both], weight=7),
        Column("search time", [words.duration(spent[i].search_s) for i in both], weight=6),
        Column("stages ran", [words.duration(spent[i].ran_s) for i in both], weight=5),
        Column("CPU- hours", [_hours(spent[i].cpu_hours) for i in both], weight=4),
        Column("GPU- hours", [_hours(spent[i].gpu_hours) for i in both], weight=3),
    ]
    columns = [column for column in columns if any(column.cells)]
    costs = [f"{name}: {cost.text()}" for name, cost in zip(diff.names, spent, strict=True)]
    told = [line for line in diff.sentences() if line not in costs]
    return Group(FittedTable(columns), plain_line(""), *map(_sentence, told), *_settings(diff.comparable.settings))


def _sentence(line: str) -> Text:
    """A line that wraps between words."""
    return Text(line, no_wrap=False, overflow="fold")


def _metric(difference: Difference, axes: Sequence[str]) -> str:
    name = words.name(difference.metric)
    unit = f" {difference.unit}" if difference.unit and difference.unit not in name.split() else ""
    return f"{'* ' if difference.metric in axes else ''}{heading(difference.metric).replace('_', ' ')}{unit}"


def _told(value: Any) -> str:
    return "–" if value is None else number(value)


def _hours(hours: float | None) -> str:
    return "" if hours is None else f"{hours:.2g}"


def _tested(diff: TrialsDiff) -> list[RenderableType]:
    """The values on the test split, where both have them."""
    known = [o for o in diff.objectives if all(o.name in test for test in diff.test)]
    if not known:
        return []
    told = [f"{words.name(o.name)} {' and '.join(_on_test(o, test) for test in diff.test)}" for o in known]
    return [note(f"{ON_TEST}: {'; '.join(told)}")]


def _on_test(objective: Objective, test: Any) -> str:
    error = uncertainty.error(objective.name, test)
    noise = "" if error is None else f" ± {uncertainty.plus_minus(error)}"
    return f"{words.number(test[objective.name], objective.unit)}{noise} {objective.unit}".rstrip()


def _settings(settings: Sequence[str]) -> list[RenderableType]:
    """The settings in which two searches differ."""
    if not settings:
        return []
    more = f"; and {len(settings) - MOST_SETTINGS} more" if len(settings) > MOST_SETTINGS else ""
    return [note(f"settings that differ: {'; '.join(settings[:MOST_SETTINGS])}{more}")]
