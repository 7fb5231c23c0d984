"""Which node comes next, watched in real trees."""

from typing import Any, ClassVar

import pytest

from tests.qpm.program.test_solver import made
from tuner.qpm.program import SolverOptions, solve
from tuner.qpm.program.tree import branch_and_cut
from tuner.qpm.program.tree.node_selection import BucketSelection


class Watched(BucketSelection):
    """Notes of every node it picks its bucket, and whether it is the first by place and by bound of all open ones."""

    picks: ClassVar[list[tuple[int, bool, bool]]] = []

    def nodeselect(self) -> dict[str, Any]:
        picked = super().nodeselect()["selnode"]
        if picked is not None:
            nodes = [node for family in self.model.getOpenNodes() for node in family]
            first = self._place(picked) == min(map(self._place, nodes))
            best = picked.getLowerbound() == min(node.getLowerbound() for node in nodes)
            self.picks.append((self._place(picked)[0], first, best))
        return {"selnode": picked}


@pytest.mark.slow
@pytest.mark.parametrize("rho", [0.9, 0.99])
def test_the_newest_node_of_the_largest_gap_is_next(monkeypatch: pytest.MonkeyPatch, rho: float) -> None:
    monkeypatch.setattr(branch_and_cut, "BucketSelection", Watched)
    monkeypatch.setattr(Watched, "picks", [])
    assert solve(made(60, 20, 0.2), gap=0.005, options=SolverOptions(bucket_ratio=rho)).status == "gap"
    picks = Watched.picks
    assert len(picks) > 20
    assert all(first for _, first, _ in picks)
    assert not all(best for _, _, best in picks)
    assert len({bucket for bucket, _, _ in picks}) > 3
