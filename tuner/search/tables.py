"""Tables that fit: where there is no room, columns are left out, the least important first, and never a digit.

Every printed table of the commands is made here. Words may wrap; numbers are whole or not there at all.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

BETWEEN = 2  # blanks between columns
NARROWEST = 16  # what a column of words is squeezed to before another column is left out
Cell = str | Text


@dataclass(frozen=True, eq=False)
class Column:
    """One column.

    Args:
        heading: its name; it may wrap between words.
        cells: its rows.
        weight: of the columns that compete for room, those of the least weight go first, and of equal ones the last.
        words: cells are text that may wrap, not numbers.
    """

    heading: str
    cells: Sequence[Cell]
    weight: int = 0
    words: bool = False

    @property
    def natural(self) -> int:
        """Its width where there is room."""
        return max([_longest_word(self.heading), *(cell_len(_plain(cell)) for cell in self.cells)])

    @property
    def least(self) -> int:
        """The width below which it would lose something."""
        return min(self.natural, max(NARROWEST, _longest_word(self.heading))) if self.words else self.natural


def fit_columns(columns: Sequence[Column], width: int) -> tuple[list[Column], list[Column]]:
    """The columns that fit into `width` cells and those left out, both in the order given; one is always kept."""
    kept = list(columns)
    while len(kept) > 1 and _width([column.least for column in kept]) > width:
        lightest = min(column.weight for column in kept)
        kept.remove(next(column for column in reversed(kept) if column.weight == lightest))
    return kept, [column for column in columns if column not in kept]


def make_table(columns: Sequence[Column], width: int) -> tuple[Table, str]:
    """The table of those that fit, and a line on those that were left out (empty if none was)."""
    kept, gone = fit_columns(columns, width)
    widths = [column.least for column in kept]
    spare = width - _width(widths)
    for i, column in enumerate(kept):
        more = max(0, min(spare, column.natural - widths[i]))
        widths[i] += more
        spare -= more
    headings = [_wrapped(column.heading, widths[i]) for i, column in enumerate(kept)]
    tallest = max((len(lines) for lines in headings), default=0)
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, BETWEEN, 0, 0))
    for column, lines, cells in zip(kept, headings, widths, strict=True):
        blank = "\n" * (tallest - len(lines))
        heading, justify = Text(blank + "\n".join(lines)), "left" if column.words else "right"
        table.add_column(heading, justify=justify, width=cells, no_wrap=not column.words, overflow="fold")  # type: ignore[arg-type]
    for row in zip(*(column.cells for column in kept), strict=True):
        table.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))
    names = ", ".join(column.heading for column in gone)
    return table, f"not shown in {width} columns: {names}" if gone else ""


def print_columns(console: Console, columns: Sequence[Column]) -> None:
    """Print the columns as a table as wide as the console, and name what had no room."""
    table, left_out = make_table(columns, console.width)
    wanted = max(console.width, *(column.least for column in columns[:1]))
    console.print(table, width=wanted, crop=False)
    if left_out:
        console.print(left_out, style="dim", markup=False, highlight=False)


def _width(widths: Sequence[int]) -> int:
    return sum(widths) + BETWEEN * (len(widths) - 1)


def _wrapped(heading: str, width: int) -> list[str]:
    return textwrap.wrap(heading, width, break_long_words=False, break_on_hyphens=False) or [""]


def _longest_word(text: str) -> int:
    return max((cell_len(word) for word in text.split()), default=0)


def _plain(cell: Cell) -> str:
    return cell.plain if isinstance(cell, Text) else cell
