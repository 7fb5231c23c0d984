"""What each section of the report says: numbers become words, trials become rows, maps become pictures.

`build` returns the variables of report.html; the charts' numbers are its `data`, drawn by report.js.
"""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from html import escape
from math import isfinite
from typing import Any

from markupsafe import Markup

from tuner.base.metric import METRICS
from tuner.front import uncertainty, words
from tuner.front.confirmation import RULE
from tuner.front.pareto import Objective, Point, hypervolume, ranks
from tuner.qpm.program_info import ProgramInfo
from tuner.report import error_bars, proof
from tuner.report.baselines import baselines
from tuner.report.columns import NOTHING, column
from tuner.report.galleries import galleries
from tuner.report.picture import render_front
from tuner.report.views import PickView, Report, StageUse, TrialRow


def build(report: Report) -> dict[str, Any]:
    """The variables of report.html."""
    points = _completed(report)
    known = report.ranks or {p.trial: r for p, r in zip(points, ranks(points, report.objectives), strict=True)}
    rank = {p.trial: known[p.trial] for p in points if known.get(p.trial)}
    picked = report.pick.point if report.pick and report.pick.chosen else None
    return {
        "search": report.search,
        "note": report.note,
        "axes": words.listing([words.name(o.name) for o in report.objectives]),
        "many": len(report.objectives) > 2,
        "alone": len(report.objectives) == 1,
        "bars": any(row.bars.error for row in report.rows),
        "lede": _lede(report, rank),
        "figures": _figures(report, rank),
        "still": Markup(render_front(points, report.objectives, picked, report.search, rank)),
        "pick": _pick(report, report.pick) if report.pick else None,
        "baselines": baselines(report),
        "stages": _stages(report.stages),
        "outcomes": _outcomes(report.rows),
        "trials": _trials(report, rank),
        "rests": _rests(report),
        "environment": _flat(report.environment),
        "data": _chart_data(report, rank),
    }


def _completed(report: Report) -> list[Point]:
    """Only completed trials are ranked; the values so far of a stopped one are shown, but not ranked."""
    return [row.point() for row in report.rows if row.outcome == "complete"]


def _lede(report: Report, rank: dict[int, int]) -> str:
    """The search in a sentence or two."""
    completed = sum(row.outcome == "complete" for row in report.rows)
    members = sum(r == 1 for r in rank.values())
    saved = sum(stage.saved_s for stage in report.stages)
    axes = words.listing([words.name(o.name) for o in report.objectives])
    text = f"{completed} of {_times(len(report.rows), 'trial')} completed; {members} of them"
    text += f" {'is' if members == 1 else 'are'} on the front of {axes}{error_bars.sure(report, rank)}."
    text += f" Reusing stages saved {words.duration(saved)}." if saved > 0 else ""
    programs = proof.overview(row.program for row in report.rows)
    return text + (f" {programs[0].upper()}{programs[1:]}." if programs else "")


def _rests(report: Report) -> str:
    """The meaning of ±, and the number of images of each metric; empty if unknown."""
    values = [row.values for row in report.rows]
    metrics = dict.fromkeys(name for row in values for name in row if "/" not in name)
    told = uncertainty.legend((n for n in metrics if not n.startswith("assigned_")), values)
    rule = RULE if any(row.bars.error for row in report.rows) else uncertainty.RULE
    meaning = f"{error_bars.MEANING}." if error_bars.any_runs(report) else ""
    return " ".join(filter(None, [f"{rule}; {told}." if told else "", meaning]))


def _figures(report: Report, rank: dict[int, int]) -> list[dict[str, str]]:
    """The few numbers at the top: the front's best of each objective, the hypervolume, the time saved."""
    points = _completed(report)
    members = [p for p in points if rank.get(p.trial) == 1]
    figures = []
    for o in report.objectives[:3]:
        best = max(members, key=partial(_goodness, o), default=None)
        if best is not None:
            value, beside = words.number(best.values[o.name], o.unit), error_bars.beside(best, o.name)
            aside = f"trial {best.trial}, {beside}" if beside else f"trial {best.trial}"
            figures.append(_figure(f"best {words.name(o.name)}", value, aside, o.unit))
    volume = report.hypervolume[-1][1] if report.hypervolume else hypervolume(points, report.objectives)
    figures.append(
        _figure("hypervolume", f"{100 * volume:.1f}", "of the box from its reference to the best values", "%")
    )
    if report.stages:
        saved, spent = sum(s.saved_s for s in report.stages), sum(s.run_s for s in report.stages)
        figures.append(_figure("saved by reuse", words.duration(saved), f"{words.duration(spent)} of work done"))
    return figures


def _figure(label: str, value: str, aside: str, unit: str = "") -> dict[str, str]:
    return {"label": label, "value": value, "aside": aside, "unit": unit}


def _goodness(objective: Objective, point: Point) -> float:
    return objective.goodness(point.values[objective.name])


def _pick(report: Report, pick: PickView) -> dict[str, Any]:
    """The picked model in words, and its saliency maps."""
    params, values = pick.point.params, pick.point.values
    facts = [
        (words.name(o.name), f"{words.value(values[o.name], o.unit)} {error_bars.beside(pick.point, o.name)}".strip())
        for o in report.objectives
    ]
    axes = {o.name for o in report.objectives}
    facts += [(words.name(name), _plain(value)) for name, value in params.items() if name not in axes]
    program = next((row.program for row in report.rows if row.trial == pick.point.trial), None)
    if program:
        facts.append(("program", proof.sentence(program)))
    title = "The picked model" if pick.chosen else "Nothing is picked yet; what the default rule would take"
    return {"title": title, "reason": pick.reason, "facts": facts, **_by_class(pick), **galleries(pick)}


def _by_class(pick: PickView) -> dict[str, Any]:
    """The accuracy of each class, the worst first."""
    rows = sorted(pick.by_class, key=lambda row: (row.accuracy, row.name))
    cells = [(r.name, r.images, f"{r.accuracy:.1f}", f"± {uncertainty.plus_minus(r.error)}") for r in rows]
    return {"by_class": cells, "by_class_on": pick.by_class_on}


def _stages(stages: Sequence[StageUse]) -> list[dict[str, Any]]:
    """Time and reuse of each stage, with the widths of its two bars in percent of the longest."""
    longest = max((s.run_s + s.saved_s for s in stages), default=0.0) or 1.0
    return [
        {
            "name": s.name,
            "ran": f"ran {_times(s.ran, 'time')}, {words.duration(s.run_s)}",
            "reuse": _reuse(s),
            "run_width": round(100 * s.run_s / longest, 2),
            "saved_width": round(100 * s.saved_s / longest, 2),
        }
        for s in stages
    ]


def _reuse(stage: StageUse) -> str:
    saved = words.duration(stage.saved_s)
    return f"reused {_times(stage.reused, 'time')}, {saved} saved" if stage.reused else "never reused"


def _outcomes(rows: Sequence[TrialRow]) -> list[dict[str, Any]]:
    """The number of trials per outcome and cause."""
    counts = Counter(row.outcome for row in rows)
    return [
        {
            "name": outcome,
            "count": count,
            "width": round(100 * count / len(rows), 2),
            "causes": Counter(r.cause for r in rows if r.outcome == outcome and r.cause).most_common(),
        }
        for outcome, count in counts.most_common()
    ]


def _trials(report: Report, rank: dict[int, int]) -> dict[str, Any]:
    """The table of all trials: those on the front first, better ones first."""
    objectives = [o.name for o in report.objectives]
    picked = report.pick.point.trial if report.pick and report.pick.chosen else None
    params = list(dict.fromkeys(n for row in report.rows for n in row.params))
    mentioned = dict.fromkeys(n for row in report.rows for n in row.values if n not in objectives)
    metrics = sorted((n for n in mentioned if not uncertainty.is_count(n)), key=lambda n: "/" in n)  # other splits last
    first = report.objectives[0]

    def place(row: TrialRow) -> tuple[float, float, int]:
        value = row.values.get(first.name)
        return (rank.get(row.trial, len(rank) + 1), 0.0 if value is None else -first.goodness(value), row.trial)

    rows = sorted(report.rows, key=place)
    numbers = {n: column([row.values.get(n) for row in rows]) for n in (*objectives, *metrics)}
    return {
        "params": [words.name(n) for n in params],
        "objectives": [f"{words.name(o.name)}{f' [{o.unit}]' if o.unit else ''}" for o in report.objectives],
        "metrics": [words.name(n) for n in metrics],
        "bars": error_bars.headings(report),
        "proof": ["gap [%]", "bound", "program"],
        "rows": [
            {
                "trial": row.trial,
                "rank": rank.get(row.trial, 0),
                "outcome": row.outcome,
                "cause": row.cause,
                "picked": row.trial == picked,
                "params": [_cell(row.params.get(n), _plain(row.params.get(n))) for n in params],
                "objectives": [_cell(row.values.get(n), numbers[n][i], error_bars.spread(row, n)) for n in objectives],
                "metrics": [_cell(row.values.get(n), numbers[n][i], error_bars.spread(row, n)) for n in metrics],
                "bars": [_cell(*cell) for cell in error_bars.cells(report, row)],
                "proof": _proof(row),
                "duration": _cell(
                    row.duration_s, NOTHING if row.duration_s is None else words.duration(row.duration_s)
                ),
            }
            for i, row in enumerate(rows)
        ],
    }


def _chart_data(report: Report, rank: dict[int, int]) -> dict[str, Any]:
    """The numbers of the charts; texts are escaped here because plotly reads a little HTML."""
    alone = len(report.objectives) == 1  # then it is drawn over the trials, in their order
    trials = [
        {
            "trial": row.trial,
            "rank": rank[row.trial],
            "values": [row.trial] * alone + [row.values[o.name] for o in report.objectives],
            "spread": [0.0] * alone + [_finite(row.bars.error.get(o.name)) for o in report.objectives],
            "text": _hover(row, report.objectives),
        }
        for row in report.rows
        if row.trial in rank
    ]
    axes = [
        {
            "name": _safe(words.name(o.name)),
            "unit": _safe(o.unit),
            "sign": 1 if o.direction == "max" else -1,
            "worst": o.low if o.direction == "max" else o.high,
        }
        for o in report.objectives
    ]
    if alone:
        axes.insert(0, {"name": "trial", "unit": "", "sign": 1, "worst": 0, "order": True})
    picked = report.pick.point.trial if report.pick and report.pick.chosen else None
    return {
        "axes": axes,
        "trials": trials,
        "picked": picked,
        "history": [list(pair) for pair in report.hypervolume],
    }


def _hover(row: TrialRow, objectives: Sequence[Objective]) -> str:
    """What pointing at a trial shows: objectives with their parts, then parameters."""
    lines = [f"<b>trial {row.trial}</b>"]
    for objective in objectives:
        value = words.number(row.values[objective.name], objective.unit)
        beside = error_bars.beside(row.point(), objective.name)
        lines.append(f"{_safe(words.name(objective.name))} <b>{value}</b> {_safe(objective.unit)} {beside}".rstrip())
        metric = METRICS.get(objective.name)
        parts = [n for n in (metric.parts if metric else ()) if n in row.values]
        lines += [f"   {words.name(n)} {words.number(row.values[n])}" for n in parts]
    lines += ["", *(f"{_safe(words.name(n))} {_safe(_plain(v))}" for n, v in row.params.items())]
    if row.program:
        lines += ["", f"program {_safe(proof.sentence(row.program))}"]
    return "<br>".join(f"\u00a0{line}\u00a0" for line in lines)  # plotly's label has no padding of its own


def _finite(value: float | None) -> float:
    return value if value is not None and isfinite(value) else 0.0


def _safe(text: str) -> str:
    return escape(text, quote=False)


def _cell(value: Any, text: str, aside: str = "") -> dict[str, Any]:
    """A cell with what it is sorted by: a number where there is one, else its text, nothing last."""
    missing = value is None or text == NOTHING
    return {"text": text, "aside": aside, "sort": "" if missing else value, "missing": missing}


def _proof(row: TrialRow) -> list[dict[str, Any]]:
    """Gap, bound and status of the trial's program."""
    known = row.program or ProgramInfo()
    return [
        _cell(known.gap, proof.gap(row.program) or NOTHING),
        _cell(known.bound, proof.figure(row.program, "bound") or NOTHING),
        _cell(known.status, proof.ended(row.program) or NOTHING),
    ]


def _plain(value: Any) -> str:
    """A parameter or setting as text."""
    if value is None:
        return NOTHING
    return f"{value:g}" if isinstance(value, float) else str(value)


def _times(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _flat(tree: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested settings as (dotted name, text)."""
    pairs = []
    for name, value in tree.items():
        if isinstance(value, dict):
            pairs += _flat(value, f"{prefix}{name}.")
        else:
            pairs.append((f"{prefix}{name}", _plain(value)))
    return pairs
