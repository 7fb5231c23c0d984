"""The queue of trials, where Tune's coordinators and the driver meet: the one asks for a trial, the other hands it out.

Either may come first, and Tune starts coordinators while others end.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence

from tuner.search.execute.messages import TrialOutcome
from tuner.search.execute.plan import StageSpec

START_S = 30.0
"""How long a coordinator may take to start."""

RunTrial = Callable[[int, Sequence[StageSpec]], Awaitable[TrialOutcome]]


class TrialQueue:
    """The trials of a search between Tune, which asks for them by number, and the driver, which says what they are.

    Args:
        run: takes a trial through its stages; called as soon as the trial is handed out.
    """

    def __init__(self, run: RunTrial) -> None:
        self._run = run
        self._trials: dict[int, asyncio.Future[asyncio.Future[TrialOutcome] | None]] = defaultdict(asyncio.Future)
        self._expected: set[int] = set()  # trials whose coordinators are about to start
        self._came: set[int] = set()  # those that came before they were expected
        self._all_here = asyncio.Event()

    def __len__(self) -> int:
        """Trials that are not forgotten."""
        return len(self._trials)

    def expect(self, trial: int) -> None:
        """A trial's coordinator is about to start."""
        if trial in self._came:
            self._came.remove(trial)
        else:
            self._expected.add(trial)
            self._all_here.clear()

    def hand_out(self, trial: int, stages: Sequence[StageSpec] | None) -> None:
        """Begin a trial; None: there is nothing to do."""
        work = None if stages is None else asyncio.ensure_future(self._run(trial, stages))
        self._trials[trial].set_result(work)

    async def outcome(self, trial: int) -> TrialOutcome | None:
        """What became of a trial, once it has been handed out; None: there was nothing to do.

        The answer waits until no coordinator is about to start: Tune gives the process of one that ends to one that
        starts, throws away what it had begun to start, and so would start processes for ever.
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

    def forget(self, trial: int) -> None:
        """Nobody asks for a trial again."""
        self._trials.pop(trial, None)
