"""What a person sees while a search runs: a live table on a terminal, a short line every few seconds elsewhere."""

import math
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from tuner.base.steps import LINE_EVERY_S, REFRESH_S, duration, is_lively
from tuner.base.tables import Column, make_table
from tuner.front import pareto
from tuner.front.pareto import Objective
from tuner.search.execute.messages import RunSnapshot
from tuner.search.record.holder import short
from tuner.search.record.restoration import SearchState, TrialRecord

SUMMARY_EVERY_S = 30.0
SHOWN_ENDED = 8
QUIET_S = 30.0  # a stage usually gets on within seconds

# Short headings, for terminals are narrow.
HEADINGS = {
    "n_features": "features",
    "features_per_class": "per class",
    "interpretability": "interpret.",
    "plausibility_undilated": "plausible",
    "class_independence": "class-ind.",
    "contrastiveness": "contrast",
}

Snapshot = Callable[[], list[RunSnapshot]]


class ProgressView:
    """Shows a search until it is closed; use as a context manager.

    Args:
        console: where to print; a live table if it is a terminal.
        state: the search's state, read again at each refresh.
        objectives: the columns.
        trials: trials in all.
        searched: names of the parameters to show.
        snapshot: the stages under way; asked every REFRESH_S.
    """

    def __init__(
        self,
        console: Console,
        state: SearchState,
        objectives: Sequence[Objective],
        trials: int,
        searched: Sequence[str],
        snapshot: Snapshot,
    ) -> None:
        self._console, self._state, self._objectives = console, state, objectives
        self._trials, self._searched, self._snapshot = trials, searched, snapshot
        self._ended_before = len(state.finished())
        self._started = time.monotonic()
        self._told: tuple[int, float] | None = None  # trials ended, and when, at the last summary in a log
        self._running: list[RunSnapshot] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="progress", daemon=True)

    def __enter__(self) -> "ProgressView":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def running(self) -> list[RunSnapshot]:
        """The stages as they were when somebody last looked."""
        return self._running

    def _run(self) -> None:
        if not is_lively(self._console):
            due = 0.0
            while not self._stop.wait(REFRESH_S):
                self._running = self._snapshot()
                if time.monotonic() >= due:
                    due = time.monotonic() + LINE_EVERY_S
                    self._console.print(self.line(), highlight=False, markup=False, soft_wrap=True)
            return
        with Live(self._table(), console=self._console, refresh_per_second=4, transient=True) as live:
            while not self._stop.wait(REFRESH_S):
                self._running = self._snapshot()
                live.update(self._table())

    def line(self) -> str:
        """The progress in one line, for logs: the stages, and where the search stands if that is news or long ago."""
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

    def _table(self) -> Group:
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
        table, left_out = make_table(columns, self._console.width)
        notes = [Text(line, style="dim") for line in (left_out, self._summary()) if line]
        return Group(table, *notes)


def _style(trial: TrialRecord, member: bool) -> str:
    colours = {"complete": "green", "failed": "red", "infeasible": "yellow"}
    return "bold cyan" if member else colours.get(trial.outcome or "", "")


def reuse_line(state: SearchState) -> str:
    """What reuse saved, such as "dense reused 37 times, 41 min saved"."""
    table = state.reuse()
    reused = [f"{stage} reused {row['reused']:.0f} times" for stage, row in table.items() if row["reused"]]
    if not reused:
        return "nothing reused yet"
    return f"{', '.join(reused)}, {duration(sum(row['saved_s'] for row in table.values()))} saved"


def number(value: Any) -> str:
    """A cell of a table: numbers short, nothing for None."""
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def told_stage(run: RunSnapshot) -> str:
    """A stage under way: its epoch, or the program's incumbent and gap; who else runs it, and whether it is silent."""
    if run.elsewhere:
        return f"{run.stage} run by {short(run.elsewhere)}"
    if not run.begun:
        return f"{run.stage} waiting"
    if run.waits:
        return f"{run.stage} {run.waits}"
    detail = f" {run.done}/{run.epochs}" if run.epochs else ""
    known = {name: value for name, value in run.values.items() if math.isfinite(value)}
    if "incumbent" in known:
        detail = f" {known['incumbent']:.5g}" + (f" gap {100 * known['gap']:.2g} %" if "gap" in known else "")
    quiet = f" (nothing heard for {duration(run.quiet_s)})" if run.quiet_s > QUIET_S else ""
    return f"{run.stage}{detail} {duration(run.seconds)}{quiet}"


def heading(name: str) -> str:
    """A column's heading: short where the name is long."""
    split, _, metric = name.rpartition("/")
    return f"{split} {HEADINGS.get(metric, metric)}".strip()
