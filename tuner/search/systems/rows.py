"""The rows of a comparison: a system, or a member of a front, with one run per seed, and what the runs say together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from tuner.base.metric import METRICS
from tuner.front import uncertainty
from tuner.front.spread import Spread, alike, spread

Role = Literal["member", "system", "control"]


@dataclass(frozen=True)
class Run:
    """One model, measured on the test split.

    Attributes:
        seed: of everything from its first training on.
        key: of its evaluation, the hash of all that made it.
        values: metrics and counts by name.
    """

    seed: int
    key: str
    values: Mapping[str, float]


@dataclass(frozen=True)
class Row:
    """A system or a member over seeds.

    Attributes:
        name: of the system, or "trial-7".
        title: as shown, with its size.
        role: what it is here.
        note: what it is, in one line.
        parameters: its searched parameters, beside a front.
        remark: what differs from the published method; empty: nothing.
        runs: one per seed that completed.
        absent: why runs are missing; empty: none is.
        published: published values by metric.
    """

    name: str
    title: str
    role: Role
    note: str = ""
    remark: str = ""
    parameters: str = ""
    runs: tuple[Run, ...] = ()
    absent: str = ""
    published: Mapping[str, float] = field(default_factory=dict)

    def spread(self, metric: str) -> Spread | None:
        """A metric over its runs; None where no run has it."""
        values = [run.values[metric] for run in self.runs if metric in run.values]
        return spread(values) if values else None

    def error(self, metric: str) -> float | None:
        """The standard error of a share of images, if there is a single run; else None."""
        return uncertainty.error(metric, self.runs[0].values) if len(self.runs) == 1 else None

    def with_runs(self, runs: Sequence[Run], absent: str = "") -> "Row":
        """The row with its results."""
        return replace(self, runs=tuple(runs), absent=self.absent or absent)

    def to_dict(self) -> dict[str, Any]:
        """As JSON: every run, and the mean and deviation of each metric."""
        names = list(dict.fromkeys(name for run in self.runs for name in run.values if not uncertainty.is_count(name)))
        found = {name: made for name in names if (made := self.spread(name)) is not None}
        return {
            "name": self.name,
            "title": self.title,
            "role": self.role,
            "note": self.note,
            "parameters": self.parameters,
            "remark": self.remark,
            "absent": self.absent,
            "runs": [
                {"seed": r.seed, "key": r.key, "values": dict(r.values), "errors": uncertainty.errors(r.values)}
                for r in self.runs
            ],
            "mean": {name: made.mean for name, made in found.items()},
            "sd": {name: made.deviation for name, made in found.items()},
            "published": dict(self.published),
        }


@dataclass(frozen=True)
class Comparison:
    """Rows that were measured on the same test split.

    Attributes:
        rows: in the order of display.
        seeds: of the runs of each row.
        settings: what all rows share, in words.
        not_looked_for: what a feature bank lacks because its version did not look for it, to the bank's key.
    """

    rows: tuple[Row, ...]
    seeds: tuple[int, ...]
    settings: str = ""
    not_looked_for: Mapping[str, str] = field(default_factory=dict)

    def metrics(self) -> list[str]:
        """The compared metrics that some run has, those of the published table first."""
        return [name for name in ordered() if any(row.spread(name) is not None for row in self.rows)]

    def best(self, metric: str) -> set[int]:
        """The places of the rows with the best mean; empty if only one row has a value."""
        means = {i: made.mean for i, row in enumerate(self.rows) if (made := row.spread(metric)) is not None}
        sign = 1 if METRICS[metric].direction == "max" else -1
        top = max((sign * mean for mean in means.values()), default=0.0)
        return {i for i, mean in means.items() if sign * mean == top} if len(means) > 1 else set()

    def not_told_from_the_best(self, metric: str) -> set[int]:
        """The places of the other rows whose mean cannot be told from the best one."""
        best = self.best(metric)
        found = set()
        for leader in sorted(best)[:1]:
            top, error = self.rows[leader].spread(metric), self.rows[leader].error(metric)
            for i, row in enumerate(self.rows):
                made = row.spread(metric)
                if i not in best and made is not None and top is not None:
                    found |= {i} if alike(top, made, error, row.error(metric)) else set()
        return found

    def to_dict(self) -> dict[str, Any]:
        """The one JSON document of a comparison."""
        names = self.metrics()
        return {
            "split": "test",
            "seeds": list(self.seeds),
            "settings": self.settings,
            "rows": [row.to_dict() for row in self.rows],
            "best": {name: [self.rows[i].name for i in sorted(self.best(name))] for name in names},
            "not_told_from_the_best": {
                name: [self.rows[i].name for i in sorted(self.not_told_from_the_best(name))] for name in names
            },
        }


# Those of the published table, then what tells more of a model (docs/explanation/method.md#controls).
_FIRST = (
    "accuracy",
    "plausibility",
    "sid5",
    "class_independence",
    "contrastiveness",
    "plausibility_undilated",
    "structural_grounding",
    "correlation",
    "interpretability",
)

# Of a model's data or arithmetic, not of its quality: no row is the best in them.
_CONTEXT = ("mask_share", "exact_zeros")


def ordered() -> list[str]:
    """All metrics by which models compare, most important first: no sizes, no context."""
    quality = [name for name, metric in METRICS.items() if metric.unit != "features" and name not in _CONTEXT]
    rest = [name for name in quality if name not in _FIRST]
    return [*(name for name in _FIRST if name in METRICS), *rest]
