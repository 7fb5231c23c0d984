"""The Ray task that runs a sequence of stages in a worker, and reports their progress to the broker."""

import contextlib
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import ray

from tuner.base import locks, pulse
from tuner.base.steps import repeated
from tuner.search.execute.broker_handle import BrokerHandle
from tuner.search.execute.hang_detector import this_worker
from tuner.search.execute.messages import StageResult
from tuner.search.execute.plan import StageSpec

TELL_S = 0.5  # between two progress reports
PULSE_S = 5.0  # between two heartbeats


@ray.remote(num_returns="streaming", max_retries=0)
def stage_task(
    specs: list[StageSpec], store_url: str, scratch: str, threads: int, broker: BrokerHandle
) -> Iterator[StageResult]:
    """Run stages in a worker, one after the other; the heavy imports happen here, not in the driver.

    The broker is asked first: it learns which process this is, and may say that another driver runs the stages.
    """
    me = this_worker()
    granted, instead = broker.begin([spec.key for spec in specs], me)
    if instead is not None:
        yield instead
    spec, last = specs[0], 0.0

    def progress(done: int, epochs: int, values: dict[str, float]) -> None:
        nonlocal last
        if time.monotonic() - last > TELL_S:
            last = time.monotonic()
            broker.report(spec.key, done, epochs, values)

    for spec in specs[:granted]:
        with _pulsed(partial(broker.alive, spec.key, me), partial(broker.waits, spec.key)):
            from tuner.search.execute.worker import run_stage

            result = run_stage(spec, store_url, Path(scratch), threads, progress)
        yield result
        if result.outcome != "complete":
            return


@contextlib.contextmanager
def _pulsed(tell: Callable[[], object], tell_waits: Callable[[str], object]) -> Iterator[None]:
    """While a block runs, send heartbeats if it makes progress, and the lock it waits for."""
    seen, told = pulse.count(), ""

    def look() -> None:
        nonlocal seen, told
        if (now := pulse.count()) != seen:
            seen = now
            tell()
        if (waits := locks.waits()) != told:
            told = waits
            tell_waits(waits)

    with repeated(PULSE_S, look):
        yield
