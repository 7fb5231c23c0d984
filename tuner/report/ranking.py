"""Which trials of a report are complete, how they rank, and which of them is picked: the same for every section."""

from functools import cached_property

from tuner.front.pareto import Point, ranks
from tuner.report.views import Report, TrialRow


class Ranking:
    """The ranks of a report's complete trials; the values so far of a stopped one are shown, but not ranked.

    Attributes:
        report: the report.
        points: the complete trials.
        rank: trial -> rank, 1 for members; trials without a value of every objective are absent.
        picked: the trial that a user chose; None where nobody has.
    """

    def __init__(self, report: Report) -> None:
        self.report = report
        self.points: list[Point] = [row.point() for row in report.rows if row.outcome == "complete"]
        known = report.ranks or {
            p.trial: r for p, r in zip(self.points, ranks(self.points, report.objectives), strict=True)
        }
        self.rank = {p.trial: known[p.trial] for p in self.points if known.get(p.trial)}
        self.picked = report.pick.point.trial if report.pick and report.pick.chosen else None

    @cached_property
    def members(self) -> list[TrialRow]:
        """The front, the best in the first objective first."""
        first = self.report.objectives[0]
        rows = [row for row in self.report.rows if self.rank.get(row.trial) == 1]
        return sorted(rows, key=lambda row: (-first.goodness(row.values[first.name]), row.trial))

    def place(self, row: TrialRow) -> tuple[float, float, int]:
        """Where a trial stands in a table: members first, better ones first, unranked ones last."""
        first = self.report.objectives[0]
        value = row.values.get(first.name)
        last = len(self.rank) + 1
        return (self.rank.get(row.trial, last), 0.0 if value is None else -first.goodness(value), row.trial)

    def standing(self, trial: int) -> str:
        """A trial's place in a word: picked, front, its rank, or a dash."""
        if trial == self.picked:
            return "picked"
        rank = self.rank.get(trial)
        return "front" if rank == 1 else str(rank or "–")
