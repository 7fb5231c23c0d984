"""The reference point of a search's hypervolume: as its ledger keeps it, else by the same rule from its trials."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tuner.front.hypervolume import FIRST_TRIALS, Reference, history, reference_of
from tuner.front.pareto import Objective, Point, measured
from tuner.search.record.state import SearchState


def reference_for(state: SearchState, objectives: Sequence[Objective]) -> Reference:
    """The reference point for these axes.

    What the ledger keeps counts. For other axes, for ledgers of earlier versions, and before it is settled, it follows
    from the first complete trials by number.
    """
    kept = state.reference
    if kept is not None and all(o.name in kept.values for o in objectives):
        return Reference({o.name: kept.values[o.name] for o in objectives}, kept.trials)
    first = measured(by_number(state, objectives), objectives)[:FIRST_TRIALS]
    found = reference_of(first, objectives, {} if kept is None else kept.values)
    return replace(found, moves=0 < found.n_trials < FIRST_TRIALS)


def settled(
    state: SearchState, objectives: Sequence[Objective], given: Mapping[str, float], *, ended: bool
) -> Reference | None:
    """The reference point that a ledger is to keep now; None: it has one, or it is too early.

    It depends on the numbers of trials, not on the order in which they end: it is early until so many complete trials
    have no open one before them, or the search has ended.

    Args:
        state: of the search.
        objectives: of the search.
        given: the recipe's `reference`.
        ended: whether all trials of the budget have ended.
    """
    if state.reference is not None:
        return None
    trials = state.trials
    opened = next(n for n in range(len(trials) + 1) if n not in trials or trials[n].outcome is None)
    points = measured([p for p in by_number(state, objectives) if p.trial < opened], objectives)
    if set(given) >= {o.name for o in objectives} or len(points) >= FIRST_TRIALS or (ended and points):
        return reference_of(points[:FIRST_TRIALS], objectives, given)
    return None


def by_number(state: SearchState, objectives: Sequence[Objective]) -> list[Point]:
    """The complete trials by number: what follows from them does not depend on the order in which they ended."""
    return sorted(state.points(objectives), key=lambda point: point.trial)


def volumes_by_number(state: SearchState, objectives: Sequence[Objective]) -> list[float]:
    """The hypervolume after each complete trial, by number."""
    return history(by_number(state, objectives), objectives, reference_for(state, objectives))
