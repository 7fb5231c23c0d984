"""A trial that a person names: also one that is not on the front, and then the reason says what beats it."""

from collections.abc import Sequence

from tuner.errors import UsageError
from tuner.front import reasons, words
from tuner.front.choice import FRONT, LIMITED, Pick, require_measured
from tuner.front.pareto import Objective, Point, beats, front

MOST_NAMED = 12  # trials in an error


def pick_trial(points: Sequence[Point], objectives: Sequence[Objective], number: int, *, whose: str = FRONT) -> Pick:
    """The trial of that number.

    Args:
        points: all trials that may be chosen; those without a value of every objective are left out.
        objectives: the axes of the trade-off.
        number: of the trial.
        whose: how the reason refers to the front.

    Raises:
        UsageError: it is not among the points.
    """
    known = require_measured(points, objectives)
    members = front(known, objectives)
    chosen = next((p for p in known if p.trial == number), None)
    if chosen is None:
        numbers = sorted(p.trial for p in known)
        more = f" and {len(numbers) - MOST_NAMED} more" if len(numbers) > MOST_NAMED else ""
        named = f"one of {', '.join(map(str, numbers[:MOST_NAMED]))}{more}"
        if whose == FRONT:
            lacks = f"trial {number} has no model with {words.listing([words.name(o.name) for o in objectives])}"
            raise UsageError(lacks, named, "choose a complete trial")
        where = "within the limits" if whose == LIMITED else "among the members within the distances"
        raise UsageError(f"trial {number} is not {where}", named, "choose one of them, or loosen what excludes it")
    standing = words.clauses([reasons.standing(chosen, members, o, whose) for o in objectives])
    better = next((p for p in members if beats(p, chosen, objectives)), None)
    aside = ""
    if better is not None:
        aside = f"; {reasons.described(better, objectives)} is nowhere worse and somewhere better"
    return Pick(chosen, f"Trial {number} was chosen by its number: it {standing}{aside}.")
