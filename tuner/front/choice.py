"""Shared parts of the selection rules: their input, measured trials, and their result, a trial with a reason."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tuner.errors import UsageError
from tuner.front import words
from tuner.front.confirmation import ErrorBars
from tuner.front.pareto import Objective, Point, measured

FRONT = "the front"
LIMITED = "the front within the limits"


@dataclass(frozen=True)
class Pick:
    """One member of a front and why it was chosen, in one sentence.

    Args:
        point: the trial.
        reason: the sentence.
        alternatives: the other members where the rule could not tell them apart, such as on a front without a knee.
        bars: what is known of the member beyond the search's own run.
    """

    point: Point
    reason: str
    alternatives: tuple[int, ...] = ()
    bars: ErrorBars = field(default_factory=ErrorBars)


Rule = Callable[..., Pick]  # (points, objectives); `whose=` is how the reason refers to the front


def require_measured(points: Sequence[Point], objectives: Sequence[Objective]) -> list[Point]:
    """The points that can be chosen: those with a value of every objective.

    Raises:
        UsageError: there is none.
    """
    known = measured(points, objectives)
    if not known:
        raise UsageError(
            f"none of {len(points)} trials has a value of {words.listing([o.name for o in objectives])}",
            "at least one trial with all of them",
            "let the search run until such a trial completes, or choose other objectives",
        )
    return known


def merit(point: Point, summed: Sequence[Objective], then: Sequence[Objective]) -> tuple[float, ...]:
    """Sort key for `max`: sum of objectives scaled by natural range, then the other keys, then the earlier trial."""
    total = sum(o.goodness(point.values[o.name]) for o in summed)
    return (round(total, 9), *(o.goodness(point.values[o.name]) for o in then), -point.trial)
