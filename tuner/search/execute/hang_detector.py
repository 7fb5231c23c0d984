"""Decides when a run of a stage counts as hung, and kills its process.

A stuck solver, a hung GPU and an unresponsive file system look alike: the work makes no progress
(`tuner.base.pulse`). The process may be unresponsive too, so another process on its node kills it.
"""

import os
import signal
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import ray

from tuner.base.processes import started_at

# Every loop of a stage counts its steps, each of seconds at most. What takes longest in one step is a linear program in
# the solver, and loading the libraries from a slow disk: a minute or two. Ten leave room for a machine that swaps.
SILENCE_S = 600.0

# Factor on the longest step seen of a stage.
TIMES_LONGEST = 20.0

# The solver may be silent until its deadline, which it keeps within 5 % and one second; plus this for what follows.
BEYOND_DEADLINE = 1.05
AFTER_DEADLINE_S = 60.0

# How often the broker checks. If a check is very late, the broker was suspended, and perhaps the workers too.
LOOK_S = 2.0
LATE_S = 10.0

AUTOMATIC = -1.0  # resources.STAGE.timeout_s; 0: none


class HungError(Exception):
    """A stage hung in all of its attempts; the message is one line."""


@dataclass(frozen=True)
class Worker:
    """A process that runs stages: node, process id, start time, because ids are reused, and its host for display."""

    node: str
    pid: int
    started: str
    host: str = ""

    def told(self) -> str:
        """For people: "lab7 pid 4711"."""
        return f"{self.host or self.node[:8]} pid {self.pid}"


@dataclass
class _Sign:
    """A run: its stage, deadline of the program within it, when it began, and its last heartbeat."""

    stage: str
    deadline_s: float
    began_s: float
    alive_s: float


class HangDetector:
    """Detects hung runs of stages. Times are seconds of one monotonic clock.

    Args:
        timeouts: `resources.STAGE.timeout_s` by stage.
    """

    def __init__(self, timeouts: Mapping[str, float]) -> None:
        self._timeouts = timeouts
        self._signs: dict[str, _Sign] = {}
        self._longest: dict[str, float] = {}  # longest time between two heartbeats, by stage
        self._looked_s = 0.0

    def begin(self, key: str, stage: str, now_s: float, deadline_s: float = 0.0) -> None:
        """A worker starts a run."""
        self._signs[key] = _Sign(stage, deadline_s, now_s, now_s)

    def alive(self, key: str, now_s: float) -> None:
        """A run has made progress."""
        if (sign := self._signs.get(key)) is not None:
            self._longest[sign.stage] = max(self._longest.get(sign.stage, 0.0), now_s - sign.alive_s)
            sign.alive_s = now_s

    def end(self, key: str) -> None:
        """A run has ended, whatever its outcome."""
        self._signs.pop(key, None)

    def quiet_s(self, key: str, now_s: float) -> float:
        """Seconds since the last heartbeat of a run."""
        return now_s - self._signs[key].alive_s if key in self._signs else 0.0

    def overdue(self, now_s: float) -> dict[str, str]:
        """The hung runs by key, with the reason as a phrase that follows "stage assign"."""
        late_s = now_s - self._looked_s - LOOK_S
        if late_s > LATE_S:  # no heartbeat could arrive meanwhile, or everything was suspended; also at the first check
            for sign in self._signs.values():
                sign.alive_s = min(now_s, sign.alive_s + late_s)
                sign.began_s = min(now_s, sign.began_s + late_s)
        self._looked_s = now_s
        found = {key: self._trouble(sign, now_s) for key, sign in self._signs.items()}
        return {key: trouble for key, trouble in found.items() if trouble is not None}

    def _trouble(self, sign: _Sign, now_s: float) -> str | None:
        timeout_s = self._timeouts.get(sign.stage, AUTOMATIC)
        ran_s, quiet_s = now_s - sign.began_s, now_s - sign.alive_s
        if timeout_s == 0.0:
            return None
        if timeout_s > 0.0:
            late = f"ran for {ran_s:.0f} s (limit {timeout_s:g} s)"
            return late if ran_s > timeout_s else None
        limit_s = max(SILENCE_S, TIMES_LONGEST * self._longest.get(sign.stage, 0.0))
        if sign.deadline_s:
            limit_s = max(limit_s, BEYOND_DEADLINE * sign.deadline_s + AFTER_DEADLINE_S)
        return f"sent no heartbeat for {quiet_s:.0f} s (limit {limit_s:.0f} s)" if quiet_s > limit_s else None


def this_worker() -> Worker:
    """The calling process, a Ray worker."""
    return Worker(
        ray.get_runtime_context().get_node_id(), os.getpid(), started_at(os.getpid()) or "", socket.gethostname()
    )


@ray.remote(num_cpus=0, max_retries=0)
def end_process(worker: Worker, task: str) -> bool:
    """Kill a worker on this node if it still runs this task; SIGKILL also ends a stopped process.

    Args:
        worker: the process.
        task: the task's name, which Ray gives the process while the task runs.
    """
    if not is_at(worker, task):
        return False
    os.kill(worker.pid, signal.SIGKILL)
    return True


def is_at(worker: Worker, task: str) -> bool:
    """Whether this same process still exists on this machine and runs this Ray task."""
    try:
        title = Path(f"/proc/{worker.pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return False
    return title.rstrip() == f"ray::{task}" and started_at(worker.pid) == worker.started
