"""Swaps by the value that counts: with distinct rows (QP.md 2.3), where the free value misleads (few features a class).

The free value is never below the value with distinct rows, so only swaps whose free value beats the present selection's
distinct value can help; they are valued exactly, the likeliest first.
"""

from __future__ import annotations

import numpy as np

from tuner.qpm.program.incumbent import Race
from tuner.qpm.program.primal.tabu import Swaps

_TRIES = 60  # swaps valued before giving up


def refine(race: Race, tries: int = _TRIES) -> None:
    """Improve the race's incumbent by single swaps until none of the likeliest `tries` raises its value.

    Args:
        race: keeps what is found; nothing is done where the incumbent's rows are distinct of their own.
        tries: swaps to value exactly in each step, by falling free value.
    """
    problem = race.problem
    swaps = Swaps(problem, race.features)
    while swaps.value > race.objective + 1e-9 * max(1.0, abs(swaps.value)) and not race.late():
        gains = swaps.gains()
        best = None
        for flat in np.argsort(-gains, axis=None, kind="stable")[:tries].tolist():
            position, column = divmod(flat, gains.shape[1])
            gain = float(gains[position, column])
            if swaps.value + gain <= race.objective or race.late():
                break
            swapped = swaps.selection.copy()
            swapped[position] = swaps.allowed[column]
            present = race.objective
            race.offer(swapped, "distinct swaps")
            if race.objective > present:  # kept: a rise within rounding is none, and could go round in circles
                best = position, int(swaps.allowed[column]), gain
        if best is None:
            return
        swaps.swap(*best)
