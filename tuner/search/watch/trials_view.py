"""The live display of a search: a table of trials for a terminal, a line for a log."""

import time
from collections.abc import Callable, Sequence

from rich.console import Group
from rich.text import Text

from tuner.base.steps import duration
from tuner.base.tables import Column, make_table
from tuner.front import pareto
from tuner.front.pareto import Objective
from tuner.search.execute.messages import RunSnapshot
from tuner.search.record.restoration import SearchState, TrialRecord
from tuner.search.watch.texts import heading, number, reuse_line, told_stage

SUMMARY_EVERY_S = 30.0
SHOWN_ENDED = 8

Snapshot = Callable[[], list[RunSnapshot]]


class TrialsView:
    """The trials of a search, the running stages and the overall progress; see `LiveView`.

    Args:
        state: the search's state, read at each refresh.
        objectives: the columns.
        trials: total number of trials.
        searched: names of the parameters to show.
        snapshot: returns the running stages; called at each refresh.
    """

    def __init__(
        self,
        state: SearchState,
        objectives: Sequence[Objective],
        trials: int,
        searched: Sequence[str],
        snapshot: Snapshot,
    ) -> None:
        self._state, self._objectives = state, objectives
        self._trials, self._searched, self._snapshot = trials, searched, snapshot
        self._ended_before = len(state.finished())
        self._started = time.monotonic()
        self._told: tuple[int, float] | None = None  # trials ended, and when, at the last summary in a log
        self._running: list[RunSnapshot] = []

    @property
    def running(self) -> list[RunSnapshot]:
        """The stages at the last refresh."""
        return self._running

    def refresh(self) -> None:
        """Fetch the running stages."""
        self._running = self._snapshot()

    def line(self) -> str:
        """The progress in one line, for logs: the stages, and a summary if it has changed or is due."""
        stages = ", ".join(f"trial {run.trial} {told_stage(run)}" for run in self._running) or "between stages"
        ended, now = len(self._state.finished()), time.monotonic()
        if self._told is not None and self._told[0] == ended and now - self._told[1] < SUMMARY_EVERY_S:
            return stages
        self._told = ended, now
        return f"{self._summary()} | {stages}"

    def _summary(self) -> str:
        points = self._state.points(self._objectives)
        front, volume = pareto.front(points, self._objectives), pareto.hypervolume(points, self._objectives)
        counts = self._state.counts()
        other = "".join(f", {n} {outcome}" for outcome, n in counts.items() if outcome != "complete")
        return (
            f"{sum(counts.values())}/{self._trials} trials{other} | front {len(front)} | hypervolume {volume:.4f}"
            f" | {reuse_line(self._state)} | {self._eta()}"
        )

    def _eta(self) -> str:
        ended = len(self._state.finished())
        fresh, left = ended - self._ended_before, self._trials - ended
        if left <= 0:
            return "last trials done"
        if fresh == 0:
            return "ETA unknown yet"
        return f"ETA {duration((time.monotonic() - self._started) / fresh * left)}"

    def render(self, width: int) -> Group:
        """The open trials and the latest ended ones as a table no wider than `width`, and a summary below."""
        members = {p.trial for p in pareto.front(self._state.points(self._objectives), self._objectives)}
        stages = {run.trial: told_stage(run) for run in self._running}
        trials = [*self._state.finished()[-SHOWN_ENDED:], *self._state.open()]
        styles = [_style(trial, trial.number in members) for trial in trials]

        def column(heading: str, cells: Sequence[str], weight: int, *, words: bool = False) -> Column:
            texts = [Text(cell, style) for cell, style in zip(cells, styles, strict=True)]
            return Column(heading, texts, weight, words)

        states = [
            "on the front" if trial.number in members else trial.outcome or stages.get(trial.number, "waiting")
            for trial in trials
        ]
        columns = [column("trial", [str(trial.number) for trial in trials], 3)]
        columns.append(column("state", states, 2, words=True))
        for name in self._searched:
            columns.append(column(heading(name), [number(trial.params.get(name)) for trial in trials], 0))
        known = [{**trial.params, **trial.values} for trial in trials]
        for objective in self._objectives:
            columns.append(column(heading(objective.name), [number(k.get(objective.name)) for k in known], 1))
        table, left_out = make_table(columns, width)
        notes = [Text(line, style="dim") for line in (left_out, self._summary()) if line]
        return Group(table, *notes)


def _style(trial: TrialRecord, member: bool) -> str:
    colours = {"complete": "green", "pruned": "dim", "failed": "red", "infeasible": "yellow"}
    return "bold cyan" if member else colours.get(trial.outcome or "", "")
