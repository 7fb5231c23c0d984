"""The broker as other processes see it: each method is a typed message to its actor.

Ray's own handles accept any method with any arguments; here mypy checks both ends.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, cast

import ray
from ray.exceptions import RayError

from tuner.search.execute.hang_detector import Worker
from tuner.search.execute.messages import Grant, RunSnapshot, TrialOutcome
from tuner.search.execute.plan import StageSpec
from tuner.search.stopping.bar import Bar

CLOSE_S = 10.0  # time limit for releasing claims in the store and cancelling running stages


class BrokerHandle:
    """A running `StageBroker`, with the broker's methods; those that return nothing do not wait.

    Args:
        actor: Ray's handle.
    """

    def __init__(self, actor: Any) -> None:
        self.actor = actor

    # From the driver.

    def expect(self, trial: int) -> None:
        """Tune is about to start a trial's coordinator."""
        self.actor.expect.remote(trial)

    def hand_out(self, trial: int, stages: list[StageSpec] | None, bar: Bar | None = None) -> None:
        """Start a trial, with what it is compared with at its rung; no stages: it is not needed."""
        self.actor.hand_out.remote(trial, stages, bar)

    def skip(self, trial: int, cause: str) -> None:
        """End a trial, and its stages unless other trials wait for them."""
        self.actor.skip.remote(trial, cause)

    def forget(self, trial: int) -> None:
        """A trial's outcome has been recorded."""
        self.actor.forget.remote(trial)

    def run_trials(self, numbers: Sequence[int], rows: Sequence[list[StageSpec]]) -> list[Any]:
        """Run sequences of stages concurrently through the broker; returns a reference to the outcome of each."""
        return [self.actor.run_trial.remote(number, row) for number, row in zip(numbers, rows, strict=True)]

    def snapshot(self, timeout_s: float) -> list[RunSnapshot]:
        """The active runs.

        Raises:
            ray.exceptions.GetTimeoutError: the broker has not answered in time.
            ray.exceptions.RayError: the broker has ended.
        """
        return cast(list[RunSnapshot], ray.get(self.actor.snapshot.remote(), timeout=timeout_s))

    def stop(self) -> None:
        """Start no more stages."""
        self.actor.stop.remote()

    def go_on(self) -> None:
        """Accept new stages again."""
        self.actor.go_on.remote()

    def call_off(self) -> None:
        """Cancel all running stages."""
        self.actor.call_off.remote()

    def kill(self) -> None:
        """Kill the unresponsive broker; trials waiting for it end too, and stay open."""
        ray.kill(self.actor)

    # From a coordinator.

    def outcome(self, trial: int) -> TrialOutcome | None:
        """The outcome of a trial, once it has ended; None: it was not needed."""
        return cast(TrialOutcome | None, ray.get(self.actor.outcome.remote(trial)))

    # From a worker.

    def begin(self, keys: list[str], worker: Worker) -> Grant:
        """Ask which of the stages to run."""
        return cast(Grant, ray.get(self.actor.begin.remote(keys, worker)))

    def report(self, key: str, done: int, epochs: int, values: dict[str, float]) -> None:
        """Report the progress of a stage."""
        self.actor.report.remote(key, done, epochs, values)

    def alive(self, key: str, worker: Worker) -> None:
        """Send a heartbeat of a stage."""
        self.actor.alive.remote(key, worker)

    def waits(self, key: str, words: str) -> None:
        """Report the lock that a stage waits for; empty: it no longer waits."""
        self.actor.waits.remote(key, words)


@contextlib.contextmanager
def closing(broker: BrokerHandle) -> Iterator[BrokerHandle]:
    """The broker for a block of work; afterwards it holds no claims in the store and no resources."""
    try:
        yield broker
    finally:
        with contextlib.suppress(RayError):
            ray.get(broker.actor.close.remote(), timeout=CLOSE_S)
