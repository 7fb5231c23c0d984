"""The pipeline: heuristics, root cutting planes with certificate and fixing, branch and cut (QP.md 3).

Each step reports to the `Race`; the gap is always that of the full problem with distinct rows.
"""

from __future__ import annotations

from dataclasses import replace
from numbers import Integral, Real
from typing import get_args

import numpy as np
from numpy.typing import ArrayLike
from threadpoolctl import threadpool_limits

from tuner.errors import UsageError
from tuner.qpm.program.bound.root import Root
from tuner.qpm.program.cuts import class_values
from tuner.qpm.program.incumbent import Clock, Race
from tuner.qpm.program.instance.problem import Floats, Ints, Problem, indices
from tuner.qpm.program.listener import Progress, listening
from tuner.qpm.program.primal.refine import refine
from tuner.qpm.program.primal.tabu import descend, greedy
from tuner.qpm.program.solution import Solution

_PATIENCE = 150  # tabu swaps without improvement
_STARTS = 3
_KICKS = 5
_HARD = 5e-3  # above this gap after the root, the incumbent is worth kicking
_NOISE = 0.15
_SWAP_WORK = 4e8  # swaps x candidates x classes of the heuristics: some seconds, so that the root gets its turn
_FEWEST_SWAPS = 100
_LEVEL = 0.55  # the next gap to prove, as a share of the present one
_GROWTH, _SAPLING = 1.5, 30  # a tree that grew by less, and is not small, says that the proof itself is near
EFFORT = 400_000  # simplex iterations: a minute or so for 512 candidates and 200 classes
_LAST_LEVEL = 1e-3  # below this gap, go for the asked one directly


def solve(
    problem: Problem,
    deadline_s: float = 600.0,
    gap: float = 0.0,
    warm_start: ArrayLike | Solution | None = None,
    progress: Progress | None = None,
    seed: int = 0,
    clock: Clock = "wall",
    effort: int | None = EFFORT,
) -> Solution:
    """Solve the program and say how good the answer is.

    The answer depends on the problem, gap, warm start, seed and effort alone, unless the deadline or Ctrl-C cuts it
    short (`Solution.stopped_by_clock`): so let the effort end what the gap does not, and the deadline be far away.
    Multiplying all coefficients by one number, or adding one to all of a class, changes nothing but the figures.

    Args:
        problem: the instance.
        deadline_s: wall time, seconds; kept within 5 % + 1 s. 0 still returns a verified answer and a valid bound.
        gap: relative gap (bound - objective) / |objective| at which to stop; 0 = prove optimality.
        warm_start: a neighbouring setting's Solution on the same relevance, or candidate indices, any number.
        progress: called with a Moment whenever incumbent or bound moves, and at least every two seconds (from a thread
            of ours, with `moved` = False). What it raises ends the solve.
        seed: of the heuristics and of SCIP.
        clock: what the deadline counts: `wall` time, or `cpu` time of this process (to measure on a busy machine).
        effort: simplex iterations of root, tree and looks ahead after which to stop; None = any number, 0 = heuristics
            and a bound in closed form. The last linear program is ended, or left after a portion of some hundred.

    Returns:
        The best solution found, verified, with a bound for the full problem. Where SCIP fails it is the best until
        then, with the status `trouble`.

    Raises:
        UsageError: for arguments out of range.
        InfeasibleError: where forced pairs contradict each other; TunerError: where no assignment with them was found.
    """
    _check(problem, deadline_s, gap, seed, clock, effort)
    with listening(progress) as listener, threadpool_limits(limits=1, user_api="blas"):
        race = Race(problem, deadline_s, gap, listener, clock, effort)
        if problem.forced is not None and len(problem.forced[0]):
            _solve_forced(race, warm_start, seed)
        else:
            _solve_free(race, warm_start, seed)
        listener.raise_error()
        return race.finish()


def _solve_free(race: Race, warm_start: ArrayLike | Solution | None, seed: int) -> None:
    """The pipeline, for a program without forced pairs."""
    if isinstance(warm_start, Solution):
        race.warm_reach, warm_start = _transfer(warm_start, race.problem), warm_start.features
    with race.catch_interrupt():
        rng = np.random.default_rng(seed)
        race.listener.stage = "heuristics"
        if race.units.known is not None:
            race.offer(race.units.known, "greedy")
        _heuristics(race, rng, warm_start)
        refine(race)
        race.log.phases["heuristics"] = race.seconds
        race.prove(class_values.closed_form_bound(race.problem, race.features)[0], "price")
        if not race.over():
            _prove(race, rng, seed)


def _solve_forced(race: Race, warm_start: ArrayLike | Solution | None, seed: int) -> None:
    """The program without its forced pairs first: a valid bound and a selection to start from."""
    from tuner.qpm.program.primal.forced import pursue_forced

    half = None if race.effort is None else race.effort // 2
    relaxed = Race(replace(race.problem, forced=None), race.deadline_s / 2, race.gap, None, race.clock, half)
    _solve_free(relaxed, warm_start, seed)
    race.log.lp_iterations, race.log.trouble = relaxed.log.lp_iterations, relaxed.log.trouble
    race.prove(relaxed.units.outer_bound(relaxed.bound), "without forced pairs")
    with race.catch_interrupt():
        pursue_forced(race, relaxed.features, seed)
    race.cut_short, race.interrupted = race.cut_short or relaxed.cut_short, race.interrupted or relaxed.interrupted


def _check(problem: Problem, deadline_s: float, gap: float, seed: int, clock: str, effort: float | None) -> None:
    if not isinstance(problem, Problem):
        raise UsageError(f"problem of type {type(problem).__name__}", "a Problem", "make one first")
    if not _is_amount(deadline_s):
        raise UsageError(f"deadline_s = {deadline_s!r}", "a finite number of seconds >= 0", "give a deadline")
    if not _is_amount(gap):
        raise UsageError(f"gap = {gap!r}", "a finite relative gap >= 0", "0 asks for optimality")
    if not (isinstance(seed, Integral) and seed >= 0):
        raise UsageError(f"seed = {seed!r}", "a whole number >= 0", "give one, so that the answer can be repeated")
    if clock not in get_args(Clock):
        raise UsageError(f"clock = {clock!r}", " or ".join(get_args(Clock)), "name one of them")
    if effort is not None and not _is_amount(effort):
        raise UsageError(f"effort = {effort!r}", "a number of simplex iterations >= 0, or None", "None sets no limit")


def _is_amount(value: float) -> bool:
    return isinstance(value, Real) and 0.0 <= value < np.inf


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
    left = max(int(_SWAP_WORK / problem.relevance.size), _FEWEST_SWAPS)

    def enough() -> bool:
        nonlocal left
        left -= 1
        return left < 0 or race.late()

    for start in range(_STARTS):
        if left <= 0 or race.late():
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
        UsageError: for anything but such indices.
    """
    return greedy(problem, keep=np.unique(indices("warm_start", selection, problem.n_candidates)))


def _prove(race: Race, rng: np.random.Generator, seed: int) -> None:
    """Root relaxation, then the tree where the gap asks for it."""

    def polish(s: Floats) -> None:
        rounded = np.argsort(-s, kind="stable")[: race.problem.n_features]
        better, _ = descend(race.problem, rounded, rng, 0, race.late)
        race.offer(better, "rounding")

    root = Root(race)
    with race.solver_at_work("root"):
        root.run(polish)
    race.log.phases["root"] = race.seconds
    if race.share(race.bound) > _HARD:
        race.listener.stage = "heuristics"
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
    from tuner.qpm.program.tree.branch_and_cut import branch_and_cut

    last, near = 0, False
    while not race.over():
        distance, objective, trouble = race.bound - race.objective, race.objective, len(race.log.trouble)
        near = near or race.share(race.bound) <= _LAST_LEVEL or _LEVEL**2 * distance < race.asked
        race.level = None if near else _LEVEL * distance
        level = race.share(race.cutoff)
        root.fix()
        nodes = branch_and_cut(race, root, rng, seed)
        race.log.phases[f"level {100 * level:.3g} %"] = race.seconds
        if len(race.log.trouble) > trouble:
            break
        if near and race.bound - race.objective >= distance and race.objective == objective and not race.over():
            race.log.trouble.append("tree: ended with neither a better bound nor a better selection")
            break
        last, near = nodes, near or _SAPLING < nodes < _GROWTH * last
