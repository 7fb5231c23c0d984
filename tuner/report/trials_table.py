"""The table of all trials as data: the page shows the chosen columns of the rows that pass its filter.

Test values are not in it: they were measured for members only, and stand in the members' table.
"""

from math import isfinite
from typing import Any

from tuner.front import words
from tuner.report import trial_columns
from tuner.report.columns import NOTHING, decimals
from tuner.report.ranking import Ranking
from tuner.report.trial_columns import Column

SHOWN = ("objectives", "parameters", "time")  # the groups that are shown at first


def trials_table(ranking: Ranking) -> dict[str, Any]:
    """`groups`, `columns` and `rows`; members come first, better ones first.

    A cell is a number, a text or null, or a list of such a value, its text (null: as its column says) and what stands
    beside it.
    """
    report = ranking.report
    rows = sorted(report.rows, key=ranking.place)
    made = [
        *trial_columns.objectives(report),
        *trial_columns.parameters(report),
        *trial_columns.noise(report),
        *trial_columns.rungs(report),
        *trial_columns.programs(report),
        *(c for c in trial_columns.metrics(report) if not trial_columns.of_another_split(c)),
        Column("duration", "time", lambda r: r.duration_s, lambda r: _duration(r.duration_s)),
        Column("ended after", "time", lambda r: r.ended_s, lambda r: _duration(r.ended_s)),
    ]
    cells = [_cells(column, rows) for column in made]
    return {
        "groups": [{"name": g, "shown": g in SHOWN} for g in dict.fromkeys(c.group for c in made)],
        "columns": [{"name": c.name, "heading": c.heading, "group": c.group, **_kind(c, rows)} for c in made],
        "rows": [
            {
                "trial": row.trial,
                "standing": ranking.standing(row.trial),
                "outcome": row.outcome,
                "cause": row.cause,
                "cells": [column[i] for column in cells],
            }
            for i, row in enumerate(rows)
        ],
    }


def _kind(column: Column, rows: list[Any]) -> dict[str, Any]:
    """Whether it holds numbers, and their decimals (null: as they are)."""
    values = [column.value(row) for row in rows]
    number = all(v is None or _is_number(v) for v in values)
    fixed = number and bool(column.metric)
    return {"number": number, "digits": decimals(values) if fixed else None}


def _cells(column: Column, rows: list[Any]) -> list[Any]:
    found: list[Any] = []
    for row in rows:
        value = _plain(column.value(row))
        text = column.text(row) if column.text and value is not None else None
        aside = column.aside(row) if value is not None else ""
        found.append([value, text, aside] if text is not None or aside else value)
    return found


def _plain(value: Any) -> Any:
    """As JSON: six significant digits are more than any column shows; numbers that are none are nothing."""
    if isinstance(value, bool) or value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float):
        return float(f"{value:.6g}") if isfinite(value) else None
    return str(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _duration(seconds: float | None) -> str:
    return NOTHING if seconds is None else words.duration(seconds)
