"""Shared parts of the selection rules: their input, measured trials, and their result, a trial with a reason."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tuner.base.spelling import did_you_mean
from tuner.errors import UsageError
from tuner.front import reasons, words
from tuner.front.confirmation import ErrorBars
from tuner.front.difference import Price
from tuner.front.pareto import Objective, Point, measured

FRONT = "the front"
CONFIRMED = "the confirmed front"  # that of the confirmed members
LIMITED = "the front within the limits"
NEAR = "the front within reach"


@dataclass(frozen=True)
class Pick:
    """One member of a front and why it was chosen, in one sentence.

    Args:
        point: the trial.
        reason: the sentence.
        alternatives: the other members where the rule could not tell them apart, such as on a front without a knee.
        bars: what is known of the member beyond the search's own run.
        runner_up: what the rule would have taken without it; None where there is nothing else, or a person named it.
        prices: what choosing it costs and brings against named alternatives.
    """

    point: Point
    reason: str
    alternatives: tuple[int, ...] = ()
    bars: ErrorBars = field(default_factory=ErrorBars)
    runner_up: Point | None = None
    prices: tuple[Price, ...] = ()


Rule = Callable[..., Pick]  # (points, objectives); `whose=` is how the reason refers to the front


def narrowed(whose: str, to: str) -> str:
    """How a reason refers to what limits (`LIMITED`) or distances (`NEAR`) leave, also of the confirmed front."""
    return to.replace(FRONT, CONFIRMED) if whose.startswith(CONFIRMED) else to


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


def axis_of(name: str, objectives: Sequence[Objective]) -> Objective:
    """The objective of that name.

    Raises:
        UsageError: it is not an objective.
    """
    found = next((o for o in objectives if o.name == name), None)
    if found is None:
        known = [o.name for o in objectives]
        raise UsageError(
            f"{name!r} is not an objective of this front",
            f"one of {', '.join(known)}",
            did_you_mean(name, known, "choose one of them, or look at the front of other `objectives`"),
        )
    return found


def second(ordered: Sequence[Point], objectives: Sequence[Objective]) -> Point | None:
    """The best of the ordered points that differs from the first one in some objective."""
    return next((p for p in ordered[1:] if not reasons.same(p, ordered[0], objectives)), None)
