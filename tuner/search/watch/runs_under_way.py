"""Tells a step how many runs of several are done, what is under way, and how long the rest will take."""

import time
from collections.abc import Callable

from tuner.base.steps import Step, duration
from tuner.search.execute.broker_monitor import BrokerMonitor
from tuner.search.execute.messages import RunSnapshot
from tuner.search.watch.texts import told_stage

MOST_TOLD = 2  # running stages in one line


class RunsUnderWay:
    """The line of a step such as "2 of 8 runs, trial 3: dense 4/10 5 s, ETA 40 s".

    Args:
        total: number of runs.
        name: of a run, from one of its stages.
        monitor: of the broker.
        step: that is told.
        left_s: returns the seconds that the rest is expected to take; None where that is unknown.

    Attributes:
        n_done: runs that have ended; whoever waits for them counts.
    """

    def __init__(
        self,
        total: int,
        name: Callable[[RunSnapshot], str],
        monitor: BrokerMonitor,
        step: Step,
        left_s: Callable[[], float | None] = lambda: None,
    ) -> None:
        self._total, self._name, self._monitor, self._step, self._left_s = total, name, monitor, step, left_s
        self._started_s = time.monotonic()
        self.n_done = 0

    def tell(self) -> None:
        """Called about once a second."""
        begun = [run for run in self._monitor.runs() if run.begun]
        told = [f"{self.n_done} of {self._total} runs"]
        told += [f"{self._name(run)}: {told_stage(run)}" for run in begun[:MOST_TOLD]]
        rest_s = self._left_s()
        if rest_s is None and self.n_done:
            rest_s = (time.monotonic() - self._started_s) / self.n_done * (self._total - self.n_done)
        if rest_s is not None:
            told.append(f"ETA {duration(rest_s)}")
        self._step.at(", ".join(told))
