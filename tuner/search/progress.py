"""What a person sees while a search runs: a live table on a terminal, a line now and then elsewhere."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tuner.front import pareto
from tuner.front.pareto import Objective
from tuner.search.records import SearchState, TrialRecord

REFRESH_S = 0.5
LINE_EVERY_S = 15.0
SHOWN_ENDED = 8

# Short headings, for terminals are narrow.
HEADINGS = {
    "n_features": "features",
    "features_per_class": "per class",
    "interpretability": "interpret.",
    "plausibility_undilated": "plausible",
    "class_independence": "class-ind.",
    "contrastiveness": "contrast",
}

Snapshot = Callable[[], list[dict[str, Any]]]


class ProgressView:
    """Shows a search until it is closed; use as a context manager.

    Args:
        console: where to print; a live table if it is a terminal.
        state: the search's state, read again at each refresh.
        objectives: the columns.
        trials: trials in all.
        searched: names of the parameters to show.
        snapshot: the stages under way.
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
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="progress", daemon=True)

    def __enter__(self) -> "ProgressView":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        if self._console.is_terminal:
            with Live(self._table([]), console=self._console, refresh_per_second=4, transient=True) as live:
                while not self._stop.wait(REFRESH_S):
                    live.update(self._table(self._snapshot()))
            return
        while not self._stop.wait(LINE_EVERY_S):
            self._console.print(self.line(self._snapshot()), highlight=False, soft_wrap=True)

    def line(self, running: list[dict[str, Any]]) -> str:
        """The progress in one line, for logs."""
        stages = ", ".join(f"trial {r['trial']} {_stage(r)}" for r in running) or "between stages"
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

    def _table(self, running: list[dict[str, Any]]) -> Group:
        table = Table(box=None, header_style="bold", pad_edge=False)
        table.add_column("trial", justify="right")
        table.add_column("state")
        for name in (*self._searched, *(objective.name for objective in self._objectives)):
            table.add_column(heading(name), justify="right")
        members = {p.trial for p in pareto.front(self._state.points(self._objectives), self._objectives)}
        stages = {r["trial"]: _stage(r) for r in running}
        recent = self._state.finished()[-SHOWN_ENDED:]
        for trial in [*recent, *self._state.open()]:
            table.add_row(*self._row(trial, stages, trial.number in members))
        return Group(table, Text(self._summary(), style="dim"))

    def _row(self, trial: TrialRecord, stages: dict[int, str], member: bool) -> list[Text]:
        state = trial.outcome or stages.get(trial.number, "waiting")
        style = {"complete": "green", "failed": "red", "infeasible": "yellow"}.get(trial.outcome or "", "")
        known = {**trial.params, **trial.values}
        values = [number(known.get(objective.name)) for objective in self._objectives]
        cells = [str(trial.number), "on the front" if member else state]
        cells += [number(trial.params.get(name)) for name in self._searched] + values
        return [Text(cell, style="bold cyan" if member else style) for cell in cells]


def reuse_line(state: SearchState) -> str:
    """What reuse saved, such as "dense reused 37 times, 41 min saved"."""
    table = state.reuse()
    reused = [f"{stage} reused {row['reused']:.0f} times" for stage, row in table.items() if row["reused"]]
    if not reused:
        return "nothing reused yet"
    return f"{', '.join(reused)}, {duration(sum(row['saved_s'] for row in table.values()))} saved"


def duration(seconds: float) -> str:
    """A duration people read: 41 s, 12 min, 3.2 h."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def number(value: Any) -> str:
    """A cell of a table: numbers short, nothing for None."""
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _stage(run: dict[str, Any]) -> str:
    epochs = f" {run['done']}/{run['epochs']}" if run["epochs"] else ""
    return f"{run['stage']}{epochs} {duration(run['seconds'])}"


def heading(name: str) -> str:
    """A column's heading: short where the name is long."""
    split, _, metric = name.rpartition("/")
    return f"{split} {HEADINGS.get(metric, metric)}".strip()
