"""The queue between Tune's coordinators, which ask for trials, and the driver, which hands them out.

Either may come first, and Tune starts coordinators while others end.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence

from tuner.search.execute.messages import TrialOutcome
from tuner.search.execute.plan import StageSpec
from tuner.search.stopping.bar import Bar

START_S = 30.0
"""How long a coordinator may take to start."""

RunTrial = Callable[[int, Sequence[StageSpec], Bar | None], Awaitable[TrialOutcome]]


class TrialQueue:
    """The trials of a search between Tune, which asks for them by number, and the driver, which defines them.

    Args:
        run: takes a trial through its stages; called as soon as the trial is handed out.
    """

    def __init__(self, run: RunTrial) -> None:
        self._run = run
        self._trials: dict[int, asyncio.Future[asyncio.Future[TrialOutcome] | None]] = defaultdict(asyncio.Future)
        self._expected: set[int] = set()  # trials whose coordinators are about to start
        self._came: set[int] = set()  # those that arrived before they were expected
        self._all_here = asyncio.Event()

    def __len__(self) -> int:
        """Trials that have not been forgotten."""
        return len(self._trials)

    def expect(self, trial: int) -> None:
        """A trial's coordinator is about to start."""
        if trial in self._came:
            self._came.remove(trial)
        else:
            self._expected.add(trial)
            self._all_here.clear()

    def hand_out(self, trial: int, stages: Sequence[StageSpec] | None, bar: Bar | None = None) -> None:
        """Start a trial, which is compared at its rung, if it has one; no stages: there is nothing to do."""
        work = None if stages is None else asyncio.ensure_future(self._run(trial, stages, bar))
        self._trials[trial].set_result(work)

    async def outcome(self, trial: int) -> TrialOutcome | None:
        """The outcome of a trial, after it has been handed out; None: there was nothing to do.

        The answer waits until no coordinator is about to start. Otherwise Tune would give the process of an ending
        coordinator to a starting one, discard the process it was starting, and so start processes without end.
        """
        if trial in self._expected:
            self._expected.remove(trial)
        else:
            self._came.add(trial)
        if not self._expected:
            self._all_here.set()
        work = await self._trials[trial]
        outcome = None if work is None else await work
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._all_here.wait(), START_S)
        return outcome

    def skip(self, trial: int, cause: str) -> None:
        """End a trial that has been handed out; its outcome is `skipped`, unless it has ended already."""
        future = self._trials.get(trial)
        work = future.result() if future is not None and future.done() else None
        if work is not None:
            work.cancel(cause)

    def forget(self, trial: int) -> None:
        """Forget a trial; it is not requested again."""
        self._trials.pop(trial, None)
