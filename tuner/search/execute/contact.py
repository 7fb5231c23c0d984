"""Talking to the broker: it may be slow, and must not keep anybody waiting for ever."""

import contextlib
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayError

from tuner.errors import TunerError
from tuner.search.execute.plan import StageSpec
from tuner.search.session.address import LOCAL_RAY, ray_address

LOOK_S = 1.0  # what the screen waits for news

# The broker waits for nothing but a store that is away, two minutes at most. One that is silent for so long hangs.
SILENCE_S = 600.0

CLOSE_S = 10.0  # what it may take to let go of the store, and to end what still runs

# With trials left, something runs or waits all the time, but for the moments between a trial and the next. Else it is
# Ray Tune that hangs, or one of the processes it has for trials. In a Ray of our own nothing waits for long while
# nothing runs: who seems to is a worker that hangs before it has begun.
IDLE_S = 600.0
IDLE = "no stage has run for ten minutes though some are left: Ray Tune or a process of it hangs"

SILENT = "the broker, the process that takes trials through their stages, has not answered for ten minutes"


class Contact:
    """Asks the broker how far it is.

    Args:
        broker: the actor.
    """

    def __init__(self, broker: Any) -> None:
        self.broker = broker
        self._alone = ray_address() == LOCAL_RAY
        self.silent_s = 0.0  # only what was waited for in vain counts: who asks may have been stopped as well
        self.idle_s = 0.0  # likewise
        self._looked_s = time.monotonic()
        self._runs: list[dict[str, Any]] = []

    def runs(self) -> list[dict[str, Any]]:
        """The runs under way, as `StageBroker.snapshot` says; the last ones known where it does not answer."""
        asked_s = time.monotonic()
        try:
            self._runs = ray.get(self.broker.snapshot.remote(), timeout=LOOK_S)
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


def at_work(runs: Sequence[Mapping[str, Any]], *, alone: bool) -> bool:
    """Whether something goes on.

    Args:
        runs: those under way.
        alone: nobody else's work holds what a waiting one needs.
    """
    return any(run["begun"] or run["elsewhere"] for run in runs) if alone else bool(runs)


@contextlib.contextmanager
def closing(broker: Any) -> Iterator[Any]:
    """The broker for a block of work; afterwards it holds nothing, in the store or on a node."""
    try:
        yield broker
    finally:
        with contextlib.suppress(RayError):
            ray.get(broker.close.remote(), timeout=CLOSE_S)


def conduct_all(
    broker: Any, numbers: Sequence[int], rows: Sequence[list[StageSpec]], within_s: float = math.inf
) -> list[dict[str, Any]]:
    """Take independent rows of stages through the broker, side by side.

    Args:
        broker: the actor.
        numbers: the trial of each row.
        rows: the stages.
        within_s: when to call off what is left.

    Returns:
        An outcome each, as `trial.conduct` says.

    Raises:
        TunerError: the broker hangs.
    """
    waiting = [broker.conduct.remote(*row) for row in zip(numbers, rows, strict=True)]
    contact, until_s = Contact(broker), time.monotonic() + within_s
    while len(ray.wait(waiting, num_returns=len(waiting), timeout=LOOK_S)[0]) < len(waiting):
        contact.runs()
        if contact.lost or contact.idle:
            ray.kill(broker)
            what, expected = (SILENT, "a broker that answers") if contact.lost else (IDLE, "a Ray that gets on")
            raise TunerError(what, expected, "run the same command again; what had ended is kept")
        if time.monotonic() > until_s:
            broker.call_off.remote()
            until_s = math.inf
    return list(ray.get(waiting))
