"""The two to five members that a person would look at first: the best in each objective, the knee, a compact one."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from tuner.front import reasons, words
from tuner.front.choice import merit
from tuner.front.knee import pick_knee
from tuner.front.pareto import Objective, Point

SIZES = ("features_per_class", "n_features")  # what makes a model small, the one a person notices first
MOST = 5


@dataclass(frozen=True)
class Candidate:
    """A member worth a look.

    Attributes:
        point: the trial.
        roles: what it is: "the knee", "the best in accuracy"; at least one.
    """

    point: Point
    roles: tuple[str, ...]

    @property
    def role(self) -> str:
        """All roles as text."""
        return words.listing(list(self.roles))


def candidates(
    members: Sequence[Point], objectives: Sequence[Objective], confirmed: Collection[int] = ()
) -> list[Candidate]:
    """The candidates of a front; the knee first, or else the member with the largest sum of objectives.

    Where members are confirmed, rules choose among these. So they come first, and others are named as not confirmed.

    The compact one is the smallest model (fewest features per class, then fewest features) of the better half of the
    front in the first objective: of those that lose at most half of what the front spans there. It is left out where
    that is a candidate already.

    Args:
        members: of one front, with a value of each objective; at least one.
        objectives: its axes.
        confirmed: the trials whose values are means over confirmation runs.
    """
    known = [p for p in members if p.trial in confirmed]
    if not known or len(known) == len(members):
        return _of(members, objectives)
    found = _of(known, objectives)
    more = [c for c in _of(members, objectives) if c.point.trial not in confirmed]
    return [*found, *(Candidate(c.point, (*c.roles[:-1], f"{c.roles[-1]} (not confirmed)")) for c in more)][:MOST]


def _of(members: Sequence[Point], objectives: Sequence[Objective]) -> list[Candidate]:
    chosen = pick_knee(members, objectives)
    knee = "the knee" if "is the knee of" in chosen.reason else "the largest sum of objectives"
    roles: dict[int, list[str]] = {}
    if len(objectives) > 1 or len(members) == 1:
        roles[chosen.point.trial] = [knee]
    for objective in objectives:
        if roles and len(members) > 1 and all(reasons.same(p, members[0], [objective]) for p in members):
            continue  # all are equally good
        best = max(members, key=lambda p: merit(p, [objective], objectives))
        roles.setdefault(best.trial, []).append(f"the best in {words.name(objective.name)}")
    small = _compact(members, objectives)
    if small is not None and small.trial not in roles:
        roles[small.trial] = ["compact"]
    points = {p.trial: p for p in members}
    return [Candidate(points[trial], tuple(named)) for trial, named in roles.items()][:MOST]


def _compact(members: Sequence[Point], objectives: Sequence[Objective]) -> Point | None:
    """The smallest model of the better half in the first objective; None where sizes are unknown."""
    if not all(isinstance(p.params.get(SIZES[0]), int | float) for p in members):
        return None
    first = objectives[0]
    goodness = [first.goodness(p.values[first.name]) for p in members]
    least = (max(goodness) + min(goodness)) / 2
    good = [p for p, g in zip(members, goodness, strict=True) if g >= least]
    return min(
        good, key=lambda p: ([p.params.get(size, 0) for size in SIZES], [-m for m in merit(p, [first], objectives)])
    )
