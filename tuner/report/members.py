"""The report's table of the front: each member's values, errors, parameters and program, and its test values."""

from typing import Any

from tuner.report import trial_columns
from tuner.report.columns import NOTHING
from tuner.report.ranking import Ranking
from tuner.report.trial_columns import Column


def members(ranking: Ranking) -> dict[str, Any] | None:
    """`main`, the table, and `rest`, one with all that was measured on other splits; None where the front is empty."""
    rows = ranking.members
    if not rows:
        return None
    report = ranking.report
    elsewhere = [c for c in trial_columns.metrics(report, rows) if trial_columns.of_another_split(c)]
    axes = {o.name for o in report.objectives}
    shown = [c for c in elsewhere if c.metric.rpartition("/")[2] in axes]
    parameters = [c for c in trial_columns.parameters(report) if c.group != trial_columns.FIXED]
    made = [*trial_columns.objectives(report), *shown, *trial_columns.noise(report), *parameters]
    return {
        "main": _table(ranking, [*made, *trial_columns.programs(report)]),
        "rest": _table(ranking, elsewhere) if len(elsewhere) > len(shown) else None,
    }


def _table(ranking: Ranking, made: list[Column]) -> dict[str, Any]:
    """Headings by group, and a row of cells for each member."""
    groups: list[dict[str, Any]] = []
    for column in made:
        if not groups or groups[-1]["name"] != column.group:
            groups.append({"name": column.group, "span": 0})
        groups[-1]["span"] += 1
    texts = [column.texts(ranking.members) for column in made]
    rows: list[dict[str, Any]] = [
        {
            "trial": row.trial,
            "picked": row.trial == ranking.picked,
            "cells": [
                _cell(column, column.value(row), texts[j][i], column.aside(row)) for j, column in enumerate(made)
            ],
        }
        for i, row in enumerate(ranking.members)
    ]
    numbers = [all(row["cells"][j]["number"] for row in rows) for j in range(len(made))]  # aligned to the right
    return {"groups": groups, "heads": list(zip([c.heading for c in made], numbers, strict=True)), "rows": rows}


def _cell(column: Column, value: Any, text: str, aside: str) -> dict[str, Any]:
    """A cell with what it is sorted by: a number where there is one, else its text, nothing last."""
    missing = value is None or text == NOTHING
    return {
        "text": text,
        "aside": aside,
        "number": value is None or isinstance(value, int | float),
        "sort": "" if missing else value,
        "missing": missing,
        "objective": column.group == "objectives",
    }
