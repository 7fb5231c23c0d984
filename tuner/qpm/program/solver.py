"""The pipeline: heuristics, root cutting planes with certificate and fixing, branch and cut
(docs/explanation/program.md#pipeline).

Each step reports to the `SolveState`; the gap is always that of the full problem with distinct rows.
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
from tuner.qpm.program.former import understands
from tuner.qpm.program.improvement.perturbation import perturb
from tuner.qpm.program.improvement.refine import refine
from tuner.qpm.program.improvement.start import first_selections
from tuner.qpm.program.instance.arrays import Floats, Ints
from tuner.qpm.program.instance.problem import Problem
from tuner.qpm.program.listener import Progress, listening
from tuner.qpm.program.options import DEFAULTS, SolverOptions
from tuner.qpm.program.primal.tabu import descend
from tuner.qpm.program.solution import Solution
from tuner.qpm.program.state import Clock, SolveState
from tuner.qpm.program.tree.branch_and_cut import branch_and_cut, check_parameters
from tuner.qpm.program.tree.forced_pairs import solve_forced

EFFORT = 400_000  # simplex iterations: a minute or so for 512 candidates and 200 classes


@understands(positional=("deadline_s", "gap", "warm_start", "progress", "seed", "clock", "effort"))
def solve(
    problem: Problem,
    *,
    deadline_s: float = 600.0,
    gap: float = 0.0,
    warm_start: ArrayLike | Solution | None = None,
    progress: Progress | None = None,
    seed: int = 0,
    clock: Clock = "wall",
    effort: int | None = EFFORT,
    options: SolverOptions = DEFAULTS,
) -> Solution:
    """Solve the program and say how good the answer is.

    The answer depends on the problem, gap, warm start, seed, effort and options alone, unless the deadline or Ctrl-C
    cuts it short (`Solution.stopped_by_clock`). So let the effort end what the gap does not, and the deadline be far
    away. Multiplying all coefficients by one number, or adding one to all of a class, changes nothing but the figures.

    Args:
        problem: the instance.
        deadline_s: wall time, seconds; kept within 5 % + 1 s. 0 still returns a verified answer and a valid bound.
        gap: target, the relative gap (bound - objective) / |objective| at which to stop; 0 = prove optimality.
        warm_start: candidate indices, any number; or a Solution of the same relevance for other sizes, whose cuts are
            used, too, which saves a third to a half of the time of heuristics and root.
        progress: called with a Moment whenever incumbent or bound moves, and at least every two seconds (from a thread
            of ours, with `moved` = False). What it raises ends the solve.
        seed: of the heuristics and of SCIP.
        clock: what the deadline counts: `wall` time, or `cpu` time of this process (to measure on a busy machine).
        effort: simplex iterations of root, tree and strong branching after which to stop; None = any number, 0 =
            heuristics and a bound in closed form. The last linear program is ended, or left after a portion of some
            hundred.
        options: what shapes the solve otherwise.

    Returns:
        The best solution found, verified, with a bound for the full problem. Where SCIP fails it is the best until
        then, with the status `trouble`.

    Raises:
        UsageError: for arguments out of range.
        InfeasibleError: where forced pairs contradict each other; TunerError: where no assignment with them was found.
    """
    _check(problem, deadline_s, gap, seed, clock, effort, options)
    with listening(progress) as listener, threadpool_limits(limits=1, user_api="blas"):
        state = SolveState(problem, deadline_s, gap, listener, clock, effort, options)
        if problem.forced is not None and len(problem.forced[0]):
            _solve_forced(state, warm_start, seed)
        else:
            _solve_free(state, warm_start, seed)
        listener.raise_error()
        return state.finish()


def _solve_free(state: SolveState, warm_start: ArrayLike | Solution | None, seed: int) -> None:
    """The pipeline, for a program without forced pairs."""
    if isinstance(warm_start, Solution):
        state.warm_cuts, warm_start = _transfer(warm_start, state.problem), warm_start.features
    with state.catch_interrupt():
        rng = np.random.default_rng(seed)
        state.listener.stage = "heuristics"
        if state.units.known is not None:
            state.offer(state.units.known, "greedy")
        first_selections(state, rng, warm_start)
        refine(state)
        state.log.phases["heuristics"] = state.seconds
        state.prove(class_values.closed_form_bound(state.problem, state.features)[0], "price")
        if not state.finished():
            _prove(state, rng, seed)


def _solve_forced(state: SolveState, warm_start: ArrayLike | Solution | None, seed: int) -> None:
    """The program without its forced pairs first: a valid bound and a selection to start from."""
    half = None if state.effort is None else state.effort // 2
    free = replace(state.problem, forced=None)
    relaxed = SolveState(free, state.deadline_s / 2, state.gap, None, state.clock, half, state.options)
    _solve_free(relaxed, warm_start, seed)
    state.log.lp_iterations, state.log.trouble = relaxed.log.lp_iterations, relaxed.log.trouble
    state.prove(relaxed.units.outer_bound(relaxed.bound), "without forced pairs")
    with state.catch_interrupt():
        solve_forced(state, relaxed.features, seed)
    state.cut_short |= relaxed.cut_short
    state.interrupted |= relaxed.interrupted


def _check(
    problem: Problem,
    deadline_s: float,
    gap: float,
    seed: int,
    clock: str,
    effort: float | None,
    options: SolverOptions,
) -> None:
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
    if not isinstance(options, SolverOptions):
        raise UsageError(f"options of type {type(options).__name__}", "SolverOptions", "leave it out for the defaults")
    if options.scip:
        check_parameters(options.scip)


def _is_amount(value: float) -> bool:
    return isinstance(value, Real) and 0.0 <= value < np.inf


def _transfer(solution: Solution, problem: Problem) -> tuple[Ints, Ints]:
    """The binding class-value cuts of a solution for other sizes: the rank of theta grows with k and falls with N."""
    classes, rank = solution.binding_cuts
    size, k = len(solution.features), int(solution.assignment[0].sum())
    ratio = problem.features_per_class / k * size / problem.n_features
    ranks = np.clip(np.rint(rank * ratio), 1, problem.n_candidates - 1).astype(np.int64)
    if len(classes) and int(classes.max()) >= problem.n_classes:
        raise UsageError("warm_start has more classes than the problem", f"{problem.n_classes} classes", "check it")
    pairs = np.unique(np.column_stack([classes, ranks]), axis=0)
    return pairs[:, 0], pairs[:, 1]


def _prove(state: SolveState, rng: np.random.Generator, seed: int) -> None:
    """Root relaxation, then the tree where the gap asks for it."""
    options = state.options

    def polish(s: Floats) -> None:
        rounded = np.argsort(-s, kind="stable")[: state.problem.n_features]
        better, _ = descend(state.problem, rounded, rng, 0, state.out_of_time, options)
        state.offer(better, "rounding")

    root = Root(state)
    with state.solver_at_work("root"):
        root.run(polish)
    state.log.phases["root"] = state.seconds
    if state.gap_to(state.bound) > options.perturb_above:
        state.listener.stage = "heuristics"
        perturb(state, rng)
        refine(state)
    if state.finished():
        return
    _prove_by_levels(state, root, rng, seed)


def _prove_by_levels(state: SolveState, root: Root, rng: np.random.Generator, seed: int) -> None:
    """Prove ever smaller gaps, one tree per level: what cannot beat the level's gap is fixed or pruned at once.

    A level of about half the present gap excludes far more candidates than the proof of optimality could, so the trees
    before the last are small. A deadline inside a level loses nothing, since its bound counts from the start. A new
    tree has to catch up with the last one first, so levels end where a tree was not much larger than the one before.
    """
    options, last, near = state.options, 0, False
    while not state.finished():
        distance, objective, trouble = state.bound - state.objective, state.objective, len(state.log.trouble)
        near = near or state.gap_to(state.bound) <= options.last_level or options.level**2 * distance < state.target
        state.level = None if near else options.level * distance
        level = state.gap_to(state.cutoff)
        root.fix()
        nodes = branch_and_cut(state, root, rng, seed)
        state.log.phases[f"level {100 * level:.3g} %"] = state.seconds
        if len(state.log.trouble) > trouble:
            break
        unmoved = state.bound - state.objective >= distance and state.objective == objective
        if near and unmoved and not state.finished():
            state.log.trouble.append("tree: ended with neither a better bound nor a better selection")
            break
        last, near = nodes, near or options.small_tree < nodes < options.level_growth * last
