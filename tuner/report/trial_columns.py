"""The columns of the report's tables of trials, in groups: objectives, parameters, noise, program, metrics."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tuner.base.metric import METRICS
from tuner.front import uncertainty, words
from tuner.report import error_bars, proof
from tuner.report.columns import NOTHING, brief, column, plain
from tuner.report.views import Report, TrialRow

ASSIGNED = uncertainty.ASSIGNED
RUNG = "at the rung"
PARAMETERS, FIXED = "parameters", "the same in every trial"
METRIC_GROUPS = ("parts of objectives", "other metrics", "before fine-tuning")  # those of other splits come last


@dataclass(frozen=True)
class Column:
    """One column of a table of trials.

    Attributes:
        name: its heading.
        group: the group of columns that it is in.
        value: a trial's value: a number, a text, or None.
        text: the value as it is shown; None: as `column` or `plain` write it.
        aside: what stands beside it, such as its error.
        unit: of its numbers.
        metric: name of the metric it shows; empty for others.
    """

    name: str
    group: str
    value: Callable[[TrialRow], Any]
    text: Callable[[TrialRow], str] | None = None
    aside: Callable[[TrialRow], str] = lambda row: ""
    unit: str = ""
    metric: str = ""

    @property
    def heading(self) -> str:
        """Name and unit."""
        return f"{self.name} [{self.unit}]" if self.unit else self.name

    def texts(self, rows: Sequence[TrialRow]) -> list[str]:
        """Its values as they are shown."""
        if self.text is not None:
            return [self.text(row) for row in rows]
        values = [self.value(row) for row in rows]
        return column(values) if self.metric else [brief(v) for v in values]


def objectives(report: Report) -> list[Column]:
    """The axes of the front, each with its error."""
    return [_metric(o.name, "objectives", o.unit) for o in report.objectives]


def parameters(report: Report) -> list[Column]:
    """What was set for each trial, unless it is an objective and stands there; what never varies is a group apart."""
    axes = {o.name for o in report.objectives}
    varied = varied_parameters(report) if len(report.rows) > 1 else _set(report)
    names = [*varied, *(n for n in _set(report) if n not in varied)]
    return [_parameter(n, PARAMETERS if n in varied else FIXED) for n in names if n not in axes]


def varied_parameters(report: Report) -> list[str]:
    """The parameters that differ between trials, in the order in which they were set."""
    return [n for n in _set(report) if len({repr(row.params.get(n)) for row in report.rows}) > 1]


def _set(report: Report) -> list[str]:
    return list(dict.fromkeys(n for row in report.rows for n in row.params))


def noise(report: Report) -> list[Column]:
    """What confirmation runs say; none before any."""
    return [_noise(report, head, i) for i, head in enumerate(error_bars.headings(report))]


def rungs(report: Report) -> list[Column]:
    """What was measured at the rung of early stopping; none where no trial had one."""
    names = dict.fromkeys(n for row in report.rows for n in row.rung if not uncertainty.is_count(n))
    if not names:
        return []
    axes = {o.name: o.unit for o in report.objectives}
    wanted = [n for n in axes if n in names] + [n for n in names if n not in axes]
    epoch = Column("epoch of the rung", RUNG, lambda row: row.rung_epoch or None)
    return [epoch, *(_at_rung(name, axes.get(name) or unit_of(name)) for name in wanted)]


def programs(report: Report) -> list[Column]:
    """Gap, bound and status of each trial's program; none where nothing is known of any."""
    if not any(row.program for row in report.rows):
        return []
    return [
        Column("gap", "program", lambda r: r.program and r.program.gap, lambda r: proof.gap(r.program) or NOTHING,
               unit="%"),
        Column("bound", "program", lambda r: r.program and r.program.bound,
               lambda r: proof.figure(r.program, "bound") or NOTHING),
        Column("program", "program", lambda r: proof.ended(r.program) or None),
    ]  # fmt: skip


def metrics(report: Report, rows: Sequence[TrialRow] | None = None) -> list[Column]:
    """All other metrics of the rows: parts of objectives, others, those before fine-tuning, those of other splits."""
    axes = [o.name for o in report.objectives]
    mentioned = dict.fromkeys(n for row in rows or report.rows for n in row.values if n not in axes)
    parts = {part for name in axes if name in METRICS for part in METRICS[name].parts}
    found = [_metric(n, _group(n, parts), unit_of(n)) for n in mentioned if not uncertainty.is_count(n)]
    return sorted(found, key=lambda c: METRIC_GROUPS.index(c.group) if c.group in METRIC_GROUPS else len(METRIC_GROUPS))


def of_another_split(of: Column) -> bool:
    """Whether it shows a metric of another split than the objectives are measured on."""
    return "/" in of.metric


def _group(metric: str, parts: set[str]) -> str:
    split, slash, _ = metric.rpartition("/")
    if slash:
        return f"{split} split"
    if metric in parts:
        return METRIC_GROUPS[0]
    return METRIC_GROUPS[2] if metric.startswith(ASSIGNED) else METRIC_GROUPS[1]


def _parameter(name: str, group: str) -> Column:
    def value(row: TrialRow) -> Any:
        found = row.params.get(name)
        return plain(found) if isinstance(found, bool) else found

    return Column(words.name(name), group, value)


def _noise(report: Report, head: str, i: int) -> Column:
    def cell(row: TrialRow) -> tuple[Any, str]:
        return error_bars.cells(report, row)[i]

    return Column(head, "noise", lambda row: cell(row)[0], lambda row: cell(row)[1])


def _at_rung(name: str, unit: str) -> Column:
    return Column(f"{words.name(name)} at the rung", RUNG, lambda row: row.rung.get(name), unit=unit, metric=name)


def unit_of(metric: str) -> str:
    """The unit of a metric of any split, before fine-tuning too; empty if it has none, or is none of ours."""
    known = METRICS.get(metric.rpartition("/")[2].removeprefix(ASSIGNED))
    return "" if known is None else known.unit


def _metric(name: str, group: str, unit: str = "") -> Column:
    def value(row: TrialRow) -> float | None:
        return row.values.get(name)

    def aside(row: TrialRow) -> str:
        return error_bars.spread(row, name)

    return Column(words.name(name), group, value, None, aside, unit, name)
