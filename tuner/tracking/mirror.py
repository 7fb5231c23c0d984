"""Mirrors the ledger to MLflow in a background thread, so that no trial ever waits for MLflow.

The thread pauses between updates, so that a run's new events are sent together, at half the cost. A failure causes one
warning. Unsent events stay pending and are retried with exponential backoff; `replay` sends what is still pending at
the end when the search starts again.
"""

import shlex
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from functools import reduce
from operator import add
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tuner.errors import TunerError
from tuner.tracking.connection import artifact_location, connect, describe, is_refusal, redact
from tuner.tracking.database import absolute
from tuner.tracking.dataset import DatasetInfo
from tuner.tracking.experiment import Experiment
from tuner.tracking.front import Confirmed, Front, show_front
from tuner.tracking.registry import register_model
from tuner.tracking.summary import Summary
from tuner.tracking.updates import RUNG, Entry, Rows, translate
from tuner.tracking.view import runs_page

Curves = Callable[[str, str], list[dict[str, float]]]

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0
REST = 4.0  # pause after an update, as a multiple of its duration, at most LONGEST_PAUSE_S
MOST_FAILURES = 5  # of one run while MLflow is reachable
REGISTER_PATIENCE_S = 120.0
LOCAL_SERVER = "http://127.0.0.1:5000"  # where `mlflow server` listens if it is told nothing else


class Mirror:
    """Mirrors one search to MLflow. Every method except `register` and `close` returns at once.

    Args:
        uri: `http://host:port` or `sqlite:///path/mlflow.db`; may contain `user:password@`, which is never printed.
        search: name of the search.
        curves: returns the learning curve of (stage, key): one row per epoch with "epoch" and values; empty if none.
        on_warning: called once per warning, usually from the mirror's thread; must not raise.
        on_open: called with `url` whenever the search has been found or made in MLflow; likewise.
        dataset: what the search is trained on.
    """

    def __init__(
        self,
        uri: str,
        search: str,
        curves: Curves,
        on_warning: Callable[[str], None] | None = None,
        on_open: Callable[[str], None] | None = None,
        dataset: DatasetInfo | None = None,
    ) -> None:
        """Cheap: nothing is imported or opened before the first event."""
        self._uri = uri
        self._search = search
        self._curves = curves
        self._on_warning, self._on_open = on_warning, on_open
        self._dataset = dataset
        self._ledger: str | None = None
        self._known: dict[str, Entry] = {}
        self._pending: dict[str, Entry] = {}
        self._front: Front | None = None
        self._summary = Summary()
        self._rungs: dict[str, Any] = {}  # by run, the key of the rung that a trial was measured at last
        self._requests: deque[tuple[Callable[[Experiment], str], Future[str]]] = deque()
        self._wake = threading.Condition()
        self._closing = threading.Event()
        self._abandoned = False
        self._final_status: str | None = None
        self._thread: threading.Thread | None = None
        self._experiment: Experiment | None = None
        self._experiment_id: str | None = None
        self._failures: Counter[str] = Counter()
        self._outage: str | None = None
        self._notes: list[str] = []

    # What the search calls

    def publish(self, event: Mapping[str, Any]) -> None:
        """Queue one more ledger event."""
        self.replay([event])

    def replay(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Queue those of these ledger events that MLflow does not show yet."""
        entries = [Entry.of(event) for event in events]
        with self._wake:
            starts = (entry.id for entry in entries if entry.event.get("event") == "search")
            self._ledger = self._ledger or next(starts, None)
            fresh = {entry.id: entry for entry in entries if entry.id not in self._known}
            self._known |= fresh
            for entry in fresh.values():
                self._summary.add(entry.event)
                if (entry.event.get("event"), entry.event.get("stage")) == ("stage", RUNG):
                    self._rungs[entry.run] = entry.event.get("key")
            self._pending |= fresh
            self._start()

    def front(
        self,
        members: dict[int, int],
        hypervolume_history: list[tuple[float, float]],
        files: list[Path],
        confirmed: Mapping[int, Confirmed] = MappingProxyType({}),
        pictures: Mapping[int, Path] = MappingProxyType({}),
        elapsed_s: float | None = None,
    ) -> None:
        """Queue the front; a newer front replaces one that is still pending.

        Args:
            members: rank of each complete trial, 1 = non-dominated.
            hypervolume_history: (unix time in seconds, hypervolume) after each finished trial, in order.
            files: report.html, front.svg, front.json; stored as artifacts of the search's run.
            confirmed: the confirmation of each member that has one.
            pictures: the picture of the front for the runs of some trials, SVG files by the trial's number.
            elapsed_s: search time in seconds.
        """
        with self._wake:
            shown = dict(members), list(hypervolume_history), list(files), dict(confirmed), dict(pictures)
            self._front = Front(*shown, elapsed_s)
            self._start()

    def register(self, model_folder: Path, search: str, trial: int, alias: str, reason: str) -> str:
        """Register a model under the search's name; see `registry.register_model`. Waits for the answer.

        Raises:
            TunerError: MLflow does not answer, refuses, or does not know the trial; or `search` is another search.
        """
        if search != self._search:
            raise TunerError(f"search '{search}'", f"'{self._search}', as mirrored", "open that search's mirror")
        answer: Future[str] = Future()
        with self._wake:
            self._requests.append(
                (lambda experiment: register_model(experiment, model_folder, trial, alias, reason), answer)
            )
            self._start()
        try:
            return answer.result(REGISTER_PATIENCE_S)
        except TimeoutError as error:
            raise describe(error, self._uri) from error

    def close(self, timeout_s: float, status: str | None = "FINISHED") -> None:
        """Send what is pending, end the search's run and unfinished trials, and stop.

        Args:
            timeout_s: maximum duration in seconds.
            status: status of the search's run: FINISHED, FAILED or KILLED; None leaves all runs unchanged, for
                commands other than the driver.
        """
        with self._wake:
            self._final_status = status
            self._closing.set()
            self._wake.notify()
            thread = self._thread
        if thread is not None:
            thread.join(timeout_s)
            self._abandoned = True
        if self._pending and self._outage is None:
            self._note(f"{len(self._pending)} events were not sent to MLflow; the next start sends them")

    @property
    def warning(self) -> str | None:
        """The current or last problem, or None. Past outages are not mentioned."""
        return self._outage or (self._notes[-1] if self._notes else None)

    @property
    def url(self) -> str:
        """Where to view the search in MLflow, without secrets: the page of its runs, once they are there."""
        address = redact(absolute(self._uri), self._uri)
        page = "" if self._experiment_id is None else f"/{runs_page(self._experiment_id)}"
        if self._uri.startswith("sqlite:"):
            command = f"mlflow server --backend-store-uri {shlex.quote(address)}"
            return f"{command}, then {LOCAL_SERVER}{page}" if page else command
        return f"{address.rstrip('/')}{page}"

    # What the thread does

    def _start(self) -> None:
        if self._thread is None and not self._closing.is_set():
            self._thread = threading.Thread(target=self._work, name="mlflow-mirror", daemon=True)
            self._thread.start()
        self._wake.notify()

    def _has_work(self) -> bool:
        return bool(self._pending or self._front or self._requests)

    def _work(self) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._has_work() or self._closing.is_set())
            last, began_s = self._closing.is_set(), time.monotonic()
            try:
                self._catch_up()
                if last and self._experiment and self._final_status:
                    self._experiment.end(self._final_status)
                self._outage, pause_s = None, FIRST_PAUSE_S
                self._rest(REST * (time.monotonic() - began_s))
            except Exception as error:  # a failure of MLflow must not affect the search
                self._break_off(error)
                self._closing.wait(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            if last or self._abandoned:
                return

    def _rest(self, seconds: float) -> None:
        """Wait, unless a request is waiting for its answer or the mirror is closing."""
        with self._wake:
            self._wake.wait_for(lambda: self._requests or self._closing.is_set(), min(seconds, LONGEST_PAUSE_S))

    def _catch_up(self) -> None:
        while self._has_work() and not self._abandoned:
            self._experiment = self._experiment or self._open()
            with self._wake:
                entries, front = list(self._pending.values()), self._front
                values = list(self._summary.values)
                self._experiment.members = self._summary.members if self._ledger else None
            groups: dict[str, list[Entry]] = {}
            for entry in entries:
                groups.setdefault(entry.run, []).append(entry)
            for run, group in groups.items():
                self._show(self._experiment, run, group)
                if self._experiment is None or self._abandoned:
                    break
            else:
                self._experiment.show_summary(values)
                self._experiment.mark()
                self._experiment.describe()
                if front is not None:
                    show_front(self._experiment, front)
                    with self._wake:
                        self._front = None if self._front is front else self._front
                self._answer(self._experiment)

    def _open(self) -> Experiment:
        client = connect(self._uri)
        with self._wake:
            events, found = list(self._known), [entry.event for entry in self._known.values()]
        location = artifact_location(self._uri)
        experiment = Experiment(client, self._search, self._ledger, location, events, self._dataset)
        recipes = (event["recipe"] for event in found if event.get("event") == "search" and "recipe" in event)
        if isinstance(recipe := next(recipes, None), Mapping):
            experiment.set_view(recipe)
        self._experiment_id = experiment.id
        if self._on_open is not None:
            self._on_open(self.url)
        if experiment.restored:
            self._note(f"experiment '{experiment.name}' was deleted in MLflow; the search restored it")
        with self._wake:  # send again what MLflow has lost since the last time, too
            self._pending = dict(self._known)
        return experiment

    def _show(self, experiment: Experiment, run: str, group: list[Entry]) -> None:
        updates, shown = [], []
        for entry in group:
            if experiment.shows(run, entry.id):
                continue
            curve = self._curve(entry.event)
            try:
                updates.append(translate(entry.event, curve or ()))
            except (KeyError, TypeError, ValueError) as error:
                self._note(f"a ledger event of {run} cannot be interpreted ({error!r}): {entry.event}")
                continue
            if curve is not None:
                shown.append(entry.id)
        try:
            if updates:
                experiment.show(run, reduce(add, updates), shown)
            del self._failures[run]
        except Exception as error:
            self._failures[run] += 1
            if is_refusal(error) and self._failures[run] == 1:  # the run may have been deleted: look again
                self._experiment = None
                return
            if not is_refusal(error) and self._failures[run] < MOST_FAILURES:
                raise
            self._note(f"{run} is skipped until the next start. {describe(error, self._uri).what}")
        with self._wake:
            for entry in group:
                self._pending.pop(entry.id, None)

    def _curve(self, event: Mapping[str, Any]) -> Rows | None:
        """The learning curve of a stage, or up to the rung where a trial was pruned; None if it cannot be read now.

        The next start tries again. The rung of a trial that goes on is left out: its fine-tuning has the same epochs.
        """
        stage, key = event.get("stage"), event.get("key")
        if event.get("event") == "outcome" and event.get("outcome") == "pruned":
            stage, key = RUNG, self._rungs.get(Entry.of(event).run)
        elif event.get("event") != "stage" or stage == RUNG:
            key = None
        if key is None:
            return ()
        try:
            return self._curves(str(stage), key)
        except Exception as error:  # a store failure here loses a curve, not the search
            self._note(f"no learning curve of {stage} {key} in MLflow: {redact(repr(error), self._uri)}")
            return None

    def _answer(self, experiment: Experiment) -> None:
        while self._requests:
            request, answer = self._requests.popleft()
            try:
                answer.set_result(request(experiment))
            except Exception as error:  # raised in the calling thread
                answer.set_exception(describe(error, self._uri))

    def _break_off(self, error: Exception) -> None:
        problem = describe(error, self._uri)
        self._experiment = None
        while self._requests:
            self._requests.popleft()[1].set_exception(problem)
        if self._outage is None:
            self._outage = str(problem)
            if self._on_warning is not None:
                self._on_warning(self._outage)

    def _note(self, text: str) -> None:
        if text not in self._notes:
            self._notes.append(text)
            if self._on_warning is not None:
                self._on_warning(text)
