"""Reads a manifest, CSV or Parquet, into columns of text; a million rows take no Python object each.

CSV files may come from a spreadsheet, as in `tables`: byte-order mark, UTF-16, CRLF, `;` or tab as separator.
"""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tuner.base.files import read_bounded
from tuner.data.place import Place
from tuner.data.tables import BYTE_ORDER_MARKS, header_of, separator_of
from tuner.data.words import count, some
from tuner.errors import TunerError, UsageError

LARGEST = 1_000_000_000  # bytes
HEAD = 65_536  # bytes in which the header is looked for
NEEDED = ("path", "label")
CORNERS = ("x0", "y0", "x1", "y1")
KNOWN = (*NEEDED, "split", "group", "mask", "box", *CORNERS)
TODO = "check data.manifest"
COLUMNS = f"columns {', '.join(NEEDED)} and optionally split, group, mask, box"


def read_columns(file: Place) -> tuple[dict[str, pa.ChunkedArray], list[str]]:
    """The known columns of a manifest as text, stripped; None where a cell is empty; and the names of the others.

    Raises:
        TunerError: it cannot be read.
        UsageError: it is not such a table; the message names rows and reason.
    """
    data = _contents(file)
    table = _parquet(data, file) if data[:4] == b"PAR1" else _csv(data, file)
    names = {name.strip().casefold(): name for name in table.column_names}
    if missing := [name for name in NEEDED if name not in names]:
        raise UsageError(f"{file} lacks columns: {', '.join(missing)}", COLUMNS, "add them, or rename yours")
    columns = {name: _text(table[names[name]], name, file) for name in KNOWN if name in names}
    others = [name for name in table.column_names if name.strip().casefold() not in KNOWN]
    if not table.num_rows:
        raise UsageError(f"{file} has no row", "one row per image", "correct it")
    return columns, others


def rows_where(bad: pa.ChunkedArray, shown: Callable[[int], str]) -> list[str]:
    """The rows for which a column is true, in words, `row 7 (...)`: the first ones, and "" for each other one.

    Args:
        bad: (n,) bool.
        shown: what to say of a row, by its position.
    """
    index = pc.indices_nonzero(bad).to_pylist()
    return [f"row {i + 1:,} ({shown(i)})" if k < 5 else "" for k, i in enumerate(index)]


def _contents(file: Place) -> bytes:
    try:
        data = read_bounded(file, LARGEST) if isinstance(file, Path) else file.read_bytes()
    except OSError as error:
        raise TunerError(f"{file} cannot be read: {error.strerror or error}", "a CSV or Parquet file", TODO) from error
    if not data.strip():
        raise UsageError(f"{file} is empty", "one row per image", "restore it")
    return data


def _csv(data: bytes, file: Place) -> pa.Table:
    from pyarrow import csv as arrow_csv

    mark = next((mark for mark in BYTE_ORDER_MARKS if data.startswith(mark)), b"")
    data = data[len(mark) :] if BYTE_ORDER_MARKS.get(mark) != "utf-16" else data.decode("utf-16", "replace").encode()
    if b"\0" in data:
        raise UsageError(
            f"{file} is not a text file: it contains zero bytes", "CSV or Parquet", "save it as CSV in UTF-8"
        )
    head = data[:HEAD].decode("utf-8", "replace")
    separator, skipped = separator_of(head, NEEDED, file)
    lines = [line for line in head.splitlines() if line.strip()]
    cells = next(csv.reader([lines[skipped]], delimiter=separator, skipinitialspace=True))
    header = header_of([cell.strip() for cell in cells], KNOWN, f"{file}, line {skipped + 1}")
    names = [name or f"column {i + 1}" for i, name in enumerate(header)]
    unique = [name if name in KNOWN else f"{i}:{name}" for i, name in enumerate(names)]
    bad: list[str] = []

    def refuse(row: Any) -> str:
        bad.append(f"line {row.number} has {count(row.actual_columns, 'cell')}" if len(bad) < 6 else "")
        return "skip"

    skip = data[:HEAD].splitlines().index(next(line for line in data[:HEAD].splitlines() if line.strip()))
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(data),
            arrow_csv.ReadOptions(use_threads=False, column_names=unique, skip_rows=skip + skipped + 1),
            arrow_csv.ParseOptions(delimiter=separator, invalid_row_handler=refuse),
            arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(unique, pa.string()), include_columns=[n for n in unique if n in KNOWN]
            ),
        )
    except pa.ArrowInvalid as error:
        if "UTF8" in str(error):
            raise UsageError(f"{file} is not UTF-8", "text in UTF-8", "save it as CSV in UTF-8") from error
        raise UsageError(f"{file}: {error}", "cells in closed quotes, or without quotes", "correct it") from error
    if bad:
        raise UsageError(
            f"{count(len(bad), 'line')} of {file} with another number of cells than its header: {some(bad)}",
            f"{len(unique)} cells; a cell that holds {separator!r} in quotes",
            "correct them",
        )
    others = [name for name in names if name not in KNOWN]
    for name in others:
        table = table.append_column(name, pa.nulls(table.num_rows, pa.string()))
    return table


def _parquet(data: bytes, file: Place) -> pa.Table:
    from pyarrow import parquet

    try:
        source = parquet.ParquetFile(pa.BufferReader(data))
        known = [name for name in source.schema_arrow.names if name.strip().casefold() in KNOWN]
        table = source.read(columns=known, use_threads=False)
        for name in source.schema_arrow.names:
            if name not in known:
                table = table.append_column(name, pa.nulls(table.num_rows, pa.string()))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError, ValueError) as error:
        raise UsageError(f"{file}: {error}", "a readable Parquet file", "write it again") from error
    return table


def _text(column: pa.ChunkedArray, name: str, file: Place) -> pa.ChunkedArray:
    """A column as stripped text, None where nothing is left. Numbers are written as people would write them."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        if name != "box":
            raise UsageError(
                f"column {name} of {file} holds lists: an image with several labels"
                if name == "label"
                else f"column {name} of {file} holds lists",
                "a single value for each image; several labels for one image (multi-label) are not supported",
                "keep one label for each image",
            )
        joined = [None if box is None else ",".join(map(str, box)) for box in column.to_pylist()]
        column = pa.chunked_array([pa.array(joined, pa.string())])
    elif pa.types.is_floating(kind):
        column = _plain_floats(column)
    elif not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        try:
            column = column.cast(pa.string())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise UsageError(f"column {name} of {file} is of type {kind}", "text or numbers", "write it so") from error
    stripped = pc.utf8_trim_whitespace(column.cast(pa.string()))
    return pc.if_else(pc.equal(stripped, ""), None, stripped)


def _plain_floats(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Floats as text: 3.0 as 3, since a column of integers with a gap becomes one of floats; None for NaN."""
    column = pc.if_else(pc.is_nan(column), None, column)
    whole = pc.all(pc.or_kleene(pc.equal(pc.round(column), column), pc.is_null(column))).as_py()
    return column.cast(pa.int64()).cast(pa.string()) if whole is not False else column.cast(pa.string())
