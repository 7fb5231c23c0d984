"""Tells a step how many runs of several are done, what is under way, and how long the rest will take at that rate."""

import time
from collections.abc import Callable

from tuner.base.steps import Step, duration
from tuner.search.execute.broker_monitor import BrokerMonitor
from tuner.search.watch.texts import told_stage

MOST_TOLD = 2  # running stages in one line


class RunsUnderWay:
    """The line of a step such as "2 of 8 runs, trial 3: dense 4/10 5 s, ETA 40 s".

    Args:
        total: number of runs.
        name: of a run, from its number at the broker.
        monitor: of the broker.
        step: that is told.

    Attributes:
        n_done: runs that have ended; whoever waits for them counts.
    """

    def __init__(self, total: int, name: Callable[[int], str], monitor: BrokerMonitor, step: Step) -> None:
        self._total, self._name, self._monitor, self._step = total, name, monitor, step
        self._started_s = time.monotonic()
        self.n_done = 0

    def tell(self) -> None:
        """Called about once a second."""
        begun = [run for run in self._monitor.runs() if run.begun]
        told = [f"{self.n_done} of {self._total} runs"]
        told += [f"{self._name(run.trial)}: {told_stage(run)}" for run in begun[:MOST_TOLD]]
        if self.n_done:
            rest_s = (time.monotonic() - self._started_s) / self.n_done * (self._total - self.n_done)
            told.append(f"ETA {duration(rest_s)}")
        self._step.at(", ".join(told))
