"""The report's table of baselines: systems and repeated members on the test split, beside the picked model."""

from collections.abc import Callable, Sequence
from typing import Any

from tuner.front import uncertainty, words
from tuner.report import trial_columns
from tuner.report.columns import column
from tuner.report.views import BaselineRow, PickView, Report

UNTESTED = "not measured on test: its values are those of the search"


def baselines(report: Report) -> dict[str, Any] | None:
    """The comparison table on the test split: the pick first, the best of each objective marked."""
    if not report.baselines:
        return None
    rows = [*([_picked_row(report, report.pick)] if report.pick else []), *report.baselines]
    goodness = {o.name: o.goodness for o in report.objectives}
    measured = (n for b in report.baselines for n in b.values if not uncertainty.is_count(n))
    names = list(dict.fromkeys([*goodness, *measured]))
    units = {n: trial_columns.unit_of(n) for n in names} | {o.name: o.unit for o in report.objectives}
    columns = {name: column([row.values.get(name) for row in rows]) for name in names}
    best = {
        n: _best([row.values[n] for row in rows if n in row.values and row.note != UNTESTED], goodness[n])
        for n in goodness
    }
    return {
        "heads": [f"{words.name(n)} [{units[n]}]" if units[n] else words.name(n) for n in names],
        "repeated": any(row.n_runs > 1 for row in rows),
        "rows": [
            {
                "name": row.name,
                "note": row.note,
                "picked": report.pick is not None and i == 0,
                "cells": [
                    {
                        "text": columns[n][i],
                        "aside": _noise(row, n),
                        "best": row.note != UNTESTED and row.values.get(n) in best.get(n, ()),
                    }
                    for n in names
                ],
            }
            for i, row in enumerate(rows)
        ],
    }


def _best(values: Sequence[float], goodness: Callable[[float], float]) -> list[float]:
    """The best of them, as often as it is there."""
    return [v for v in values if goodness(v) == max(map(goodness, values))]


def _picked_row(report: Report, pick: PickView) -> BaselineRow:
    """The picked model on the test split, where it was measured there."""
    prefix = "test/"
    values = next((row.values for row in report.rows if row.trial == pick.point.trial), {})
    tested = {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}
    sizes = {o.name: pick.point.params[o.name] for o in report.objectives if o.name in pick.point.params}
    name = f"{'Picked' if pick.chosen else 'Suggested'}: trial {pick.point.trial}"
    if tested:
        return BaselineRow(name, {**tested, **sizes})
    return BaselineRow(name, pick.point.values, note=UNTESTED)


def _noise(row: BaselineRow, metric: str) -> str:
    """The deviation over the runs of a row; of a single run the standard error of a share of images."""
    if metric in row.deviations:
        return f"± {uncertainty.plus_minus(row.deviations[metric])}, {row.n_runs} runs"
    return uncertainty.beside(metric, row.values)
