"""Whether the broker gets on: it may be slow, but must not keep the driver waiting for ever."""

import math
import time
from collections.abc import Sequence

import ray
from ray.exceptions import GetTimeoutError, RayError

from tuner.errors import TunerError
from tuner.search.execute.broker_handle import BrokerHandle
from tuner.search.execute.messages import RunSnapshot, TrialOutcome
from tuner.search.execute.plan import StageSpec
from tuner.search.session.address import LOCAL_RAY, ray_address

LOOK_S = 1.0  # what the screen waits for news

# The broker waits for nothing but a store that is away, two minutes at most. One that is silent for so long hangs.
SILENCE_S = 600.0

# With trials left, something runs or waits all the time, but for the moments between a trial and the next. Else it is
# Ray Tune that hangs, or one of the processes it has for trials. In a Ray of our own nothing waits for long while
# nothing runs: who seems to is a worker that hangs before it has begun.
IDLE_S = 600.0
IDLE = "no stage has run for ten minutes though some are left: Ray Tune or a process of it hangs"

SILENT = "the broker, the process that takes trials through their stages, has not answered for ten minutes"


class BrokerMonitor:
    """Asks the broker how far it is, and notices when it hangs or has nothing to do for long.

    Args:
        broker: which.
    """

    def __init__(self, broker: BrokerHandle) -> None:
        self.broker = broker
        self._alone = ray_address() == LOCAL_RAY
        self.silent_s = 0.0  # only what was waited for in vain counts: who asks may have been stopped as well
        self.idle_s = 0.0  # likewise
        self._looked_s = time.monotonic()
        self._runs: list[RunSnapshot] = []

    def runs(self) -> list[RunSnapshot]:
        """The runs under way; the last ones known where the broker does not answer."""
        asked_s = time.monotonic()
        try:
            self._runs = self.broker.snapshot(LOOK_S)
            self.silent_s = 0.0
            idle_s = self.idle_s + min(asked_s - self._looked_s, 2 * LOOK_S)
            self.idle_s = 0.0 if at_work(self._runs, alone=self._alone) else idle_s
        except GetTimeoutError:
            self.silent_s += min(time.monotonic() - asked_s, 2 * LOOK_S)
        except RayError:  # gone, and then whoever waits for it is told
            pass
        self._looked_s = asked_s
        return self._runs

    @property
    def lost(self) -> bool:
        """Whether it hangs."""
        return self.silent_s > SILENCE_S

    @property
    def idle(self) -> bool:
        """Whether there has been nothing to see for long."""
        return self.idle_s > IDLE_S


def at_work(runs: Sequence[RunSnapshot], *, alone: bool) -> bool:
    """Whether something goes on.

    Args:
        runs: those under way.
        alone: nobody else's work holds what a waiting one needs.
    """
    return any(run.begun or run.elsewhere for run in runs) if alone else bool(runs)


def run_trials(
    broker: BrokerHandle, numbers: Sequence[int], rows: Sequence[list[StageSpec]], within_s: float = math.inf
) -> list[TrialOutcome]:
    """Take independent rows of stages through the broker, side by side.

    Args:
        broker: which.
        numbers: the trial of each row.
        rows: the stages.
        within_s: when to call off what is left.

    Returns:
        An outcome each.

    Raises:
        TunerError: the broker hangs.
    """
    waiting = broker.run_trials(numbers, rows)
    monitor, until_s = BrokerMonitor(broker), time.monotonic() + within_s
    while len(ray.wait(waiting, num_returns=len(waiting), timeout=LOOK_S)[0]) < len(waiting):
        monitor.runs()
        if monitor.lost or monitor.idle:
            broker.kill()
            what, expected = (SILENT, "a broker that answers") if monitor.lost else (IDLE, "a Ray that gets on")
            raise TunerError(what, expected, "run the same command again; what had ended is kept")
        if time.monotonic() > until_s:
            broker.call_off()
            until_s = math.inf
    return list(ray.get(waiting))
