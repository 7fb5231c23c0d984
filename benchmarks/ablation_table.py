"""The table of the ablations: mean and deviation over seeds, and paired differences from the baseline."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.stats import t

METRICS = {
    "accuracy": "accuracy",
    "assigned": "assigned, not tuned",
    "plausibility_undilated": "plaus. undilated",
    "plausibility": "plaus.",
    "sid5": "SID@5",
    "class_independence": "class-ind.",
    "contrastiveness": "contrast.",
    "correlation": "correlation (lower)",
    "structural_grounding": "grounding",
    "likeness": "A against attributes",
}
Rows = dict[int, dict[str, float]]  # seed to metric to value


def values(line: dict[str, Any], side: str) -> dict[str, float]:
    """The metrics of a run on one side, with the accuracy before fine-tuning and what A knows of the attributes."""
    beside = {"assigned": line["assigned_accuracy"].get(side), "likeness": line["likeness"]}
    found: dict[str, float] = line[side] | {name: value for name, value in beside.items() if value is not None}
    return found


def difference(rows: Rows, base: Rows, metric: str) -> str:
    """Mean paired difference and its standard error; `*` beyond two errors, `**` beyond the 95 % interval of Student's
    t for so few seeds, which is the stricter test."""
    both = [seed for seed in sorted(rows.keys() & base.keys()) if metric in rows[seed] and metric in base[seed]]
    d = np.array([rows[seed][metric] - base[seed][metric] for seed in both])
    if len(d) < 2:
        return f"{d.mean():+.1f}" if len(d) else "-"
    error = d.std(ddof=1) / len(d) ** 0.5
    beyond = "**" if abs(d.mean()) > t.ppf(0.975, len(d) - 1) * error else "*" if abs(d.mean()) > 2 * error else ""
    return f"{d.mean():+.1f} ± {error:.1f}{beyond}"


def spread(rows: Rows, metric: str) -> str:
    """Mean and standard deviation over seeds; `-` where the metric does not apply."""
    found = np.array([row[metric] for row in rows.values() if metric in row])
    if len(found) < 2:
        return f"{found[0]:.1f}" if len(found) else "-"
    return f"{found.mean():.1f} ± {found.std(ddof=1):.1f}"


def tables(named: dict[str, Rows], base: str) -> str:
    """Both tables as Markdown, one row per ablation that has runs."""
    named = {name: rows for name, rows in named.items() if rows}
    head = "| ablation | seeds | " + " | ".join(METRICS.values()) + " |\n" + "|---" * (len(METRICS) + 2) + "|"

    def table(shown: Sequence[str], cell: Callable[[Rows, str], str]) -> list[str]:
        return [
            head,
            *(
                f"| {name} | {len(named[name])} | " + " | ".join(cell(named[name], metric) for metric in METRICS) + " |"
                for name in shown
            ),
        ]

    lines = ["mean ± standard deviation over seeds, percent", "", *table(list(named), spread)]
    if base in named:
        marks = "`*` beyond two standard errors, `**` beyond the 95 % interval of Student's t"
        others = [name for name in named if name != base]
        beside = table(others, lambda rows, metric: difference(rows, named[base], metric))
        lines += ["", f"paired difference from {base} ± standard error, points; {marks}", "", *beside]
    return "\n".join(lines)
