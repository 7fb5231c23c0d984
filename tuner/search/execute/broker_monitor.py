"""Detects a hanging broker: it may be slow, but must not block the driver forever."""

import math
import time
from collections.abc import Callable, Iterator, Sequence

import ray
from ray.exceptions import GetTimeoutError, RayError

from tuner.errors import TunerError
from tuner.search.execute.broker_handle import BrokerHandle
from tuner.search.execute.messages import RunSnapshot, TrialOutcome
from tuner.search.execute.plan import StageSpec
from tuner.search.session.address import LOCAL_RAY, ray_address

LOOK_S = 1.0  # how long the display waits for an update

# The broker blocks only on an unavailable store, for two minutes at most. If it is silent for longer, it hangs.
SILENCE_S = 600.0

# While trials are left, some stage runs or waits, except between two trials. Otherwise Ray Tune or one of its trial
# processes hangs. In a private Ray no stage waits for long while none runs: a worker that seems to wait hangs before
# its start.
IDLE_S = 600.0
IDLE = "no stage has run for ten minutes although some are left: Ray Tune or one of its processes hangs"

SILENT = "the broker, the process that takes trials through their stages, has not answered for ten minutes"


class BrokerMonitor:
    """Polls the broker, and detects that it hangs or is idle for too long.

    Args:
        broker: the broker.
    """

    def __init__(self, broker: BrokerHandle) -> None:
        self.broker = broker
        self._alone = ray_address() == LOCAL_RAY
        self.silent_s = 0.0  # counts only unanswered waits: this process may have been suspended as well
        self.idle_s = 0.0  # likewise
        self._looked_s = time.monotonic()
        self._runs: list[RunSnapshot] = []

    def runs(self) -> list[RunSnapshot]:
        """The active runs; the last known ones if the broker does not answer."""
        asked_s = time.monotonic()
        try:
            self._runs = self.broker.snapshot(LOOK_S)
            self.silent_s = 0.0
            idle_s = self.idle_s + min(asked_s - self._looked_s, 2 * LOOK_S)
            self.idle_s = 0.0 if at_work(self._runs, alone=self._alone) else idle_s
        except GetTimeoutError:
            self.silent_s += min(time.monotonic() - asked_s, 2 * LOOK_S)
        except RayError:  # the broker is dead; callers that wait for it get the error
            pass
        self._looked_s = asked_s
        return self._runs

    @property
    def lost(self) -> bool:
        """Whether the broker hangs."""
        return self.silent_s > SILENCE_S

    @property
    def idle(self) -> bool:
        """Whether there has been no activity for too long."""
        return self.idle_s > IDLE_S


def at_work(runs: Sequence[RunSnapshot], *, alone: bool) -> bool:
    """Whether there is activity.

    Args:
        runs: the active runs.
        alone: no other work can hold the resources that a waiting run needs.
    """
    return any(run.begun or run.elsewhere for run in runs) if alone else bool(runs)


def ended_trials(
    broker: BrokerHandle,
    numbers: Sequence[int],
    rows: Sequence[list[StageSpec]],
    look: Callable[[], None] = lambda: None,
) -> Iterator[tuple[int, TrialOutcome]]:
    """Run independent sequences of stages concurrently through the broker.

    Args:
        broker: the broker.
        numbers: the trial of each sequence.
        rows: the sequences of stages.
        look: called about once a second; it may stop the broker, or call its stages off.

    Yields:
        The place of each sequence and its outcome, as they end.

    Raises:
        TunerError: the broker hangs.
    """
    waiting = {reference: place for place, reference in enumerate(broker.run_trials(numbers, rows))}
    monitor = BrokerMonitor(broker)
    while waiting:
        ended, _ = ray.wait(list(waiting), timeout=LOOK_S)
        for reference in ended:
            yield waiting.pop(reference), ray.get(reference)
        look()
        if ended:
            continue
        monitor.runs()
        if monitor.lost or monitor.idle:
            broker.kill()
            what, expected = (SILENT, "a broker that answers") if monitor.lost else (IDLE, "a Ray that makes progress")
            raise TunerError(what, expected, "run the same command again; completed work is kept")


def run_trials(
    broker: BrokerHandle, numbers: Sequence[int], rows: Sequence[list[StageSpec]], within_s: float = math.inf
) -> list[TrialOutcome]:
    """As `ended_trials`, but waits for all.

    Args:
        broker: the broker.
        numbers: the trial of each sequence.
        rows: the sequences of stages.
        within_s: seconds after which the remaining stages are called off.

    Returns:
        One outcome per sequence.

    Raises:
        TunerError: the broker hangs.
    """
    until_s = time.monotonic() + within_s

    def look() -> None:
        nonlocal until_s
        if time.monotonic() > until_s:
            broker.call_off()
            until_s = math.inf

    found = dict(ended_trials(broker, numbers, rows, look))
    return [found[place] for place in range(len(rows))]
