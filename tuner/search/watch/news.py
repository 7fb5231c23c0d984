"""What happens in a search as lines for a log: one per event, and a summary when nothing has happened for a while."""

import time
from collections.abc import Callable, Sequence

from tuner.base.steps import LONGEST_S
from tuner.base.text import one_line
from tuner.front import pareto
from tuner.front.pareto import Objective
from tuner.search.execute.messages import RunSnapshot
from tuner.search.record.fields import clean
from tuner.search.record.state import SearchState, TrialRecord
from tuner.search.watch.texts import goes_on, heading, measured, number, told_stage
from tuner.search.watch.waiting import Needs, told_run

QUIET_S = LONGEST_S
"""Seconds without an event after which a log gets a line that the search is at work."""
PAUSED_S = 600.0
"""The same while the search is paused and nothing runs."""
LATE_S = 30.0
"""Seconds for which a stage may wait before a log gets a line about it."""
LONGEST = 134
"""Characters of a line; with date and time it stays below 160."""


class News:
    """The events of a search since the last call.

    Args:
        state: of the search; trials that it holds already are no news.
        objectives: of the search.
        searched: names of the searched parameters.
        needs: what a run of each stage holds.
    """

    def __init__(
        self, state: SearchState, objectives: Sequence[Objective], searched: Sequence[str], needs: Needs
    ) -> None:
        self._state, self._objectives, self._searched, self._needs = state, objectives, searched, needs
        self._begun = set(state.trials)
        self._ended = {trial.number: trial.outcome for trial in state.finished()}
        self._stages: set[tuple[int, str]] = set()
        self._late: set[tuple[int, str]] = set()
        self._told_s = time.monotonic()

    def lines(self, runs: Sequence[RunSnapshot], summary: Callable[[], str], ahead: Callable[[], str]) -> list[str]:
        """The lines since the last call.

        Args:
            runs: the active runs of stages.
            summary: says how far the search is.
            ahead: says the same in short, at the end of the line of a trial that has ended.
        """
        begun = self._trials_begun()
        going_on = self._trials_going_on()
        at_once = [line for number, line in begun.items() if self._state.trials[number].outcome]  # since the last call
        if ended := self._trials_ended():
            tail = f" | {ahead()}"
            ended = [f"{one_line(clean(line), LONGEST - len(tail))}{tail}" for line in ended]
        others = [line for line in begun.values() if line not in at_once]
        found = [*at_once, *ended, *going_on, *others, *self._stages_begun(runs)]
        quiet_s = PAUSED_S if self._state.paused is not None and not runs else QUIET_S
        if not found and time.monotonic() - self._told_s > quiet_s:
            stages = ", ".join(f"trial {run.trial} {told_stage(run)}" for run in runs) or "between stages"
            found = [f"{summary()} | {stages}"]
        if found:
            self._told_s = time.monotonic()
        return [one_line(clean(line), LONGEST) for line in found]

    def _trials_begun(self) -> dict[int, str]:
        """A line for each trial that has begun, by its number."""
        fresh = sorted(set(self._state.trials) - self._begun)
        self._begun.update(fresh)
        return {number: f"trial {number} begins: {self._params(self._state.trials[number])}" for number in fresh}

    def _stages_begun(self, runs: Sequence[RunSnapshot]) -> list[str]:
        lines = []
        for run in runs:
            which = (run.trial, run.stage)
            if run.begun and which not in self._stages:
                self._stages.add(which)
                lines.append(f"trial {run.trial}: {run.stage} begins")
            elif not run.begun and run.seconds > LATE_S and which not in self._late:
                self._late.add(which)
                lines.append(f"trial {run.trial}: {told_run(run, self._needs)}")
        return lines

    def _trials_going_on(self) -> list[str]:
        """A line for each trial that had paused and is open again; its end is news once more."""
        again = [trial for trial in self._state.open() if self._ended.pop(trial.number, None)]
        return [goes_on(trial) for trial in again]

    def _trials_ended(self) -> list[str]:
        fresh = [trial for trial in self._state.finished() if self._ended.get(trial.number) != trial.outcome]
        self._ended.update((trial.number, trial.outcome) for trial in fresh)
        members = {p.trial for p in pareto.front(self._state.points(self._objectives), self._objectives)}
        return [self._ended_line(trial, trial.number in members) for trial in fresh]

    def _ended_line(self, trial: TrialRecord, member: bool) -> str:
        took = f"trial {trial.number} {trial.outcome} after {trial.seconds:.0f} s"
        if trial.outcome != "complete":
            return f"{took}{f' in {trial.stage}' if trial.stage else ''}: {trial.cause}"
        if trial.stages and all(use.reused for use in trial.stages):
            took = f"trial {trial.number} complete, all stages reused"
        known = {**trial.params, **trial.values}
        return f"{took}{', on the front' if member else ''}: {measured(self._objectives, known)}"

    def _params(self, trial: TrialRecord) -> str:
        return ", ".join(f"{heading(name)} {number(trial.params.get(name))}" for name in self._searched)
