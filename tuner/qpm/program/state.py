"""The state of a solve: the best verified selection, the lowest proven bound, and the remaining work.

Every part of the pipeline reports here and asks here whether to go on. So the target gap, spent work, a deadline or
Ctrl-C ends whatever is running, and incumbent and bound are at hand. Gap and work do not depend on time; when the
clock ended something, the answer says so.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Literal

import numpy as np

from tuner.base.pulse import beat
from tuner.errors import TunerError
from tuner.qpm.program.instance.arrays import Ints
from tuner.qpm.program.instance.problem import Problem
from tuner.qpm.program.listener import Listener
from tuner.qpm.program.options import DEFAULTS, SolverOptions
from tuner.qpm.program.primal.distinct import Subset, distinct_rows, row_matrix
from tuner.qpm.program.solution import Log, Moment, Solution, Status, relative_gap
from tuner.qpm.program.units import Units

OPTIMAL = 1e-7  # relative gap at which bound and objective count as equal: rounding of the linear programs
TINY = 1e-12  # of the problem's size: nothing beside it, where the objective itself is 0

_NO_CUTS = (np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))

Clock = Literal["wall", "cpu"]


class SolveState:
    """The incumbent against the bound, in the units of `units.inner`; moments and answer are in the problem's own.

    Args:
        problem: the instance as given.
        deadline_s: time allowed, seconds from now.
        gap: target, the relative gap at which to stop.
        listener: called with every Moment.
        clock: seconds of `wall` time, or of `cpu` time of this process.
        effort: simplex iterations allowed; None: any number.
        options: what shapes the solve.

    Attributes:
        problem: what is solved, `units.inner`.
        level: how far the bound may be from the objective for the present tree, if not by the target gap.
        cut_short: the clock or Ctrl-C ended something that would have gone on.
    """

    def __init__(
        self,
        problem: Problem,
        deadline_s: float,
        gap: float = 0.0,
        listener: Listener | None = None,
        clock: Clock = "wall",
        effort: int | None = None,
        options: SolverOptions = DEFAULTS,
    ) -> None:
        self.options = options
        self.clock = clock
        self._now = time.monotonic if clock == "wall" else time.process_time
        self.started = self._now()
        self.units = Units.of(problem)
        self.problem, self.deadline_s, self.gap, self.effort = self.units.inner, deadline_s, gap, effort
        self.listener = Listener(None) if listener is None else listener
        self.objective, self.bound = -np.inf, np.inf
        self.features: Ints = np.zeros(0, dtype=np.int64)
        self.rows: list[Subset] = []
        self.interrupted = self.cut_short = False
        self.level: float | None = None
        self.binding_cuts = self.warm_cuts = _NO_CUTS
        self.log = Log()
        self._seen: dict[bytes, float] = {}

    @property
    def seconds(self) -> float:
        """Time since the start."""
        return self._now() - self.started

    @property
    def left(self) -> float:
        """Time until the deadline, seconds; never negative."""
        return max(self.deadline_s - self.seconds, 0.0)

    @property
    def effort_left(self) -> float:
        """Simplex iterations still allowed; never negative."""
        return np.inf if self.effort is None else max(self.effort - self.log.lp_iterations, 0)

    @property
    def target(self) -> float:
        """How far the bound may be from the objective by the target gap."""
        return self.gap * abs(self.objective + self.units.zero)

    @property
    def slack(self) -> float:
        """The gap allowed at the present level, or the target gap without one."""
        return self.target if self.level is None else self.level

    @property
    def cutoff(self) -> float:
        """Selections not above this need no proof now."""
        return self.objective + self.slack

    def gap_to(self, value: float) -> float:
        """Relative gap between the objective and a value above it."""
        return relative_gap(value, self.objective, TINY * self.problem.size)

    def finished(self) -> bool:
        """Whether to stop now: target gap reached, work spent, time up, or interrupted."""
        return self.target_reached() or self.out_of_effort() or self.out_of_time()

    def out_of_effort(self, more: int = 0) -> bool:
        """Whether the allowed work is done, with `more` simplex iterations that are not in the log yet."""
        return self.effort_left <= more

    def out_of_time(self) -> bool:
        """Whether time is up or Ctrl-C was pressed; if so, the solve is marked as cut short."""
        beat()
        self.listener.raise_error()
        late = self.interrupted or self.seconds >= self.deadline_s
        self.cut_short = self.cut_short or late
        return late

    def target_reached(self) -> bool:
        """Whether the target gap is proven."""
        return self._proven(self.target)

    def level_reached(self) -> bool:
        """Whether the gap of the present level is proven."""
        return self._proven(self.slack)

    def _proven(self, slack: float) -> bool:
        return self.bound - self.objective <= max(slack * (1 + 1e-9), self._rounding())

    def _rounding(self) -> float:
        return max(OPTIMAL * abs(self.objective), TINY * self.problem.size)

    def offer(self, features: Ints, source: str) -> float:
        """Value a selection with distinct rows, and make it the incumbent if it is the best.

        Args:
            features: (n_features,) candidate indices, any order.
            source: who found it.

        Returns:
            Its value with distinct rows.
        """
        chosen = np.sort(features)
        key = chosen.tobytes()
        if key not in self._seen:
            rows, groups = distinct_rows(self.problem.relevance[chosen], self.problem.features_per_class)
            lost = self.problem.scale * sum(group.free - group.best for group in groups)
            value = self._seen[key] = self.problem.free_value(chosen) - lost
            if value > self.objective + 1e-9 * max(1.0, abs(value)):
                self.objective, self.features, self.rows = value, chosen, rows
                self.record(source)
        return self._seen[key]

    def offer_rows(self, features: Ints, rows: list[Subset], source: str) -> None:
        """Make a sorted selection with given distinct rows the incumbent if it is the best."""
        value = self.problem.objective(features, row_matrix(rows, self.problem.n_features))
        if value > self.objective:
            self.objective, self.features, self.rows = value, features, rows
            self.record(source)

    def prove(self, bound: float, source: str, nodes: int = 0) -> None:
        """Note that no selection is above `bound`."""
        bound = max(bound, self.objective)
        if bound < self.bound:
            self.bound, self.log.bound_from = bound, source
            self.record(source, nodes)

    def record(self, source: str, nodes: int = 0) -> None:
        """Write one moment into the log and to the listener."""
        moment = self._moment(self.bound, source, nodes)
        self.log.moments.append(moment)
        self.listener(moment)

    def note(self, bound: float, nodes: int) -> None:
        """The heartbeat for the listener during long silence; it does not enter the log."""
        self.listener.note(self._moment(min(bound, self.bound), "", nodes))

    def _moment(self, bound: float, source: str, nodes: int) -> Moment:
        incumbent, outer = self.units.outer(self.objective), self.units.outer_bound(bound)
        return Moment(self.seconds, incumbent, max(outer, incumbent), source, nodes)

    @contextmanager
    def solver_at_work(self, stage: str) -> Iterator[None]:
        """SCIP may fail at any time: incumbent and bound are kept, and the log says what happened.

        What the listener raised is raised again; so are Ctrl-C and the like.
        """
        self.listener.stage = stage
        try:
            yield
        except TunerError:
            raise
        except Exception as error:
            self.listener.raise_error()
            self.log.trouble.append(f"{stage}: {type(error).__name__}: {error}")

    def finish(self) -> Solution:
        """The answer in the problem's own units, verified."""
        given = self.units.given
        rows = row_matrix(self.rows, given.n_features)
        objective = given.objective(self.features, rows)
        bound = max(self.units.outer_bound(self.bound), objective)
        gap = relative_gap(bound, objective, 1e-9 * given.size)
        figures = objective, bound, gap, self.seconds, self._status()
        solution = Solution(self.features, rows, *figures, self.log, self.binding_cuts)
        given.verify(solution)
        return solution

    def _status(self) -> Status:
        if self.cut_short:
            return "interrupted" if self.interrupted else "deadline"
        if self.bound - self.objective <= self._rounding():
            return "optimal"
        if self.target_reached():
            return "gap"
        return "trouble" if self.log.trouble else "effort"

    @contextmanager
    def catch_interrupt(self) -> Iterator[None]:
        """Let the first Ctrl-C end the solve instead of the program; the second does what it always did."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before: Any = signal.getsignal(signal.SIGINT)

        def stop(number: int, frame: FrameType | None) -> None:
            self.interrupted = True
            signal.signal(signal.SIGINT, before)

        signal.signal(signal.SIGINT, stop)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
