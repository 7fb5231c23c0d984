"""Which node comes next, watched in real trees."""

from typing import Any, ClassVar

import pytest

from tests.qpm.program.test_solver import made
from tuner.qpm.program import bands, solve, tree
from tuner.qpm.program.bands import Bands


class Watched(Bands):
    """Notes for every node it picks whether it is the first by place and the first by bound of all that are open."""

    picks: ClassVar[list[tuple[int, bool, bool]]] = []

    def nodeselect(self) -> dict[str, Any]:
        picked = super().nodeselect()["selnode"]
        if picked is not None:
            nodes = [node for family in self.model.getOpenNodes() for node in family]
            first = self._place(picked) == min(map(self._place, nodes))
            best = picked.getLowerbound() == min(node.getLowerbound() for node in nodes)
            self.picks.append((self._place(picked)[0], first, best))
        return {"selnode": picked}


def watch(monkeypatch: pytest.MonkeyPatch, best_every: int) -> list[tuple[int, bool, bool]]:
    """(band, first by place, first by bound) of each node of a real tree."""
    monkeypatch.setattr(bands, "_BEST_EVERY", best_every)
    monkeypatch.setattr(tree, "Bands", Watched)
    monkeypatch.setattr(Watched, "picks", [])
    assert solve(made(60, 20, 0.2), gap=0.005).status == "gap"
    assert len(Watched.picks) > 20
    return Watched.picks


def test_the_newest_node_of_the_worst_band_is_next(monkeypatch: pytest.MonkeyPatch) -> None:
    picks = watch(monkeypatch, best_every=10**9)
    assert all(first for _, first, _ in picks)
    assert not all(best for _, _, best in picks)
    assert len({band for band, _, _ in picks}) > 3


def test_a_share_of_the_nodes_is_the_best_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    assert all(best for _, _, best in watch(monkeypatch, best_every=1))
    picks = watch(monkeypatch, best_every=4)
    assert all(first or best for _, first, best in picks)
    assert any(best and not first for _, first, best in picks)
    assert any(first and not best for _, first, best in picks)
