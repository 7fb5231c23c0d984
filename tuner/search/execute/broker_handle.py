"""The broker as other processes see it: each method is a message to its actor, with the types of what crosses.

Ray's own handles take any method with any arguments; here mypy sees both ends.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, cast

import ray
from ray.exceptions import RayError

from tuner.search.execute.hang_detector import Worker
from tuner.search.execute.messages import Grant, RunSnapshot, TrialOutcome
from tuner.search.execute.plan import StageSpec

CLOSE_S = 10.0  # what it may take to let go of the store, and to end what still runs


class BrokerHandle:
    """A running `StageBroker`. What returns nothing does not wait; the methods are those of the broker.

    Args:
        actor: Ray's handle of it.
    """

    def __init__(self, actor: Any) -> None:
        self.actor = actor

    # From the driver.

    def expect(self, trial: int) -> None:
        """Tune is about to start a trial's coordinator."""
        self.actor.expect.remote(trial)

    def hand_out(self, trial: int, stages: list[StageSpec] | None) -> None:
        """Begin a trial; None: it is not needed."""
        self.actor.hand_out.remote(trial, stages)

    def forget(self, trial: int) -> None:
        """What became of a trial has been written down."""
        self.actor.forget.remote(trial)

    def run_trials(self, numbers: Sequence[int], rows: Sequence[list[StageSpec]]) -> list[Any]:
        """Take rows of stages through the broker, side by side; returns a reference to the outcome of each."""
        return [self.actor.run_trial.remote(number, row) for number, row in zip(numbers, rows, strict=True)]

    def snapshot(self, timeout_s: float) -> list[RunSnapshot]:
        """The runs under way.

        Raises:
            ray.exceptions.GetTimeoutError: it has not answered in time.
            ray.exceptions.RayError: it has ended.
        """
        return cast(list[RunSnapshot], ray.get(self.actor.snapshot.remote(), timeout=timeout_s))

    def stop(self) -> None:
        """Begin nothing any more."""
        self.actor.stop.remote()

    def go_on(self) -> None:
        """Begin again what is asked for."""
        self.actor.go_on.remote()

    def call_off(self) -> None:
        """End all that runs."""
        self.actor.call_off.remote()

    def kill(self) -> None:
        """End the broker itself, which does not answer; the trials that wait for it end with it, and stay open."""
        ray.kill(self.actor)

    # From a coordinator.

    def outcome(self, trial: int) -> TrialOutcome | None:
        """What became of a trial, once it has ended; None: it was not needed."""
        return cast(TrialOutcome | None, ray.get(self.actor.outcome.remote(trial)))

    # From a worker.

    def begin(self, keys: list[str], worker: Worker) -> Grant:
        """Ask which stages of a row to run."""
        return cast(Grant, ray.get(self.actor.begin.remote(keys, worker)))

    def report(self, key: str, done: int, epochs: int, values: dict[str, float]) -> None:
        """Say how far a stage is."""
        self.actor.report.remote(key, done, epochs, values)

    def alive(self, key: str, worker: Worker) -> None:
        """Say that a stage gets on."""
        self.actor.alive.remote(key, worker)

    def waits(self, key: str, words: str) -> None:
        """Say which lock a stage waits for; empty: for none any more."""
        self.actor.waits.remote(key, words)


@contextlib.contextmanager
def closing(broker: BrokerHandle) -> Iterator[BrokerHandle]:
    """The broker for a block of work; afterwards it holds nothing, in the store or on a node."""
    try:
        yield broker
    finally:
        with contextlib.suppress(RayError):
            ray.get(broker.actor.close.remote(), timeout=CLOSE_S)
