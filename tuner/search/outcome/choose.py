"""Choosing on a front with error bars: confirmed members come first, and the reason says what is beyond noise."""

from collections.abc import Sequence
from dataclasses import replace

from tuner.errors import UsageError
from tuner.front.choice import CONFIRMED
from tuner.front.confirmation import FEWEST_RUNS, ErrorBars
from tuner.front.pareto import Point, measured
from tuner.front.pick import Pick, Rules, pick
from tuner.search.record.front_view import FrontView
from tuner.search.record.state import SearchState


def choose(view: FrontView, state: SearchState, rules: Rules | None = None) -> Pick:
    """Choose by rules; None: the knee.

    Where members are confirmed, the choice is among them, by the means of their runs: values of others are those of
    runs that were selected for them. If none of the confirmed is within limits and distances, it is among all trials,
    and so it is where a trial is named by its number.

    Raises:
        UsageError: no trial qualifies, or an argument is invalid.
    """
    rules = rules or Rules()
    points = view.points(state)
    known = set() if rules.trial is not None else set(view.confirmed())
    chosen, among = None, ""
    if known:
        try:
            confirmed = [point for point in points if point.trial in known]
            chosen = pick(confirmed, view.objectives, rules, whose=CONFIRMED)
            if len(known) < len(view.members):
                among = f", chosen among the {len(known)} confirmed of {len(view.members)} members"
        except UsageError:
            if not rules.narrows:
                raise
    if rules.trial is not None:
        chosen = _by_number(view, points, rules)
    chosen = chosen or pick(points, view.objectives, rules)
    bars = view.bars.get(chosen.point.trial, ErrorBars())
    return replace(chosen, reason=f"{chosen.reason} {standing(bars)}{among}.", bars=bars)


def _by_number(view: FrontView, points: Sequence[Point], rules: Rules) -> Pick:
    """A trial that is named, set beside the members with the values that are shown of them.

    Beside all trials it would be compared with their single runs, of which the best one was lucky.
    """
    members = {m.trial for m in view.members}
    if not rules.narrows and any(point.trial == rules.trial for point in measured(points, view.objectives)):
        points = [point for point in points if point.trial in members or point.trial == rules.trial]
    chosen = pick(points, view.objectives, rules)
    aside = "" if rules.trial in members else " It is not on the front."
    return replace(chosen, reason=f"{chosen.reason}{aside}")


def standing(bars: ErrorBars) -> str:
    """What is known of a model's place on the front: "Beyond noise: yes, non-dominated with ... over 4 runs"."""
    if not bars.runs:
        return "Beyond noise: not known, it was run once"
    runs = f"{bars.runs} {'run' if bars.runs == 1 else 'runs'}"
    if bars.probability is None:
        return f"Beyond noise: not known, over {runs}, and at least {FEWEST_RUNS} are needed"
    verdict = "yes" if bars.beyond_noise else "no"
    return f"Beyond noise: {verdict}, non-dominated with a probability of {bars.probability:.2f} over {runs}"


def recorded_pick(view: FrontView, state: SearchState) -> Pick:
    """The pick in the ledger; what the default rule takes if there is none."""
    recorded = state.pick
    for point in view.points(state):
        if recorded is not None and point.trial == recorded.trial:
            return Pick(point, recorded.reason, bars=view.bars.get(point.trial, ErrorBars()))
    return choose(view, state)
