"""Which open node comes next: the newest of the worst band of bounds.

Best first proves the most with a given number of nodes, but jumps through the tree, so that every linear program starts
far from the last one. Depth first finishes a level in about half the time, but shows no bound until it does. Bands give
both: nodes whose gaps (bound - incumbent) lie in one band, a share rho^(b+1) to rho^b of the root's, count as equally
urgent, and of these the newest is next, mostly a child or sibling of the last. In narrow bands the bound moves more
evenly, in wide ones the level is done sooner.
"""

from __future__ import annotations

import math
from typing import Any

from pyscipopt import Nodesel

from tuner.qpm.program.incumbent import Race

_RHO = 0.9


class Bands(Nodesel):
    """Node selection by bands.

    Args:
        race: its incumbent and bound at the start of the tree set the bands.
    """

    def __init__(self, race: Race) -> None:
        self.objective, self.root_gap = race.objective, race.bound - race.objective

    def nodeselect(self) -> dict[str, Any]:
        """The next node: the first by `nodecomp`."""
        return {"selnode": self.model.getBestNode()}

    def nodecomp(self, first: Any, second: Any) -> int:
        """Negative when `first` comes before `second`."""
        mine, other = self._place(first), self._place(second)
        return (mine > other) - (mine < other)

    def _place(self, node: Any) -> tuple[int, int]:
        """Band, worst first; then the newest first. SCIP minimises, so its lower bound is ours negated."""
        gap = -float(node.getLowerbound()) - self.objective
        share = min(max(gap / self.root_gap, 1e-9), 1.0)
        return int(math.log(share) / math.log(_RHO)), -int(node.getNumber())
