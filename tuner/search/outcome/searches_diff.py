"""Two searches side by side, as data and in words: their fronts, which is ahead where, and what each has cost."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tuner.front import words
from tuner.front.attainment import Stretch
from tuner.front.difference import Difference
from tuner.front.pareto import Objective
from tuner.front.reasons import TIE
from tuner.front.two_fronts import TwoFronts
from tuner.search.outcome.comparable import Comparable
from tuner.search.outcome.search_cost import SearchCost


@dataclass(frozen=True)
class Reached:
    """When a search had what both have in the end: the smaller of the two hypervolumes.

    Attributes:
        hypervolume: the smaller one, of the values that the searches measured.
        trials: trials that had ended by then.
        search_s: search time, seconds.
    """

    hypervolume: float
    trials: int
    search_s: float


@dataclass(frozen=True)
class SearchesDiff:
    """Two searches side by side; each pair is of the first and the second search.

    Attributes:
        names: of the searches.
        objectives: the axes.
        fronts: both fronts in one box. Values of confirmed members are means over their runs.
        larger: share of resamplings of images and seeds in which the first hypervolume is the larger one.
        draws: number of the resamplings.
        bests: per objective, the best member of each front, and their difference.
        stretches: with two objectives, which front is ahead in which range of the first one.
        gaps: the difference in the second objective where a stretch has its largest gap; None: the other attains none.
        spent: what each has cost.
        reached: when each had the smaller of the two hypervolumes, by the values that the searches measured.
        comparable: whether values are of the same images.
    """

    names: tuple[str, str]
    objectives: tuple[Objective, ...]
    fronts: TwoFronts
    larger: float
    draws: int
    bests: Mapping[str, tuple[int, int, Difference]]
    stretches: tuple[Stretch, ...]
    gaps: tuple[Difference | None, ...]
    spent: tuple[SearchCost, SearchCost]
    reached: tuple[Reached | None, Reached | None]
    comparable: Comparable

    def sentences(self) -> list[str]:
        """The comparison in words."""
        lines = [f"{name}: {cost.text()}" for name, cost in zip(self.names, self.spent, strict=True)]
        lines += [self._volumes(), self._membership(), *self._epsilon()]
        lines += [_best_line(o, self.names, *self.bests[o.name]) for o in self.objectives]
        lines += [self._stretch(s, gap) for s, gap in zip(self.stretches, self.gaps, strict=True)]
        for name, reached in zip(self.names, self.reached, strict=True):
            if reached is not None:
                when = f"after {words.counted(reached.trials, 'trial')}, {words.duration(reached.search_s)}"
                share = f"{100 * reached.hypervolume:.1f} %"
                lines.append(f"{name} had {share} of the box, which both have in the end{self._by_what()}, {when}")
        return [*lines, *(f"caution: {caution}" for caution in self.comparable.cautions)]

    def _by_what(self) -> str:
        """Which values the way there is told by, where the end is told by others."""
        again = any(cost.confirmations for cost in self.spent)
        return " by the values of the searches' own runs" if again else ""

    def _volumes(self) -> str:
        (one, two), (first, second) = self.names, self.fronts.hypervolume
        units = {o.name: o.unit for o in self.objectives}
        worst = words.listing([f"{words.name(n)} {words.value(v, units[n])}" for n, v in self.fronts.box.worst.items()])
        mine, its = (f"{100 * share:.1f} %" for share in self.fronts.only)
        return (
            f"hypervolume from {worst} up to the best values: {one} {100 * first:.1f} %, {two} {100 * second:.1f} %; "
            f"only {one} attains {mine} of this box, only {two} {its}; {one} has the larger one in "
            f"{100 * self.larger:.0f} % of {self.draws} resamplings of images and seeds"
        )

    def _membership(self) -> str:
        told = [f"{self._of_members(i, self.fronts.joint[i])} of {self.names[i]}" for i in range(2)]
        beaten = [f"{self.fronts.covered[i]} of {self.names[i]}" for i in range(2)]
        return f"on the front of both together: {words.listing(told)}; dominated by the other: {words.listing(beaten)}"

    def _of_members(self, i: int, n: int) -> str:
        whole = self.fronts.members[i]
        return f"{n} of the {whole} members" if whole > 1 else ("the only member" if n else "not the only member")

    def _epsilon(self) -> list[str]:
        lines = []
        for i in range(2):
            mine, other, epsilon = self.names[i], self.names[1 - i], self.fronts.epsilon[i]
            if epsilon <= TIE:
                lines.append(f"{mine} is nowhere worse than {other}")
                continue
            spans = [(o, abs(self.fronts.box.best[o.name] - self.fronts.box.worst[o.name])) for o in self.objectives]
            adds = [f"{words.amount(epsilon * span, o.unit)} in {words.name(o.name)}" for o, span in spans]
            whole = "all its members were" if self.fronts.members[i] > 1 else "its member was"
            lines.append(f"{mine} would be nowhere worse than {other} if {whole} better by {words.listing(adds)}")
        return lines

    def _stretch(self, stretch: Stretch, gap: Difference | None) -> str:
        x, y = self.objectives
        ends = f"up to {words.value(stretch.best, x.unit)}"
        if stretch.worst is not None:
            ends = f"from {words.number(stretch.worst, x.unit)} to {words.value(stretch.best, x.unit)}"
        where = f"at {words.name(x.name)} {ends}"
        if stretch.ahead == "neither":
            return f"{where} both are equal"
        name, other = self.names if stretch.ahead == "first" else self.names[::-1]
        if gap is None:
            return f"{where} only {name} has members, such as trial {next(t for t in stretch.between if t is not None)}"
        at = f"trial {stretch.between[0]} of {self.names[0]} against trial {stretch.between[1]} of {self.names[1]}"
        return (
            f"{where} {name} is ahead of {other}, by up to {gap.size()} of {words.name(y.name)} ({at}; {gap.verdict()})"
        )

    def to_dict(self) -> dict[str, Any]:
        """As `qpm-tuner diff --json` prints it."""
        return {
            "kind": "searches",
            "names": list(self.names),
            "objectives": {o.name: o.direction for o in self.objectives},
            "fronts": self.fronts.to_json(),
            "first_is_larger": self.larger,
            "best": {
                name: {"trials": [one, two], "difference": difference.to_json()}
                for name, (one, two, difference) in self.bests.items()
            },
            "stretches": [
                {**stretch.to_json(), "difference": gap and gap.to_json()}
                for stretch, gap in zip(self.stretches, self.gaps, strict=True)
            ],
            "spent": [cost.to_json() for cost in self.spent],
            "reached": [None if reached is None else dict(reached.__dict__) for reached in self.reached],
            **self.comparable.to_json(),
        }

    def __str__(self) -> str:
        return "\n".join(self.sentences())


def _best_line(objective: Objective, names: tuple[str, str], one: int, two: int, difference: Difference) -> str:
    return (
        f"the best in {words.name(objective.name)}: {words.value(difference.value, objective.unit)} of trial {one} of "
        f"{names[0]} against {words.value(difference.other, objective.unit)} of trial {two} of {names[1]}: "
        f"{difference.sentence()}"
    )
