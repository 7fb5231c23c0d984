"""The pipeline: heuristics, root cutting planes with certificate and fixing, branch and cut (QP.md 3).

Each step reports to the `Race`; the gap is always that of the full problem with distinct rows.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from tuner.errors import UsageError
from tuner.qpm.program import etas
from tuner.qpm.program.heuristic import descend, greedy
from tuner.qpm.program.problem import Floats, Ints, Problem
from tuner.qpm.program.race import Clock, Progress, Race
from tuner.qpm.program.refine import refine
from tuner.qpm.program.root import Root
from tuner.qpm.program.solution import Solution, relative_gap

_PATIENCE = 150  # tabu swaps without improvement
_STARTS = 3
_KICKS = 5
_HARD = 5e-3  # above this gap after the root, the incumbent is worth kicking
_NOISE = 0.15
_HEURISTIC_SHARE = 0.3  # of the deadline at most, so that the root gets its turn on large programs
_LEVEL = 0.55  # the next gap to prove, as a share of the present one
_GROWTH, _SAPLING = 1.5, 30  # a tree that grew by less, and is not small, says that the proof itself is near
_LAST_LEVEL = 1e-3  # below this gap, go for the asked one directly


def solve(
    problem: Problem,
    deadline_s: float = 60.0,
    gap: float = 0.0,
    warm_start: ArrayLike | Solution | None = None,
    progress: Progress | None = None,
    seed: int = 0,
    clock: Clock = "wall",
) -> Solution:
    """Solve the program and say how good the answer is.

    Args:
        problem: the instance.
        deadline_s: wall time, seconds; kept within 5 % + 1 s. 0 still returns a verified answer and a valid bound.
        gap: relative gap (bound - objective) / |objective| at which to stop; 0 = prove optimality.
        warm_start: a neighbouring setting's Solution on the same relevance, or candidate indices, any number.
        progress: called with a Moment whenever incumbent or bound moves.
        seed: of the heuristics; the same seed gives the same answer when the deadline does not bind.
        clock: what the deadline counts: `wall` time, or `cpu` time of this process (to measure on a busy machine).

    Returns:
        The best solution found, verified, with a bound for the full problem.

    Raises:
        UsageError: for arguments out of range.
    """
    _check(problem, deadline_s, gap)
    if problem.forced is not None and len(problem.forced[0]):
        return _solve_forced(problem, deadline_s, gap, warm_start, progress, seed, clock)
    race = Race(problem, deadline_s, gap, progress, clock)
    if isinstance(warm_start, Solution):
        race.warm_reach, warm_start = _transfer(warm_start, problem), warm_start.features
    with race.catch_interrupt():
        rng = np.random.default_rng(seed)
        _heuristics(race, rng, warm_start)
        refine(race)
        race.log.phases["heuristics"] = race.seconds
        race.prove(_closed_form_bound(race), "price")
        if not race.over():
            _prove(race, rng, seed)
    return race.finish()


def _solve_forced(
    problem: Problem,
    deadline_s: float,
    gap: float,
    warm_start: ArrayLike | Solution | None,
    progress: Progress | None,
    seed: int,
    clock: Clock,
) -> Solution:
    """The program without its forced pairs first: a valid bound and a selection to start from."""
    from tuner.qpm.program.forced import pursue_forced

    race = Race(problem, deadline_s, gap, progress, clock)
    relaxed = solve(replace(problem, forced=None), deadline_s / 2, gap, warm_start, None, seed, clock)
    race.prove(relaxed.bound, "without forced pairs")
    with race.catch_interrupt():
        pursue_forced(race, relaxed.features, seed)
    return race.finish()


def _check(problem: Problem, deadline_s: float, gap: float) -> None:
    if not isinstance(problem, Problem):
        raise UsageError(f"problem of type {type(problem).__name__}", "a Problem", "make one first")
    if not (np.isfinite(deadline_s) and deadline_s >= 0):
        raise UsageError(f"deadline_s = {deadline_s}", "a finite number of seconds >= 0", "give a deadline")
    if not (np.isfinite(gap) and gap >= 0):
        raise UsageError(f"gap = {gap}", "a finite relative gap >= 0", "0 asks for optimality")


def _heuristics(race: Race, rng: np.random.Generator, warm_start: ArrayLike | None) -> None:
    """The warm start improved by swaps; or tabu search from a greedy selection and two noisy ones."""
    problem = race.problem
    if warm_start is not None:
        first = fit(problem, warm_start)
        race.offer(first, "warm start")
        race.offer(descend(problem, first, rng, 0, race.late)[0], "swaps")
        return
    first = greedy(problem)
    race.offer(first, "greedy")

    def enough() -> bool:
        return race.late() or race.seconds > _HEURISTIC_SHARE * race.deadline_s

    for start in range(_STARTS):
        if enough():
            return
        if start > 0:
            first = greedy(problem, rng, _NOISE)
        race.offer(descend(problem, first, rng, _PATIENCE, enough)[0], "swaps")


def _kick(race: Race, rng: np.random.Generator) -> None:
    """Draw a fifth of the incumbent's features, fill up again by a noisy greedy, search on; a few times."""
    for _ in range(_KICKS):
        if race.over():
            return
        stay = rng.permutation(race.features)[len(race.features) // 5 :]
        kicked = greedy(race.problem, rng, 2 * _NOISE, keep=stay)
        race.offer(descend(race.problem, kicked, rng, _PATIENCE, race.late)[0], "kick")


def _transfer(solution: Solution, problem: Problem) -> tuple[Ints, Ints]:
    """A neighbour's binding eta cuts for this setting: theta's rank grows with k and falls with N."""
    classes, reach = solution.reach
    size, k = len(solution.features), int(solution.assignment[0].sum())
    ratio = problem.features_per_class / k * size / problem.n_features
    ranks = np.clip(np.rint(reach * ratio), 1, problem.n_candidates - 1).astype(np.int64)
    if len(classes) and int(classes.max()) >= problem.n_classes:
        raise UsageError("warm_start has more classes than the problem", f"{problem.n_classes} classes", "check it")
    pairs = np.unique(np.column_stack([classes, ranks]), axis=0)
    return pairs[:, 0], pairs[:, 1]


def fit(problem: Problem, selection: ArrayLike) -> Ints:
    """Bring a selection of another size to n_features: keep the most valuable, fill up greedily.

    Args:
        problem: the instance.
        selection: candidate indices, any number.

    Raises:
        UsageError: for indices out of range.
    """
    chosen = np.unique(np.asarray(selection, dtype=np.int64))
    if len(chosen) and (chosen[0] < 0 or chosen[-1] >= problem.n_candidates):
        raise UsageError(f"warm_start holds {chosen[0]}..{chosen[-1]}", f"0..{problem.n_candidates - 1}", "check it")
    return greedy(problem, keep=chosen)


def _closed_form_bound(race: Race) -> float:
    """A bound with no solver at all: eta at the thresholds of the incumbent, the N largest prices, no penalty."""
    problem = race.problem
    point = np.zeros(problem.n_candidates)
    point[race.features] = 1.0
    theta = etas.tightest(problem, point).theta
    price = problem.linear + problem.scale * np.maximum(problem.relevance - theta, 0.0).sum(axis=1)
    best = np.partition(price, -problem.n_features)[-problem.n_features :]
    return problem.scale * problem.features_per_class * float(theta.sum()) + float(best.sum())


def _prove(race: Race, rng: np.random.Generator, seed: int) -> None:
    """Root relaxation, then the tree where the gap asks for it."""

    def polish(s: Floats) -> None:
        rounded = np.argsort(-s, kind="stable")[: race.problem.n_features]
        better, _ = descend(race.problem, rounded, rng, 0, race.late)
        race.offer(better, "rounding")

    root = Root(race)
    root.run(polish)
    race.log.phases["root"] = race.seconds
    race.log.lp_iterations = root.lp.iterations
    if relative_gap(race.bound, race.objective) > _HARD:
        _kick(race, rng)
        refine(race)
    if race.over():
        return
    _climb(race, root, rng, seed)


def _climb(race: Race, root: Root, rng: np.random.Generator, seed: int) -> None:
    """Prove ever smaller gaps, one tree a level: what cannot beat the level's gap is fixed or pruned at once.

    A level of about half the present gap excludes far more candidates than the proof of optimality could, so the trees
    before the last are small; a deadline inside a level loses nothing, its bound counts from the start. A new tree has
    to catch up with the last one first, so levels end where a tree was not much larger than the one before.
    """
    from tuner.qpm.program.tree import branch_and_cut

    last, near = 0, False
    while not race.over():
        gap = relative_gap(race.bound, race.objective)
        near = near or gap <= _LAST_LEVEL or _LEVEL**2 * gap < race.gap
        race.level = race.gap if near else _LEVEL * gap
        root.fix()
        nodes = branch_and_cut(race, root, rng, seed)
        last, near = nodes, _SAPLING < nodes < _GROWTH * last
        race.log.phases[f"level {100 * race.level:.3g} %"] = race.seconds
        if relative_gap(race.bound, race.objective) >= gap:
            break  # the tree ended early for a reason of its own, such as memory
