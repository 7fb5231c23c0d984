"""Swaps by value with distinct rows
(docs/explanation/program.md#distinct-rows), where the free value misleads: few features per class.

The free value is never below the value with distinct rows. So only swaps whose free value is above the incumbent's
value can help; they are valued exactly, the most promising first.
"""

from __future__ import annotations

import numpy as np

from tuner.qpm.program.primal.tabu import Swaps
from tuner.qpm.program.state import SolveState


def refine(state: SolveState, tries: int | None = None) -> None:
    """Improve the incumbent by single swaps until none of the most promising raises its value.

    Args:
        state: keeps what is found; nothing is done where the incumbent's rows are distinct anyway.
        tries: swaps to value exactly in each step, by falling free value; None: as the options say.
    """
    problem = state.problem
    tries = state.options.exact_swaps if tries is None else tries
    swaps = Swaps(problem, state.features)
    while swaps.value > state.objective + 1e-9 * max(1.0, abs(swaps.value)) and not state.out_of_time():
        gains = swaps.gains()
        best = None
        for flat in np.argsort(-gains, axis=None, kind="stable")[:tries].tolist():
            position, candidate = divmod(flat, gains.shape[1])
            gain = float(gains[position, candidate])
            if swaps.value + gain <= state.objective or state.out_of_time():
                break
            swapped = swaps.selection.copy()
            swapped[position] = candidate
            present = state.objective
            state.offer(swapped, "distinct swaps")
            if state.objective > present:  # kept; a rise within rounding is none, and could repeat for ever
                best = position, candidate, gain
        if best is None:
            return
        swaps.swap(*best)
