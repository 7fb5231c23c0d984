"""What each section of the report says: numbers become words, trials become rows, maps become pictures.

`build` returns the variables of report.html; the charts' numbers are its `data`, drawn by the page's scripts.
"""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

from markupsafe import Markup

from tuner.front import uncertainty, words
from tuner.front.confirmation import RULE
from tuner.front.hypervolume import hypervolume, natural
from tuner.front.pareto import Objective, Point
from tuner.report import error_bars, proof
from tuner.report.baselines import baselines
from tuner.report.chart_data import chart_data
from tuner.report.columns import plain
from tuner.report.galleries import galleries
from tuner.report.importance import importance
from tuner.report.members import members
from tuner.report.origin import origin
from tuner.report.picture import render_front
from tuner.report.ranking import Ranking
from tuner.report.trials_table import trials_table
from tuner.report.views import PickView, Report, StageUse, TrialRow

MOST_NAMED = 4  # objectives in a sentence


def build(report: Report) -> dict[str, Any]:
    """The variables of report.html."""
    ranking = Ranking(report)
    charts = {**chart_data(ranking), "table": trials_table(ranking)}
    return {
        "contents": _contents(report, charts),
        "search": report.search,
        "note": report.note,
        "axes": _axes(report),
        "many": len(report.objectives) > 2,
        "alone": len(report.objectives) == 1,
        "bars": any(point.error(o.name) for point in ranking.points for o in report.objectives),
        "lede": _lede(ranking),
        "figures": _figures(ranking),
        "still": Markup(render_front(ranking.points, report.objectives, _picked(report), report.search, ranking.rank)),
        "members": members(ranking),
        "pick": _pick(report, report.pick) if report.pick else None,
        "features_page": report.features_page,
        "baselines": baselines(report),
        "importance": importance(report),
        "stages": _stages(report.stages),
        "outcomes": _outcomes(report.rows),
        "rests": _rests(report, [o.name for o in report.objectives]),
        "all_rests": _rests(report, [n for row in report.rows for n in row.values if "/" not in n]),
        "waited": any(span.waited_s for row in report.rows for span in row.spans),
        "origin": report.origin and origin(report.origin),
        "data": charts,
    }


def _contents(report: Report, charts: dict[str, Any]) -> list[tuple[str, str]]:
    """The sections that this page has: address and title."""
    found = [
        ("front", "The front", True),
        ("members", "Its members", any(t["rank"] == 1 for t in charts["trials"])),
        ("pick", "The picked model" if report.pick and report.pick.chosen else "The suggested model", report.pick),
        ("baselines", "Baselines", report.baselines),
        ("parameters", "Parameters", len(charts["trials"]) > 1 and charts["params"]),
        ("training", "Training", charts["curves"]),
        ("course", "Course of the search", True),
        ("trials", "All trials", True),
        ("origin", "Settings and origin", report.origin),
    ]
    return [(address, title) for address, title, there in found if there]


def _picked(report: Report) -> Point | None:
    return report.pick.point if report.pick and report.pick.chosen else None


def _lede(ranking: Ranking) -> str:
    """The search in a sentence or two."""
    report, rank = ranking.report, ranking.rank
    members = sum(r == 1 for r in rank.values())
    saved = sum(stage.saved_s for stage in report.stages)
    text = _completed(report.rows)
    if members:
        text += f" {members} {'is' if members == 1 else 'are'} on the front of {_axes(report)}"
        text += f"{error_bars.sure(report, rank)}."
    text += f" Reusing stages saved {words.duration(saved)}." if saved > 0 else ""
    programs = proof.overview(row.program for row in report.rows)
    return text + (f" {programs[0].upper()}{programs[1:]}." if programs else "")


def _axes(report: Report) -> str:
    """The objectives by name, or how many there are."""
    names = [words.name(o.name) for o in report.objectives]
    return words.listing(names) if len(names) <= MOST_NAMED else f"{len(names)} objectives"


def _completed(rows: Sequence[TrialRow]) -> str:
    """How many trials are complete, and how many early stopping has left at their rung."""
    if not rows:
        return "No trial has begun."
    completed = sum(row.outcome == "complete" for row in rows)
    if len(rows) == 1:
        return f"The only trial {'completed' if completed else 'has not completed'}."
    if not completed:
        return f"None of {len(rows)} trials has completed."
    pruned = sum(row.outcome == "pruned" for row in rows)
    told = f", {pruned} {'was' if pruned == 1 else 'were'} pruned by early stopping" if pruned else ""
    return f"{completed} of {len(rows)} trials completed{told}."


def _rests(report: Report, metrics: Sequence[str]) -> str:
    """The meaning of ±, and the number of images of each of these metrics; empty if unknown."""
    values = [row.values for row in report.rows]
    told = uncertainty.legend((n for n in dict.fromkeys(metrics) if not n.startswith("assigned_")), values)
    rule = RULE if any(row.bars.error for row in report.rows) else uncertainty.RULE
    meaning = f"{error_bars.MEANING}." if error_bars.any_runs(report) else ""
    return " ".join(filter(None, [f"{rule}; {told}." if told else "", meaning]))


def _figures(ranking: Ranking) -> list[dict[str, str]]:
    """The few numbers at the top: the front's best of each objective, the hypervolume, the time saved."""
    report, points = ranking.report, ranking.points
    front = [p for p in points if ranking.rank.get(p.trial) == 1]
    figures = []
    for o in report.objectives[:3]:
        best = max(front, key=partial(_goodness, o), default=None)
        if best is not None:
            value, beside = words.number(best.values[o.name], o.unit), error_bars.beside(best, o.name)
            aside = f"trial {best.trial}, {beside}" if beside else f"trial {best.trial}"
            figures.append(_figure(f"best {words.name(o.name)}", value, aside, o.unit))
    if front:
        volume = (
            report.hypervolume[-1][1]
            if report.hypervolume
            else hypervolume(points, report.objectives, natural(report.objectives))
        )
        aside = "of the box from its reference to the best values"
        figures.append(_figure("hypervolume", f"{100 * volume:.1f}", aside, "%"))
    if report.stages:
        saved, spent = sum(s.saved_s for s in report.stages), sum(s.run_s for s in report.stages)
        figures.append(_figure("saved by reuse", words.duration(saved), f"{words.duration(spent)} of work done"))
    if report.cost:
        amount, *others = report.cost.split(", ")[::-1]  # money says most, then GPU hours
        value, unit = amount.split(" ", 1)
        figures.append(_figure("cost so far", value, ", ".join(others[::-1]) or "stages and what they held", unit))
    return figures


def _figure(label: str, value: str, aside: str, unit: str = "") -> dict[str, str]:
    return {"label": label, "value": value, "aside": aside, "unit": unit}


def _goodness(objective: Objective, point: Point) -> float:
    return objective.goodness(point.values[objective.name])


def _pick(report: Report, pick: PickView) -> dict[str, Any]:
    """The picked model in words, and its saliency maps."""
    params = pick.point.params
    facts = [(words.name(o.name), error_bars.value(pick.point, o.name, o.unit)) for o in report.objectives]
    axes = {o.name for o in report.objectives}
    facts += [(words.name(name), plain(value)) for name, value in params.items() if name not in axes]
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
            "ran": f"ran {_times(s.ran, 'time')}, {words.duration(s.run_s)}{f', {s.cost}' if s.cost else ''}",
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


def _times(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
