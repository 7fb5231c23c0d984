"""The report's table of baselines: systems and repeated members on the test split, beside the picked model."""

from typing import Any

from tuner.front import uncertainty, words
from tuner.report.columns import column
from tuner.report.views import BaselineRow, PickView, Report


def baselines(report: Report) -> dict[str, Any] | None:
    """The comparison table on the test split: the pick first, the best of each objective marked."""
    if not report.baselines:
        return None
    rows = [*([_picked_row(report, report.pick)] if report.pick else []), *report.baselines]
    goodness = {o.name: o.goodness for o in report.objectives}
    measured = (n for b in report.baselines for n in b.values if not uncertainty.is_count(n))
    names = list(dict.fromkeys([*goodness, *measured]))
    columns = {name: column([row.values.get(name) for row in rows]) for name in names}
    best = {n: max((goodness[n](r.values[n]) for r in rows if n in r.values), default=0.0) for n in goodness}
    return {
        "heads": [words.name(n) for n in names],
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
                        "best": n in goodness and n in row.values and goodness[n](row.values[n]) == best[n],
                    }
                    for n in names
                ],
            }
            for i, row in enumerate(rows)
        ],
    }


def _picked_row(report: Report, pick: PickView) -> BaselineRow:
    """The picked model on the test split, where it was measured there."""
    prefix = "test/"
    values = next((row.values for row in report.rows if row.trial == pick.point.trial), {})
    tested = {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}
    sizes = {o.name: pick.point.params[o.name] for o in report.objectives if o.name in pick.point.params}
    name = f"{'Picked' if pick.chosen else 'Suggested'}: trial {pick.point.trial}"
    return BaselineRow(name, {**tested, **sizes} if tested else pick.point.values)


def _noise(row: BaselineRow, metric: str) -> str:
    """The deviation over the runs of a row; of a single run the standard error of a share of images."""
    if metric in row.deviations:
        return f"± {uncertainty.plus_minus(row.deviations[metric])}, {row.n_runs} runs"
    return uncertainty.beside(metric, row.values)
