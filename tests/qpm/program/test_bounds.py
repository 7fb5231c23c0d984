"""Every inequality of the relaxation holds at every selection, and the certificate needs no trust in the solver."""

from itertools import combinations

import numpy as np
import pytest

from tests.qpm.program.brute import brute_force, random_problem
from tuner.qpm.program import Problem
from tuner.qpm.program.bound.root import Root
from tuner.qpm.program.cuts.class_values import closed_form_bound
from tuner.qpm.program.cuts.cliques import violated_cliques
from tuner.qpm.program.state import SolveState


@pytest.mark.slow
def test_clique_cuts_hold_at_every_selection() -> None:
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(20):
        n = 9
        adjacent = np.triu(rng.random((n, n)) < 0.7, 1)
        i, j = np.nonzero(adjacent)
        s = rng.random(n)
        y = np.maximum(s[i] + s[j] - 1, 0)
        for cut in violated_cliques(adjacent | adjacent.T, s, (i, j), y, 50):
            value = dict(zip(zip(i.tolist(), j.tolist(), strict=True), y, strict=True))
            assert cut.t * s[cut.members].sum() - sum(value[pair] for pair in cut.pairs) > cut.side
            assert all(adjacent[pair] for pair in cut.pairs)
            for size in range(n + 1):
                for chosen in combinations(range(n), size):
                    inside = set(chosen) & set(cut.members)
                    both = sum(a in inside and b in inside for a, b in cut.pairs)
                    assert cut.t * len(inside) - both <= cut.side
            seen.add(cut.t)
    assert {1, 2} <= seen


@pytest.mark.parametrize("kind", ["plain", "all pairs", "duplicates", "negative"])
def test_root_and_closed_form_bounds_are_above_the_optimum_whatever_the_duals(kind: str) -> None:
    rng = np.random.default_rng(1)
    for seed in range(4):
        problem = random_problem(kind, seed)
        best = brute_force(problem)
        slack = 1e-6 * max(1.0, abs(best))
        state = SolveState(problem, 60.0)
        state.offer(np.arange(problem.n_features), "first")
        assert state.units.outer(closed_form_bound(state.problem, state.features)[0]) >= best - slack
        root = Root(state)
        root.run(lambda s: None)
        assert state.units.outer(root.bound) >= best - slack
        assert root.lp.certificate()[0] == pytest.approx(root.lp.value, abs=1e-4 * max(1.0, abs(best)))
        for _ in range(5):
            root.lp.duals = root.lp.duals + rng.normal(size=len(root.lp.duals)) * problem.scale
            assert state.units.outer(root.lp.certificate()[0]) >= best - slack


def test_fixing_never_loses_a_selection_above_the_cutoff() -> None:
    fixed = above = 0
    for seed in range(25):
        problem = random_problem("no pairs", seed)
        every = [np.array(c) for c in combinations(range(problem.n_candidates), problem.n_features)]
        every_value = SolveState(problem, 60.0)
        values = [every_value.offer(selection, "all") for selection in every]
        state = SolveState(problem, 60.0)
        state.offer(every[int(np.argsort(values)[-2:][0])], "second best")
        root = Root(state)
        root.run(lambda s: None)
        fixed += int(root.fixed_out.sum() + root.fixed_in.sum())
        for selection, value in zip(every, values, strict=True):
            if value > state.cutoff + 1e-6 * abs(state.cutoff):
                above += 1
                assert not root.fixed_out[selection].any()
                assert root.fixed_in[selection].sum() == root.fixed_in.sum()
    assert fixed > 0
    assert above > 0


def test_a_restricted_problem_keeps_its_values() -> None:
    from tuner.qpm.program.tree.branch_and_cut import _restricted

    problem = random_problem("plain", 2)
    live = np.arange(1, problem.n_candidates)
    if len(live) < problem.n_features:
        pytest.skip("too small to restrict")
    part = _restricted(problem, live)
    assert isinstance(part, Problem)
    chosen = np.arange(problem.n_features)
    assert part.free_value(chosen) == pytest.approx(problem.free_value(live[chosen]))
