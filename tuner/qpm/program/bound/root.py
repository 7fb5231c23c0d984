"""The root bound: cutting planes until the relaxation stops paying (docs/explanation/program.md#root).

Class-value cuts and pair cuts first; clique cuts once the class values have nearly converged. The point of every round
is rounded and improved by swaps. Ends at the target gap, without cuts, or when a clique round closes too little of it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tuner.qpm.program.bound.relaxation import RootLP
from tuner.qpm.program.cuts import class_values
from tuner.qpm.program.cuts.cliques import violated_cliques
from tuner.qpm.program.instance.arrays import Floats, Ints
from tuner.qpm.program.state import TINY, SolveState


class Root:
    """The cutting-plane loop and what it leaves for branch and cut.

    Attributes:
        lp: the relaxation; bound: certified; fixed_out, fixed_in: (n_candidates,) candidates reduced cost decides.
    """

    def __init__(self, state: SolveState) -> None:
        self.state, self.problem, self.options = state, state.problem, state.options
        self.lp = RootLP(state.problem)
        self.bound = np.inf
        n = state.problem.n_candidates
        self.fixed_out, self.fixed_in = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
        self.price: Floats = np.zeros(n)
        self.rounds = 0
        self._adjacent = state.problem.penalty > 0
        self._paired = np.zeros(len(state.problem.pairs[0]), dtype=bool)

    def _first_cuts(self) -> None:
        """Queue the class-value cuts of the warm start, or those tight between the incumbent and the uniform point.

        They halve the work to come.
        """
        problem = self.problem
        for c, rank in zip(*(side.tolist() for side in self.state.warm_cuts), strict=True):
            self._add_class_value(c, min(rank, problem.n_candidates - 1))
        if len(self.state.warm_cuts[0]):
            return
        incumbent = np.zeros(problem.n_candidates)
        incumbent[self.state.features] = 1.0
        for mix in self.options.start_mixes:
            cuts = class_values.tightest(
                problem, (1 - mix) * incumbent + mix * problem.n_features / problem.n_candidates
            )
            for c in range(problem.n_classes):
                self._add_class_value(c, int(cuts.rank[c]))

    def run(self, polish: Callable[[Floats], None]) -> None:
        """Cut until nothing pays or the solve is finished.

        Args:
            polish: called with (n_candidates,) s of each round, offers what it makes of it.
        """
        last = np.inf
        self._first_cuts()
        while not self.state.finished():
            if not self._solve():
                break
            self.rounds += 1
            self._note()
            n_value, violation = self._class_value_cuts()
            n_pair = self._pair_cuts()
            polish(self.lp.s)
            gap = max(self.bound - self.state.objective, TINY * self.problem.size)
            n_clique = 0
            if violation < self.options.cliques_below * gap:
                n_clique = self._clique_cuts()
                if n_clique and last - self.bound < self.options.round_gain * gap:
                    break
                last = self.bound
            if n_value + n_pair + n_clique == 0:
                break
            for kind, number in (("eta", n_value), ("pair", n_pair), ("clique", n_clique)):
                self.state.log.cuts[kind] = self.state.log.cuts.get(kind, 0) + number
            self.lp.purge(self.options.purge_after)
        self.state.binding_cuts = self._binding()
        self.fix()

    def _solve(self) -> bool:
        """Solve the relaxation; what it takes counts as work done."""
        counted = self.lp.iterations

        def stop() -> bool:
            nonlocal counted
            self.state.log.lp_iterations += self.lp.iterations - counted
            counted = self.lp.iterations
            return self.state.out_of_effort() or self.state.out_of_time()

        solved = self.lp.solve(stop)
        self.state.log.lp_iterations += self.lp.iterations - counted
        return solved

    def _note(self) -> None:
        """Certify this round's bound; keep the best and its reduced costs."""
        bound, price = self.lp.certificate()
        if bound < self.bound:
            self.bound, self.price = bound, price
            self.state.prove(bound, "root")

    def fix(self) -> None:
        """Reduced-cost fixing: candidates that cannot be in (or out of) any selection above the cutoff."""
        if not np.isfinite(self.bound):
            return
        room = self.bound - self.state.cutoff + 1e-9
        self.fixed_out = self.price < -room
        self.fixed_in = self.price > room
        self.state.log.fixed = int(self.fixed_out.sum() + self.fixed_in.sum())

    def _class_value_cuts(self) -> tuple[int, float]:
        cuts = class_values.tightest(self.problem, self.lp.s)
        excess = self.lp.class_values - cuts.value
        violated = np.flatnonzero(excess > self.options.class_value_tolerance)
        for c in violated:
            self._add_class_value(int(c), int(cuts.rank[c]))
        return len(violated), self.problem.scale * float(np.maximum(excess, 0.0).sum())

    def _add_class_value(self, c: int, rank: int) -> None:
        features, gain, side = class_values.row(self.problem, c, rank)
        cols = np.append(features, self.problem.n_candidates + c)
        self.lp.add("eta", cols, np.append(-gain, 1.0), side, rank)

    def _binding(self) -> tuple[Ints, Ints]:
        """(class, rank of theta) of the class-value rows with a price: a warm start for other sizes."""
        rows = zip(self.lp.rows, self.lp.duals, strict=False)
        held = [(row.cols[-1], row.rank) for row, dual in rows if row.kind == "eta" and dual > 1e-9]
        classes, rank = np.array(held, dtype=np.int64).reshape(-1, 2).T
        return classes - self.problem.n_candidates, rank

    def _clique_cuts(self) -> int:
        lp = self.lp
        values = lp.x[self.problem.n_candidates + self.problem.n_classes :]
        known = np.array(lp.pair_of[: len(values)], dtype=np.int64).reshape(-1, 2).T
        options = self.options
        most, least, max_t = options.root_cliques, options.clique_violation, options.largest_clique_rank
        cuts = violated_cliques(self._adjacent, lp.s, (known[0], known[1]), values, most, least, max_t)
        for cut in cuts:
            cols = np.array(cut.members + [lp.y(a, b) for a, b in cut.pairs], dtype=np.int64)
            coefs = np.concatenate([np.full(len(cut.members), float(cut.t)), np.full(len(cut.pairs), -1.0)])
            lp.add("clique", cols, coefs, cut.side)
        return len(cuts)

    def _pair_cuts(self) -> int:
        i, j, _ = self.problem.pairs
        fresh = np.flatnonzero((self.lp.s[i] + self.lp.s[j] - 1 > self.options.pair_tolerance) & ~self._paired)
        self._paired[fresh] = True
        for q in fresh.tolist():
            cols = np.array([i[q], j[q], self.lp.y(int(i[q]), int(j[q]))])
            self.lp.add("pair", cols, np.array([1.0, 1.0, -1.0]), 1.0)
        return len(fresh)
