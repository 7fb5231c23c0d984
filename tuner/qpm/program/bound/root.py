"""The root bound: cutting planes until the relaxation stops paying (QP.md 3.2).

Eta cuts and pair cuts first; clique cuts once eta has nearly converged; every round's point is rounded and improved
by swaps. Ends at the asked gap, without cuts, or when a clique round gains too little of the gap.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tuner.qpm.program.bound.relaxation import RootLP
from tuner.qpm.program.cuts import class_values
from tuner.qpm.program.cuts.cliques import violated_cliques
from tuner.qpm.program.incumbent import TINY, Race
from tuner.qpm.program.instance.problem import Floats, Ints

_ETA_TOLERANCE = 1e-6
_PAIR_TOLERANCE = 1e-5
_PURGE_AFTER = 3
_CLIQUES = 1000  # clique cuts a round
_ETA_CONVERGED = 0.3  # clique cuts are worth their rows once eta's violation is below this share of the gap
_SEED_MIXES = (0.2, 0.4, 0.6)  # shares of the uniform point mixed into the incumbent to seed eta cuts


class Root:
    """The cutting-plane loop and what it leaves for branch and cut.

    Attributes:
        lp: the relaxation; bound: certified; fixed_out, fixed_in: (n_candidates,) candidates reduced cost decides.
    """

    def __init__(self, race: Race) -> None:
        self.race, self.problem = race, race.problem
        self.lp = RootLP(race.problem)
        self.bound = np.inf
        n = race.problem.n_candidates
        self.fixed_out, self.fixed_in = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
        self.price: Floats = np.zeros(n)
        self.rounds = 0
        self._adjacent = race.problem.penalty > 0
        self._paired = np.zeros(len(race.problem.pairs[0]), dtype=bool)

    def _seed(self) -> None:
        """Queue the eta cuts tight at points between the incumbent and the uniform one: halves the work to come."""
        problem = self.problem
        for c, reach in zip(*(side.tolist() for side in self.race.warm_reach), strict=True):
            self._add_eta(c, min(reach, problem.n_candidates - 1))
        if len(self.race.warm_reach[0]):
            return
        incumbent = np.zeros(problem.n_candidates)
        incumbent[self.race.features] = 1.0
        for mix in _SEED_MIXES:
            cuts = class_values.tightest(
                problem, (1 - mix) * incumbent + mix * problem.n_features / problem.n_candidates
            )
            for c in range(problem.n_classes):
                self._add_eta(c, int(cuts.reach[c]))

    def run(self, polish: Callable[[Floats], None], round_gain: float = 2e-4) -> None:
        """Cut until nothing pays or the race is over.

        Args:
            polish: called with (n_candidates,) s of each round, offers what it makes of it.
            round_gain: a clique round must gain this share of the gap.
        """
        last = np.inf
        self._seed()
        while not self.race.over():
            if not self._solve():
                break
            self.rounds += 1
            self._note()
            n_eta, violation = self._eta_cuts()
            n_pair = self._pair_cuts()
            polish(self.lp.s)
            gap = max(self.bound - self.race.objective, TINY * self.problem.size)
            n_clique = 0
            if violation < _ETA_CONVERGED * gap:
                n_clique = self._clique_cuts()
                if n_clique and last - self.bound < round_gain * gap:
                    break
                last = self.bound
            if n_eta + n_pair + n_clique == 0:
                break
            for kind, number in (("eta", n_eta), ("pair", n_pair), ("clique", n_clique)):
                self.race.log.cuts[kind] = self.race.log.cuts.get(kind, 0) + number
            self.lp.purge(_PURGE_AFTER)
        self.race.reach = self._binding()
        self.fix()

    def _solve(self) -> bool:
        """Solve the relaxation; what it takes counts as work done."""
        counted = self.lp.iterations

        def stop() -> bool:
            nonlocal counted
            self.race.log.lp_iterations += self.lp.iterations - counted
            counted = self.lp.iterations
            return self.race.spent() or self.race.late()

        solved = self.lp.solve(stop)
        self.race.log.lp_iterations += self.lp.iterations - counted
        return solved

    def _note(self) -> None:
        """Certify this round's bound; keep the best and its reduced costs."""
        bound, price = self.lp.certificate()
        if bound < self.bound:
            self.bound, self.price = bound, price
            self.race.prove(bound, "root")

    def fix(self) -> None:
        """Reduced-cost fixing: candidates that cannot be in (or out of) any selection above the cutoff."""
        if not np.isfinite(self.bound):
            return
        room = self.bound - self.race.cutoff + 1e-9
        self.fixed_out = self.price < -room
        self.fixed_in = self.price > room
        self.race.log.fixed = int(self.fixed_out.sum() + self.fixed_in.sum())

    def _eta_cuts(self) -> tuple[int, float]:
        cuts = class_values.tightest(self.problem, self.lp.s)
        excess = self.lp.eta - cuts.value
        violated = np.flatnonzero(excess > _ETA_TOLERANCE)
        for c in violated:
            self._add_eta(int(c), int(cuts.reach[c]))
        return len(violated), self.problem.scale * float(np.maximum(excess, 0.0).sum())

    def _add_eta(self, c: int, reach: int) -> None:
        features, gain, side = class_values.row(self.problem, c, reach)
        cols = np.append(features, self.problem.n_candidates + c)
        self.lp.add("eta", cols, np.append(-gain, 1.0), side, reach)

    def _binding(self) -> tuple[Ints, Ints]:
        """(class, rank of theta) of the eta rows with a price: what a neighbouring setting starts from."""
        rows = zip(self.lp.rows, self.lp.duals, strict=False)
        held = [(row.cols[-1], row.reach) for row, dual in rows if row.kind == "eta" and dual > 1e-9]
        classes, reach = np.array(held, dtype=np.int64).reshape(-1, 2).T
        return classes - self.problem.n_candidates, reach

    def _clique_cuts(self) -> int:
        lp = self.lp
        values = lp.x[self.problem.n_candidates + self.problem.n_classes :]
        known = np.array(lp.pair_of[: len(values)], dtype=np.int64).reshape(-1, 2).T
        cuts = violated_cliques(self._adjacent, lp.s, (known[0], known[1]), values, _CLIQUES)
        for cut in cuts:
            cols = np.array(cut.members + [lp.y(a, b) for a, b in cut.pairs], dtype=np.int64)
            coefs = np.concatenate([np.full(len(cut.members), float(cut.t)), np.full(len(cut.pairs), -1.0)])
            lp.add("clique", cols, coefs, cut.side)
        return len(cuts)

    def _pair_cuts(self) -> int:
        i, j, _ = self.problem.pairs
        fresh = np.flatnonzero((self.lp.s[i] + self.lp.s[j] - 1 > _PAIR_TOLERANCE) & ~self._paired)
        self._paired[fresh] = True
        for q in fresh.tolist():
            cols = np.array([i[q], j[q], self.lp.y(int(i[q]), int(j[q]))])
            self.lp.add("pair", cols, np.array([1.0, 1.0, -1.0]), 1.0)
        return len(fresh)
