"""The live display of a search: a header and a table of trials for a terminal, one line per event for a log."""

import time
from collections.abc import Callable, Mapping, Sequence

from rich.console import Group
from rich.text import Text

from tuner.base.tables import Column, make_table
from tuner.front import pareto, uncertainty
from tuner.front.hypervolume import hypervolume
from tuner.front.pareto import Point
from tuner.recipe import Recipe, StageResources, objectives_of
from tuner.search.control.now import Doing, Now
from tuner.search.cost.forecast import Expected
from tuner.search.execute.messages import RunSnapshot
from tuner.search.record.fields import clean
from tuner.search.record.reference import reference_for
from tuner.search.record.restoration import SearchState, TrialRecord
from tuner.search.watch.header import Place, ahead, best, header, progress
from tuner.search.watch.news import News
from tuner.search.watch.texts import figure, heading, number
from tuner.search.watch.waiting import doing

SHOWN_ENDED = 6
FEWEST_ROWS = 6
HEADINGS = 4  # lines of a table that are no rows: its heading, perhaps wrapped, and the names of left-out columns

Snapshot = Callable[[], list[RunSnapshot]]


class TrialsView:
    """The trials of a search, the running stages and the overall progress; see `LiveView`.

    Members of the front are always shown: those that have no room in the table are named below it.

    Args:
        state: the search's state, read at each refresh.
        recipe: of the search; its budget may change.
        snapshot: returns the running stages; called at each refresh.
        place: where the search can be looked at.
        needs: what a run of each stage holds.
        began_s: when the driver began, by `time.monotonic`; None: now.
        expected: returns what the search is expected to take, confirmation included; None where that is unknown.
        stopping: whether someone has asked for its end.
    """

    def __init__(
        self,
        state: SearchState,
        recipe: Recipe,
        snapshot: Snapshot,
        place: Place,
        needs: Mapping[str, StageResources],
        began_s: float | None = None,
        expected: Callable[[], Expected | None] = lambda: None,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._state, self._recipe, self._snapshot, self._needs = state, recipe, snapshot, needs
        self._objectives, self._searched = objectives_of(recipe), list(recipe.space)
        self._header = header(place, recipe, self._objectives)
        self._news = News(state, self._objectives, self._searched, needs)
        self._began_s = time.monotonic() if began_s is None else began_s
        self._expected, self._stopping = expected, stopping
        self._elapsed_before_s = state.elapsed_s
        self._told_header = False
        self._running: list[RunSnapshot] = []

    @property
    def running(self) -> list[RunSnapshot]:
        """The stages at the last refresh."""
        return self._running

    @property
    def elapsed_s(self) -> float:
        """Search time so far."""
        return self._elapsed_before_s + time.monotonic() - self._began_s

    def refresh(self) -> None:
        """Fetch the running stages."""
        self._running = self._snapshot()

    def news(self) -> list[str]:
        """What has happened since the last call, one line per event; first of all, what is searched."""
        first = [] if self._told_header else [*self._header, self.summary()]
        self._told_header = True
        return [*first, *self._news.lines(self._running, self.progress, self.ahead)]

    def progress(self) -> str:
        """How far the search is, in one line, without its front."""
        return progress(self._state, self._recipe, self.elapsed_s, self._expected(), stopping=self._stopping())

    def ahead(self) -> str:
        """The same in a few words: "7/16 trials | ETA 12 min"."""
        return ahead(self._state, self._recipe, self._expected(), stopping=self._stopping())

    def summary(self) -> str:
        """How far the search is, in one line."""
        points = self._state.points(self._objectives)
        volume = hypervolume(points, self._objectives, reference_for(self._state, self._objectives))
        return f"{self.progress()} | {len(self._members())} on the front, hypervolume {100 * volume:.1f} %"

    def doing(self, trial: int) -> str:
        """What an open trial does or waits for."""
        return doing(trial, self._running, self._needs, paused=self._state.paused is not None)

    def now(self) -> Now:
        """What the search does now, for people on other machines."""
        runs = {run.trial: run for run in self._running}
        trials = {}
        for trial in self._state.open():
            run, words = runs.get(trial.number), self.doing(trial.number)
            trials[trial.number] = Doing(words, run.stage, run.where, run.seconds) if run else Doing(words)
        return Now(self.summary(), trials)

    def render(self, width: int, height: int) -> Group:
        """Header, trials and summary, in at most `width` columns and, if that is possible, `height` lines.

        Open trials come first, then members of the front from the best in the first objective on, then the trials that
        ended last.
        """
        lines = [*self._header, self.summary(), best(self._state, self._objectives)]
        above = [_fitted(line, "bold" if i == 0 else "", width) for i, line in enumerate(lines) if line]
        members = self._members()
        used = sum(len(text.plain.splitlines()) for text in above) + HEADINGS
        room = max(FEWEST_ROWS, height - used)
        shown, unshown = self._chosen(members, room)
        if unshown:
            shown, unshown = self._chosen(members, max(FEWEST_ROWS, room - 1 - self._also(unshown, width).count("\n")))
        table, left_out = make_table(self._columns(shown, {member.trial for member in members}), width)
        notes = [Text(line, style="dim") for line in (left_out, self._also(unshown, width)) if line]
        return Group(*above, table, *notes)

    def _members(self) -> list[Point]:
        """The members of the front, the best in the first objective on top."""
        first = self._objectives[0]
        members = pareto.front(self._state.points(self._objectives), self._objectives)
        return sorted(members, key=lambda member: (-first.goodness(member.values[first.name]), member.trial))

    def _chosen(self, members: Sequence[Point], room: int) -> tuple[list[TrialRecord], list[Point]]:
        """The trials that have room in the table, and the members that have none."""
        numbers = {member.trial for member in members}
        opened = self._state.open()[: max(1, min(self._recipe.budget.parallel, room // 2))]
        kept = members[: max(0, room - len(opened))]
        rest = max(0, min(SHOWN_ENDED, room - len(opened) - len(kept)))
        ended = [trial for trial in self._state.finished() if trial.number not in numbers]
        shown = [*opened, *(self._state.trials[member.trial] for member in kept), *(ended[-rest:] if rest else [])]
        return shown, list(members[len(kept) :])

    def _also(self, members: Sequence[Point], width: int) -> str:
        """The members that have no room in the table; empty if there are none."""
        if not members:
            return ""
        first = self._objectives[0].name
        told = ", ".join(f"{member.trial} ({figure(first, member.values[first])})" for member in members)
        return _fitted(f"also on the front (with {heading(first)}): {told}", "", width).plain

    def _columns(self, trials: Sequence[TrialRecord], members: set[int]) -> list[Column]:
        styles = [_style(trial, trial.number in members) for trial in trials]

        def column(heading: str, cells: Sequence[str], weight: int, *, words: bool = False) -> Column:
            texts = [Text(cell, style) for cell, style in zip(cells, styles, strict=True)]
            return Column(heading, texts, weight, words)

        states = [
            "on the front" if trial.number in members else trial.outcome or self.doing(trial.number) for trial in trials
        ]
        columns = [column("trial", [str(trial.number) for trial in trials], 3)]
        columns.append(column("state", [clean(state) for state in states], 2, words=True))
        for name in self._searched:
            columns.append(column(heading(name), [number(trial.params.get(name)) for trial in trials], 0))
        known = [{**trial.params, **trial.values} for trial in trials]
        for name in (o.name for o in self._objectives if o.name not in self._searched):
            cells = [figure(name, values.get(name), uncertainty.error(name, values)) for values in known]
            columns.append(column(heading(name), cells, 1))
        return columns


def _fitted(line: str, style: str, width: int) -> Text:
    """A line wrapped to the width: between words where there are any, so that addresses stay whole if they fit."""
    words, lines = clean(line).split(" "), [""]
    for word in words:
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    pieces = [line[start : start + width] for line in lines for start in range(0, max(1, len(line)), width)]
    return Text("\n".join(pieces), style=style)


def _style(trial: TrialRecord, member: bool) -> str:
    colours = {"complete": "green", "pruned": "dim", "failed": "red", "infeasible": "yellow"}
    return "bold cyan" if member else colours.get(trial.outcome or "", "")
