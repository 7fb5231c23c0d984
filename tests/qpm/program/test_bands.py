"""Which node comes next, watched in real trees."""

from typing import Any, ClassVar

import pytest

from tests.qpm.program.test_solver import made
from tuner.qpm.program import bands, solve, tree
from tuner.qpm.program.bands import Bands


class Watched(Bands):
    """Notes the place and bound of every node it picks, and of the best that was open then."""

    picks: ClassVar[list[tuple[tuple[int, int], tuple[int, int]]]] = []
    bounds: ClassVar[list[tuple[float, float]]] = []

    def nodeselect(self) -> dict[str, Any]:
        picked = super().nodeselect()["selnode"]
        if picked is not None:
            open_nodes = [node for family in self.model.getOpenNodes() for node in family]
            self.picks.append((self._place(picked), min(self._place(node) for node in open_nodes)))
            self.bounds.append((picked.getLowerbound(), min(node.getLowerbound() for node in open_nodes)))
        return {"selnode": picked}


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> type[Watched]:
    monkeypatch.setattr(tree, "Bands", Watched)
    monkeypatch.setattr(Watched, "picks", [])
    monkeypatch.setattr(Watched, "bounds", [])
    return Watched


def test_the_newest_node_of_the_worst_band_is_next(watched: type[Watched]) -> None:
    assert solve(made(60, 20, 0.2), gap=0.005).status == "gap"
    assert len(watched.picks) > 20
    assert all(picked == first for picked, first in watched.picks)
    assert any(picked > best for picked, best in watched.bounds)  # so not simply best first
    assert len({band for (band, _), _ in watched.picks}) > 3


def test_late_nodes_come_best_first(watched: type[Watched], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bands, "_BEST_FIRST", 0.0)
    assert solve(made(60, 20, 0.2), gap=0.005).status == "gap"
    assert len(watched.bounds) > 20
    assert all(picked == best for picked, best in watched.bounds)
