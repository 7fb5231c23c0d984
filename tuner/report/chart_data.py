"""The numbers that the page draws, as JSON: trials, their parameters, baselines, curves and stages over time."""

from collections.abc import Sequence
from math import isfinite
from typing import Any

from tuner.front import words
from tuner.report.analysis_views import Curve, Span
from tuner.report.columns import plain
from tuner.report.ranking import Ranking
from tuner.report.trial_columns import varied_parameters
from tuner.report.views import Report, TrialRow

MOST_TICKS = 7  # values of a parameter that its axis names one by one
WIDE = 50  # times the smallest of them: a logarithmic axis then, whatever the space says
MOST_EPOCHS = 200  # of a curve; more are thinned out, the last one stays


def chart_data(ranking: Ranking) -> dict[str, Any]:
    """Everything but the table of trials, from which the texts beside a mark are made."""
    report = ranking.report
    alone = len(report.objectives) == 1  # then it is drawn over the trials, in their order
    varied = varied_parameters(report)
    params = [_param(report, name) for name in varied]
    stages = list(dict.fromkeys(span.stage for row in report.rows for span in row.spans))
    return {
        "axes": _axes(report, alone),
        "params": params,
        "trials": [
            {
                "trial": row.trial,
                "rank": ranking.rank[row.trial],
                "values": [row.trial] * alone + [row.values[o.name] for o in report.objectives],
                "spread": [0.0] * alone + [_finite(row.point().error(o.name)) for o in report.objectives],
                "params": [_value(row.params.get(name), param) for name, param in zip(varied, params, strict=True)],
            }
            for row in report.rows
            if row.trial in ranking.rank
        ],
        "picked": ranking.picked,
        "baselines": _baselines(report, alone),
        "history": [[round(s, 3), round(v, 6)] for s, v in report.hypervolume],
        "costs": [{"name": name, "values": [_short(v) for v in values]} for name, values in report.costs.items()],
        "stages": stages,
        "spans": [span for row in report.rows for span in _spans(row, stages)],
        "curves": [_curve(curve) for curve in report.curves],
        "held_out": {row.trial: v for row in report.rows if (v := _held_out(row)) is not None},
    }


def _axes(report: Report, alone: bool) -> list[dict[str, Any]]:
    axes: list[dict[str, Any]] = [
        {"name": words.name(o.name), "unit": o.unit, "sign": 1 if o.direction == "max" else -1}
        for o in report.objectives
    ]
    return [{"name": "trial", "unit": "", "sign": 1, "order": True}, *axes] if alone else axes


def _param(report: Report, name: str) -> dict[str, Any]:
    """A parameter's axis: numbers, on a logarithmic scale if need be, or a few choices in words."""
    values = [row.params[name] for row in report.rows if row.params.get(name) is not None]
    number = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    choices = None if number else sorted({plain(v) for v in values})
    few = sorted(set(values)) if number and len(set(values)) <= MOST_TICKS else None
    wide = few is not None and min(values) > 0 and max(values) >= WIDE * min(values)
    logarithmic = number and min(values) > 0 and (wide or name in report.log_parameters)
    return {"name": words.name(name), "log": logarithmic, "choices": choices, "ticks": few}


def _value(value: Any, param: dict[str, Any]) -> Any:
    """A trial's value on a parameter's axis: one of the axis's choices, or a number."""
    return value if value is None or param["choices"] is None else plain(value)


def _baselines(report: Report, alone: bool) -> list[dict[str, Any]]:
    """Those that have a value of an objective."""
    return [
        {
            "name": row.name,
            "values": [None] * alone + [_known(row.values.get(o.name)) for o in report.objectives],
        }
        for row in report.baselines
        if any(_known(row.values.get(o.name)) is not None for o in report.objectives)
    ]


def _spans(row: TrialRow, stages: list[str]) -> list[list[Any]]:
    """[trial, start, [[stage, waited, ran, reused], ...]] in seconds of search time; none where that is unknown.

    A trial that paused, and went on later, has two.
    """
    if row.ended_s is None or not row.spans:
        return []
    if row.paused is None:
        return [_span(row.trial, row.spans, row.ended_s, row.duration_s or 0.0, stages)]
    paused_s, n = row.paused
    parts = [(row.spans[:n], paused_s), (row.spans[n:], row.ended_s)]
    return [_span(row.trial, spans, end_s, 0.0, stages) for spans, end_s in parts if spans]


def _span(trial: int, spans: Sequence[Span], ended_s: float, duration_s: float, stages: list[str]) -> list[Any]:
    length = sum(span.waited_s + span.ran_s for span in spans)
    start = max(0.0, ended_s - max(length, duration_s))
    return [
        trial,
        round(start, 2),
        [[stages.index(s.stage), round(s.waited_s, 2), round(s.ran_s, 2), int(s.reused)] for s in spans],
    ]


def _curve(curve: Curve) -> dict[str, Any]:
    n = len(curve.columns["epoch"])
    step = max(1, -(-n // MOST_EPOCHS))
    validation = curve.columns.get("val_loss", [None] * n)
    kept = sorted({*range(0, n, step), n - 1, *(i for i in range(n) if validation[i] is not None)}) if n else []
    thinned = {name: [_short_or_none(values[i]) for i in kept] for name, values in curve.columns.items()}
    return {
        "trials": list(curve.trials),
        "stage": curve.stage,
        "columns": thinned,
        "of": curve.of,
        "tuned": curve.tuned,
    }


def _held_out(row: TrialRow) -> float | None:
    """A trial's accuracy on all validation images, or at its rung if it was pruned there."""
    return row.values.get("accuracy", row.rung.get("accuracy") if row.outcome == "pruned" else None)


def _short_or_none(value: float | None) -> float | None:
    return None if value is None else _short(value)


def _short(value: float) -> float:
    return float(f"{value:.5g}")


def _finite(value: float | None) -> float:
    return value if value is not None and isfinite(value) else 0.0


def _known(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and isfinite(value) else None
