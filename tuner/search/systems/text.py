"""A comparison as text: tables that fit the terminal one below the other, and what their figures mean."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from tuner.base.metric import METRICS, DataNeed, SizeNeed
from tuner.base.tables import Cell, Column, FittedTable, fit_columns, note
from tuner.front import uncertainty
from tuner.front.spread import LEVEL
from tuner.search.systems.published import SOURCE
from tuner.search.systems.rows import Comparison, Row
from tuner.search.systems.table import END_TO_END
from tuner.search.watch import texts
from tuner.search.watch.texts import heading

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType

MOST_TABLES = 2
BEST, NOT_TOLD = "*", "≈"
MISSING = "–"


def comparison_text(comparison: Comparison) -> Group:
    """Tables and legend; metrics that do not fit into two tables are named."""
    shown = [place for place, row in enumerate(comparison.rows) if row.runs]
    lines: list[RenderableType] = [_Tables(comparison, shown)] if shown else []
    return Group(*lines, *map(note, _legend(comparison)))


@dataclass(frozen=True, eq=False)
class _Tables:
    """As many tables as the metrics need in the width of the console, two at most; each repeats the titles."""

    comparison: Comparison
    places: Sequence[int]

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> Iterator["RenderableType"]:
        """Rendering for rich."""
        titles, parameters, left = self._titles(), self._parameters(), self._metrics()
        for n in range(MOST_TABLES):
            if not left:
                return
            beside = [titles, *(parameters if n == 0 else [])]
            kept, left = fit_columns([*beside, *left], options.max_width)
            left = [column for column in left if column not in beside]
            if n:
                yield Text()
            yield FittedTable(kept)
        if left:
            yield note(f"not shown, but in the JSON document: {', '.join(column.title for column in left)}")

    def _titles(self) -> Column:
        cells: list[Cell] = []
        for place in self.places:
            row = self.comparison.rows[place]
            cells.append(f"  {row.title}" if row.role == "control" else row.title)
            cells += ["  published"] if row.published else []
        return Column("test split", cells, len(METRICS) + 2, words=True)

    def _parameters(self) -> list[Column]:
        """Each row's searched parameters, once."""
        if not any(row.parameters for row in self.comparison.rows):
            return []
        cells: list[Cell] = []
        for place in self.places:
            row = self.comparison.rows[place]
            cells.append("" if row.role == "control" else row.parameters)  # those of the row above
            cells += [""] if row.published else []
        return [Column("parameters", cells, len(METRICS) + 1, words=True)]

    def _metrics(self) -> list[Column]:
        """A column for each metric; the important ones go last when columns are dropped."""
        names = self.comparison.metrics()
        return [Column(heading(name), self._cells(name), len(names) - i) for i, name in enumerate(names)]

    def _cells(self, metric: str) -> list[Cell]:
        best, close = self.comparison.best(metric), self.comparison.not_told_from_the_best(metric)
        cells: list[Cell] = []
        for place in self.places:
            row = self.comparison.rows[place]
            mark = BEST if place in best else NOT_TOLD if place in close else " "
            cells.append(Text(f"{figure(row, metric)}{mark}", "bold" if place in best else ""))
            if row.published:
                cells.append(Text(f"{texts.figure(metric, row.published.get(metric)) or MISSING} ", "dim"))
        return cells


def figure(row: Row, metric: str) -> str:
    """A mean with its deviation over seeds, or the standard error of a single run, such as "79.6 ±0.4"."""
    made = row.spread(metric)
    if made is None:
        return MISSING
    return texts.figure(metric, made.mean, row.error(metric) if made.deviation is None else made.deviation)


def _legend(comparison: Comparison) -> Iterator[str]:
    """What figures, marks and titles mean, what the rows share, and what is missing and why."""
    n, told = len(comparison.seeds), ", ".join(map(str, comparison.seeds))
    if any(row.runs for row in comparison.rows):
        if n > 1:
            yield (
                f"± is the standard deviation over {n} seeds ({told}), each repeated from the first training on; "
                f"{BEST} best mean, in bold; {NOT_TOLD} not told from it (Welch's t-test, p of at least {LEVEL:g})"
            )
        else:
            yield (
                f"one seed ({told}), so the noise of training is unknown; {uncertainty.RULE}; "
                f"{BEST} best; {NOT_TOLD} within that error of it"
            )
        rests = uncertainty.legend(
            [name for name in comparison.metrics() if METRICS[name].counted_by != "n_train_images"],
            [run.values for row in comparison.rows for run in row.runs],
        )
        if rests:
            yield rests
    if any("/" in row.title for row in comparison.rows):
        yield "50/5: 50 features, of which a class uses 5; random: the same with a random assignment, a control"
    end_to_end = any(row.name in END_TO_END for row in comparison.rows)
    yield f"{'rows on frozen features' if end_to_end else 'all rows'}: {comparison.settings}"
    yield from (f"{row.title}: {row.remark}" for row in comparison.rows if row.remark and row.role != "control")
    yield from (f"{row.title}: {len(row.runs)} of {n} runs; {row.absent}" for row in comparison.rows if row.absent)
    yield from _missing(comparison)
    if any(row.published for row in comparison.rows):
        yield SOURCE


def _missing(comparison: Comparison) -> Iterator[str]:
    """Why some rows, or all, have no value of a metric."""
    measured = [row for row in comparison.rows if row.runs]
    needs: dict[DataNeed, list[str]] = {}
    for name, metric in METRICS.items():
        lacking = [row for row in measured if row.spread(name) is None]
        if not lacking:
            continue
        for need in metric.needs:
            if isinstance(need, SizeNeed) and len(lacking) < len(measured):
                least = f"defined from {need.least} {need.size.replace('_', ' ')} on"
                yield f"{heading(name).replace('_', ' ')}: {least}"
            elif isinstance(need, DataNeed) and len(lacking) == len(measured):
                needs.setdefault(need, []).append(heading(name).replace("_", " "))
    for need, names in needs.items():
        key, told = comparison.not_looked_for.get(need.what), f"the data lack {need.what}"
        if key is not None:
            told = (
                f"the feature bank banks/{key} is of an earlier version, which did not look for {need.what}; with "
                "another store, or once it is removed from this one, it is made again and has those of the data"
            )
        yield f"no {', '.join(names)}: {told}"
