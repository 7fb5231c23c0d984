"""Tables that fit the terminal: columns that do not fit are dropped, least important first; no digit is cut.

All tables that the commands print are made here. Words may wrap; numbers are shown in full or dropped.
"""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions

BETWEEN = 2  # spaces between columns
Cell = str | Text


@dataclass(frozen=True, eq=False)
class Column:
    """One column.

    Args:
        heading: may wrap between words, including those of a metric's name.
        cells: one per row.
        weight: importance; columns of the lowest weight are dropped first, among equal ones the last.
        words: whether cells are text that may wrap, not numbers.
        narrowest: width to which a text column is reduced before another column is dropped.
    """

    heading: str
    cells: Sequence[Cell]
    weight: int = 0
    words: bool = False
    narrowest: int = 16

    @property
    def title(self) -> str:
        """The heading as words."""
        return self.heading.replace("_", " ")

    @property
    def natural(self) -> int:
        """The width without any wrapping."""
        return max([cell_len(self.title), *(cell_len(_plain(cell)) for cell in self.cells)])

    @property
    def least(self) -> int:
        """The smallest width that loses nothing: headings and text cells wrap between words."""
        heading = max((cell_len(word) for word in self.title.split()), default=0)
        widest = max((cell_len(_plain(cell)) for cell in self.cells), default=0)
        return max(heading, min(widest, self.narrowest) if self.words else widest)


def fit_columns(columns: Sequence[Column], width: int) -> tuple[list[Column], list[Column]]:
    """The columns that fit into `width` cells and the dropped ones, in the given order; at least one is kept.

    A column without any text, heading included, is neither.
    """
    columns = [column for column in columns if column.natural]
    kept = list(columns)
    while len(kept) > 1 and _width([column.least for column in kept]) > width:
        lightest = min(column.weight for column in kept)
        kept.remove(next(column for column in reversed(kept) if column.weight == lightest))
    return kept, [column for column in columns if column not in kept]


def make_table(columns: Sequence[Column], width: int) -> tuple[Table, str]:
    """The table of the columns that fit, and a line that names the dropped ones (empty if there are none)."""
    kept, gone = fit_columns(columns, width)
    widths = _widths(kept, width)
    headings = [_wrapped(column.title, widths[i]) for i, column in enumerate(kept)]
    tallest = max((len(lines) for lines in headings), default=0)
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, BETWEEN, 0, 0))
    for column, lines, cells in zip(kept, headings, widths, strict=True):
        blank = "\n" * (tallest - len(lines))
        heading, justify = Text(blank + "\n".join(lines)), "left" if column.words else "right"
        table.add_column(heading, justify=justify, width=cells, no_wrap=not column.words, overflow="fold")  # type: ignore[arg-type]
    for row in zip(*(column.cells for column in kept), strict=True):
        table.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))
    names = ", ".join(column.title for column in gone)
    return table, f"not shown in {width} columns: {names}" if gone else ""


@dataclass(frozen=True, eq=False)
class FittedTable:
    """A table fitted to the width of the console it is printed on, with the dropped columns named below.

    Print it with `console.print(table, soft_wrap=True)`, so that a single column that is too wide is not cut.
    """

    columns: Sequence[Column]

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> Iterator[Text]:
        """Rendering for rich."""
        table, left_out = make_table(self.columns, options.max_width)
        whole = max([options.max_width, *(column.natural for column in self.columns)])  # rich would cut wider lines
        for line in console.render_lines(table, options.update(width=whole), pad=False):
            text = Text.assemble(*((segment.text, segment.style or "") for segment in line), no_wrap=True)
            text.rstrip()
            yield text
        if left_out:
            yield note(left_out)


def note(line: str) -> Text:
    """A line below a table, dimmed and wrapped between words."""
    return Text(line, style="dim", no_wrap=False, overflow="fold")


def plain_line(line: str, style: str = "") -> Text:
    """A line that the terminal wraps, so that addresses in it can be copied."""
    return Text(line, style=style, no_wrap=True, overflow="ignore")


def _widths(columns: Sequence[Column], width: int) -> list[int]:
    """The column widths: minimum widths first, then extra space for text, then for headings that would not wrap."""
    widths = [column.least for column in columns]
    spare = max(0, width - _width(widths))
    for i in sorted(range(len(columns)), key=lambda i: not columns[i].words):
        more = columns[i].natural - widths[i]
        if more > spare:
            more = spare if columns[i].words else 0
        widths[i] += more
        spare -= more
    return widths


def _width(widths: Sequence[int]) -> int:
    return sum(widths) + BETWEEN * (len(widths) - 1)


def _wrapped(heading: str, width: int) -> list[str]:
    return textwrap.wrap(heading, width, break_long_words=False, break_on_hyphens=False) or [""]


def _plain(cell: Cell) -> str:
    return cell.plain if isinstance(cell, Text) else cell
