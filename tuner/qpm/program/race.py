"""What is known so far: the best verified selection, the lowest proven bound, and the time that is left.

Every part of the pipeline reports here and asks here whether to go on, so a deadline, an asked gap or Ctrl-C
ends whatever is running with the best of both sides in hand.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Literal

import numpy as np

from tuner.qpm.program.distinct import Subset, distinct_rows, row_matrix
from tuner.qpm.program.problem import Ints, Problem
from tuner.qpm.program.solution import Log, Moment, Solution, Status, relative_gap

OPTIMAL = 1e-7  # relative gap at which bound and objective count as equal: rounding of the linear programs

_NO_CUTS = (np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))

Progress = Callable[[Moment], None]
Clock = Literal["wall", "cpu"]


class Race:
    """The incumbent against the bound.

    Args:
        problem: the instance.
        deadline_s: wall time allowed, seconds from now.
        gap: relative gap at which to stop.
        progress: called with every Moment.
        clock: seconds of `wall` time, or of `cpu` time of this process.
    """

    def __init__(
        self,
        problem: Problem,
        deadline_s: float,
        gap: float = 0.0,
        progress: Progress | None = None,
        clock: Clock = "wall",
    ) -> None:
        self.problem, self.deadline_s, self.gap, self.progress = problem, deadline_s, gap, progress
        self.clock = clock
        self._now = time.monotonic if clock == "wall" else time.process_time
        self.started = self._now()
        self.objective, self.bound = -np.inf, np.inf
        self.features: Ints = np.zeros(0, dtype=np.int64)
        self.rows: list[Subset] = []
        self.interrupted = False
        self.level = gap
        self.reach = self.warm_reach = _NO_CUTS
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
    def cutoff(self) -> float:
        """Selections not above this need no proof now: the objective, plus the gap of the present level."""
        return self.objective + self.level * abs(self.objective)

    def over(self) -> bool:
        """Whether to stop now: gap reached, time up, or interrupted."""
        return self.reached() or self.late()

    def late(self) -> bool:
        """Whether time is up or somebody pressed Ctrl-C."""
        return self.interrupted or self.seconds >= self.deadline_s

    def reached(self) -> bool:
        """Whether the asked gap is proven."""
        return relative_gap(self.bound, self.objective) <= max(self.gap * (1 + 1e-9), OPTIMAL)

    def level_reached(self) -> bool:
        """Whether the gap of the present level is proven."""
        return relative_gap(self.bound, self.objective) <= max(self.level * (1 + 1e-9), OPTIMAL)

    def offer(self, features: Ints, source: str) -> float:
        """Value a selection with distinct rows and keep it if it is the best.

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
                self.tell(source)
        return self._seen[key]

    def offer_rows(self, features: Ints, rows: list[Subset], source: str) -> None:
        """Keep a sorted selection with given distinct rows if it is the best."""
        value = self.problem.objective(features, row_matrix(rows, self.problem.n_features))
        if value > self.objective:
            self.objective, self.features, self.rows = value, features, rows
            self.tell(source)

    def prove(self, bound: float, source: str, nodes: int = 0) -> None:
        """Note that no selection is above `bound`."""
        bound = max(bound, self.objective)
        if bound < self.bound:
            self.bound, self.log.bound_from = bound, source
            self.tell(source, nodes)

    def tell(self, source: str, nodes: int = 0) -> None:
        """Write one moment into the log and to the listener."""
        moment = Moment(self.seconds, self.objective, self.bound, source, nodes)
        self.log.moments.append(moment)
        if self.progress is not None:
            self.progress(moment)

    def finish(self) -> Solution:
        """The answer, verified."""
        rows = row_matrix(self.rows, self.problem.n_features)
        objective = self.problem.objective(self.features, rows)
        bound = max(self.bound, objective)
        gap = relative_gap(bound, objective)
        status: Status = "deadline"
        if gap <= OPTIMAL:
            status = "optimal"
        elif gap <= self.gap * (1 + 1e-9):
            status = "gap"
        elif self.interrupted:
            status = "interrupted"
        figures = objective, bound, gap, self.seconds, status
        solution = Solution(self.features, rows, *figures, self.log, self.reach)
        self.problem.verify(solution)
        return solution

    @contextmanager
    def catch_interrupt(self) -> Iterator[None]:
        """Let the first Ctrl-C end the race instead of the program; the second does what it always did."""
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
