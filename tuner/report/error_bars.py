"""What the report says of error bars: beside values, as columns of the table of trials, and in a sentence."""

from math import isfinite
from typing import Any

from tuner.front import uncertainty, words
from tuner.front.confirmation import BEYOND_NOISE, MEANS, chance, verdict
from tuner.front.pareto import Point
from tuner.report.columns import NOTHING
from tuner.report.views import Report, TrialRow

MEANING = f"{MEANS[0].upper()}{MEANS[1:]}; {BEYOND_NOISE}"


def any_runs(report: Report) -> bool:
    """Whether some member has been confirmed."""
    return any(row.bars.runs for row in report.rows)


def beside(point: Point, metric: str) -> str:
    """The text beside a value: "± 1.2, n = 288"; empty where its error is unknown."""
    error, n = point.error(metric), uncertainty.images(metric, point.values)
    if error is None:
        return ""
    return f"± {uncertainty.plus_minus(error)}{f', n = {n}' if n else ''}"


def value(point: Point, metric: str, unit: str) -> str:
    """A value with its error, its unit and its number of images: "78.4 ± 1.2 %, n = 288"."""
    error, n = point.error(metric), uncertainty.images(metric, point.values)
    if error is None:
        return words.value(point.values[metric], unit)
    told = f"{words.number(point.values[metric], unit)} ± {uncertainty.plus_minus(error)} {unit}".rstrip()
    return told + (f", n = {n}" if n else "")


def spread(row: TrialRow, metric: str) -> str:
    """The uncertainty of a value: its standard error, and its deviation over confirmation runs if there are some."""
    deviation, n = row.bars.deviation.get(metric), row.bars.runs
    told = [beside(row.point(), metric)]
    if deviation is not None and isfinite(deviation) and metric not in row.params:  # what is set never varies
        told.append(f"sd {uncertainty.plus_minus(deviation)} over {n} runs")
    return "; ".join(filter(None, told))


def sure(report: Report, rank: dict[int, int]) -> str:
    """How many of the confirmed members are beyond noise; empty where none is confirmed."""
    bars = [row.bars for row in report.rows if rank.get(row.trial) == 1]
    confirmed = [found for found in bars if found.runs]
    if not confirmed:
        return ""
    beyond = sum(found.beyond_noise for found in confirmed)
    if len(confirmed) == len(bars):
        return f", {beyond} of them beyond noise"
    return f", with {beyond} of {len(confirmed)} confirmed beyond noise"


def headings(report: Report) -> list[str]:
    """The columns of the table of trials; none before any confirmation."""
    return ["runs", "non-dominated", "beyond noise"] if any_runs(report) else []


def cells(report: Report, row: TrialRow) -> list[tuple[Any, str]]:
    """A row's values in these columns, each with its text."""
    if not any_runs(report):
        return []
    found, n = row.bars, row.bars.runs
    sure = None if found.probability is None else verdict(found)
    return [(n or None, str(n) if n else NOTHING), (found.probability, chance(found)), (sure, sure or NOTHING)]
