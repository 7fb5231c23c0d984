"""Reads tables and listings; all cells are text, and errors name file and line.

CSV files may come from a spreadsheet: byte-order mark, UTF-16, CRLF, `;` or tab as separator, padded cells.
"""

import csv
import io
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tuner.base.files import read_bounded
from tuner.data.paths import clean_path
from tuner.data.place import Place
from tuner.data.words import count, printable
from tuner.errors import TunerError, UsageError

SEPARATORS = (",", ";", "\t")
BYTE_ORDER_MARKS = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
LARGEST = 256_000_000  # bytes; one line per image of ImageNet takes a fifth of it
INTEGER = re.compile(r"-?[0-9]{1,15}")
NEWLINE = re.compile(r"\r\n|\r|\n")
SIDES = {"train": True, "test": False}


@dataclass(frozen=True)
class Row:
    """A line of a table.

    Args:
        where: file and line, for error messages.
        cells: text by column, stripped; none is empty.
    """

    where: str
    cells: dict[str, str]

    def __getitem__(self, column: str) -> str:
        return self.cells[column]

    def refuse(self, what: str, expected: str) -> UsageError:
        """The error for this line."""
        return UsageError(f"{self.where}: {what}", expected, "correct the line")

    def integer(self, column: str, choices: Iterable[int] | None = None) -> int:
        """A cell as an integer, which must be one of `choices` if given.

        Raises:
            UsageError: it is none.
        """
        text = self[column]
        if INTEGER.fullmatch(text) and (choices is None or int(text) in choices):
            return int(text)
        expected = "an integer" if choices is None else _described(list(choices))
        raise self.refuse(f"{column} {text!r}", expected)

    def number(self, column: str) -> float:
        """A cell as a finite number.

        Raises:
            UsageError: it is none.
        """
        try:
            value = float(self[column])
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self.refuse(f"{column} {self[column]!r}", "a finite number with a decimal point")
        return value

    def is_train(self, column: str) -> bool:
        """A side of the split, `train` or `test` in any case.

        Raises:
            UsageError: any other word; the search takes its validation split from train.
        """
        side = SIDES.get(self[column].casefold())
        if side is None:
            expected = "train or test (the search takes validation images from train, so mark them as train)"
            raise self.refuse(f"{column} {self[column]!r}", expected)
        return side


def read_csv(file: Place, columns: Sequence[str], todo: str) -> list[Row]:
    """Read the named columns of a CSV file with a header; other columns are ignored.

    Args:
        file: path of the file.
        columns: names of required columns, case-insensitive; their cells must not be empty.
        todo: advice in the error if the file is missing.

    Raises:
        TunerError: it cannot be read.
        UsageError: it is not such a table; the message names line and reason.
    """
    text = _text(file, todo)
    separator, skipped = separator_of(text, columns, file)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=True)
    header: list[str] = []
    rows: list[Row] = []
    try:
        for line in reader:
            cells = [cell.strip() for cell in line]
            if not any(cells) or reader.line_num <= skipped:
                continue
            where = f"{file}, line {reader.line_num}"
            if not header:
                header = header_of(cells, columns, where)
                continue
            if any(cells[len(header) :]) or len(cells) < len(header):
                raise UsageError(
                    f"{where} has {count(len(cells), 'cell')}",
                    f"{len(header)} as in the header; a cell that holds {separator!r} in quotes",
                    "correct the line",
                )
            row = Row(where, dict(zip(header, cells, strict=False)))
            _check_cells(row, columns)
            rows.append(row)
    except csv.Error as error:
        raise UsageError(
            f"{file}, line {reader.line_num}: {error}", "cells in closed quotes, or without quotes", "correct the line"
        ) from error
    if not rows:
        raise UsageError(f"{file} has no line below its header", "one line per entry", "correct it")
    return rows


def read_listing(file: Place, columns: tuple[str, str], todo: str) -> list[Row]:
    """Read lines `<id> <value>` without a header; the value is the rest of the line and may contain spaces.

    Raises:
        TunerError: it cannot be read.
        UsageError: a line is malformed.
    """
    rows = []
    for number, line in enumerate(NEWLINE.split(_text(file, todo)), start=1):
        if not line.strip():
            continue
        cells = line.strip().split(maxsplit=1)
        row = Row(f"{file}, line {number}", dict(zip(columns, cells, strict=False)))
        if len(cells) < 2:
            raise row.refuse(repr(line.strip()), f"`<{columns[0]}> <{columns[1]}>`")
        _check_cells(row, columns)
        rows.append(row)
    return rows


def unique(rows: Iterable[Row], key: str, columns: Sequence[str]) -> dict[str, Row]:
    """Rows by the value of a column. Repeated rows are dropped, contradictory ones refused.

    Args:
        rows: the table.
        key: column that identifies an entry: `path`, normalized by `clean_path`, or a column of integers.
        columns: columns in which rows of the same entry must agree.

    Raises:
        UsageError: two rows contradict each other; the message names both lines.
    """
    found: dict[str, Row] = {}
    for row in rows:
        name = clean_path(row[key]) if key == "path" else str(row.integer(key))
        earlier = found.setdefault(name, row)
        for column in columns:
            same = str.casefold if column == "split" else str
            if same(earlier[column]) != same(row[column]):
                raise UsageError(
                    f"{row.where}: {printable(name)} has {column} {row[column]!r}, "
                    f"but {earlier[column]!r} in {earlier.where.rpartition(', ')[2]}",
                    "one line per entry, or lines that agree",
                    "remove the wrong one",
                )
    return found


def _text(file: Place, todo: str) -> str:
    """The text of a file in UTF-8 or UTF-16; undecodable bytes are kept (surrogateescape), as file names need them."""
    try:
        data = read_bounded(file, LARGEST) if isinstance(file, Path) else file.read_bytes()
    except OSError as error:
        raise TunerError(f"{file} cannot be read: {error.strerror or error}", "a text file", todo) from error
    mark = next((mark for mark in BYTE_ORDER_MARKS if data.startswith(mark)), b"")
    if mark and BYTE_ORDER_MARKS[mark] == "utf-16":
        text = data.decode("utf-16", "replace")
    else:
        text = data[len(mark) :].decode("utf-8", "surrogateescape")
    if "\0" in text:
        raise UsageError(
            f"{file} is not a text file: it contains zero bytes", "UTF-8 text", "save it as CSV or text in UTF-8"
        )
    if not text.strip():
        raise UsageError(f"{file} is empty", "one line per entry", "restore it")
    return text


def separator_of(text: str, columns: Sequence[str], file: Place) -> tuple[str, int]:
    """The cell separator, detected from the header, and the number of lines before it (`sep=;` of spreadsheets)."""
    lines = [line for line in NEWLINE.split(text) if line.strip()]
    announced = lines[0].strip().casefold().startswith("sep=") and len(lines) > 1
    header = lines[1] if announced else lines[0]
    wanted = {column.casefold() for column in columns}
    lacking = {s: wanted - {name.strip(' "').casefold() for name in header.split(s)} for s in SEPARATORS}
    separator = min(SEPARATORS, key=lambda s: len(lacking[s]))
    if not lacking[separator]:
        return separator, int(announced)
    missing = ", ".join(sorted(lacking[separator]))
    raise UsageError(
        f"{file} lacks columns: its first line is {printable(header[:80])!r}, without {missing}",
        f"a header `{','.join(columns)}`, separated by commas, semicolons or tabs",
        "correct it",
    )


def header_of(cells: Sequence[str], columns: Sequence[str], where: str) -> list[str]:
    """The names of columns; those in `columns` as they are spelled there.

    Raises:
        UsageError: one of `columns` is there twice.
    """
    known = {column.casefold(): column for column in columns}
    header = [known.get(cell.casefold(), cell) for cell in cells]
    while header and not header[-1]:
        header.pop()
    if twice := sorted({name for name in header if name in columns and header.count(name) > 1}):
        raise UsageError(f"{where} names {', '.join(twice)} twice", "each column once", "rename or remove one")
    return header


def _check_cells(row: Row, columns: Sequence[str]) -> None:
    for column in columns:
        if not row.cells.get(column):
            raise row.refuse(f"no {column}", "no empty cell")
        if column != "path" and (text := row[column]) != printable(text):
            raise row.refuse(f"{column} {printable(text)!r} is not UTF-8", "text in UTF-8")


def _described(numbers: Sequence[int]) -> str:
    return f"one of {min(numbers)} to {max(numbers)}" if len(numbers) > 3 else " or ".join(map(str, numbers))
