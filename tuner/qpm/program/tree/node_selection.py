"""Node selection: best-bound search by buckets, depth first within a bucket.

Best-bound search proves the most with a given number of nodes, but jumps through the tree, so that every linear program
starts far from the last one. Depth-first search finishes a level in about half the time, but shows no bound until it
does. Buckets give both: nodes whose gaps (bound - incumbent) are between rho^(b+1) and rho^b of the root's gap count
as equally urgent, and of these the newest is next, mostly a child or sibling of the last. In narrow buckets the bound
moves more evenly, in wide ones the level is done sooner.
"""

from __future__ import annotations

import math
from typing import Any

from pyscipopt import Nodesel

from tuner.qpm.program.state import SolveState


class BucketSelection(Nodesel):
    """Node selection by buckets of bounds.

    Args:
        state: its incumbent and bound at the start of the tree, and `bucket_ratio` (rho), set the buckets.
    """

    def __init__(self, state: SolveState) -> None:
        self.objective, self.root_gap = state.objective, state.bound - state.objective
        self.log_ratio = math.log(state.options.bucket_ratio)

    def nodeselect(self) -> dict[str, Any]:
        """The next node: the first by `nodecomp`."""
        return {"selnode": self.model.getBestNode()}

    def nodecomp(self, first: Any, second: Any) -> int:
        """Negative when `first` comes before `second`."""
        mine, other = self._place(first), self._place(second)
        return (mine > other) - (mine < other)

    def _place(self, node: Any) -> tuple[int, int]:
        """Bucket, largest gap first; then the newest node. SCIP minimises, so its lower bound is ours negated."""
        gap = -float(node.getLowerbound()) - self.objective
        share = min(max(gap / self.root_gap, 1e-9), 1.0)
        return int(math.log(share) / self.log_ratio), -int(node.getNumber())
