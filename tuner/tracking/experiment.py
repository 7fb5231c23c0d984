"""One search in MLflow: its runs are identified by tags, and each run records which events it shows.

Failures are neither retried nor hidden here; `mirror.py` handles them by opening the experiment again.
"""

import json
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tuner.tracking import description, marks
from tuner.tracking.axes import Axis, axes_of
from tuner.tracking.dataset import DatasetInfo, dataset_input
from tuner.tracking.origin import origin_tags
from tuner.tracking.place import refuse_elsewhere
from tuner.tracking.updates import LONGEST_VALUE, PARENT, Update, Value, safe_name
from tuner.tracking.view import experiment_tags

if TYPE_CHECKING:
    from mlflow import MlflowClient

MOST_RUNS = 50_000
MOST_METRICS = 800  # a batch holds at most 1000 entities: 800 metrics, 100 parameters, 100 tags
MOST_PAIRS = 100
MOST_EVENTS = 500  # event ids that fit into a run's tag


@dataclass
class Run:
    """A run in MLflow."""

    id: str
    status: str = "RUNNING"
    tags: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    values: dict[str, float] = field(default_factory=dict)

    @property
    def events(self) -> list[str]:
        """Ids of the ledger events that this run shows."""
        return self.tags.get("qpm.events", "").split()


class Experiment:
    """The runs of one search: a parent named `search`, and a child per trial and baseline.

    Args:
        client: an MLflow client.
        search: name of the search.
        ledger: id of the ledger's first event, which distinguishes this search from an earlier one of the same name;
            None: take the newest.
        location: artifact location, or None to leave it to the server.
        events: ids of events of this ledger: a parent that shows one of them belongs to this search, even if the first
            event has been lost since.
        dataset: what the runs were trained on.

    Raises:
        mlflow.exceptions.MlflowException: from every method, for any failure of MLflow.
    """

    def __init__(
        self,
        client: "MlflowClient",
        search: str,
        ledger: str | None,
        location: str | None,
        events: Collection[str] = (),
        dataset: DatasetInfo | None = None,
    ) -> None:
        """Find the experiment and all its runs, in two requests for any number of trials."""
        self.client = client
        self.search = search
        self.ledger = ledger
        self.name = safe_name(search)
        self.restored = False
        self.id = self._find_or_create(location)
        self.runs: dict[str, Run] = {}
        self._sent: dict[Any, Any] = {}
        self._dataset = dataset
        self._axes: list[Axis] = []
        self.members: Collection[int] | None = None  # trials on the front; None: unknown
        self._origin = origin_tags()
        self._load(location, events)

    def _find_or_create(self, location: str | None) -> str:
        found = self.client.get_experiment_by_name(self.name)
        if found is None:
            return str(self.client.create_experiment(self.name, artifact_location=location))
        if found.lifecycle_stage == "deleted":
            self.client.restore_experiment(found.experiment_id)
            self.restored = True
        return str(found.experiment_id)

    def _load(self, location: str | None, events: Collection[str]) -> None:
        order = ["attributes.start_time"]
        found = [
            run
            for run in self.client.search_runs([self.id], max_results=MOST_RUNS, order_by=order)
            if run.data.tags.get("qpm.search") == self.search
        ]
        runs = [
            Run(run.info.run_id, run.info.status, run.data.tags, run.data.params, run.data.metrics) for run in found
        ]
        if location is not None:
            refuse_elsewhere(self.client.get_experiment(self.id).artifact_location, self.name, location)
            for run in found:
                refuse_elsewhere(run.info.artifact_uri, self.name, location)
        parents = [run for run in runs if run.tags.get("qpm.run") == PARENT]
        if self.ledger is not None:
            named = [run for run in parents if run.tags.get("qpm.ledger") == self.ledger]
            parents = (named or _that_show(events, parents, runs))[:1]
        if not parents:
            return
        self.runs[PARENT] = parents[-1]
        for run in runs:
            if run.tags.get("qpm.parent") != parents[-1].id:
                continue
            if run.tags["qpm.run"] in self.runs:  # a duplicate: a response came too late, and the run was created again
                self.client.delete_run(run.id)
            else:
                self.runs[run.tags["qpm.run"]] = run

    def shows(self, name: str, event: str) -> bool:
        """Whether the run of this name shows the event with this id."""
        return name in self.runs and event in self.runs[name].events

    def show(self, name: str, update: Update, events: list[str]) -> None:
        """Update one run; the ids of the shown events are written last.

        Args:
            name: name of the run; created if it does not exist.
            update: what is new.
            events: ids of the ledger events in the update.
        """
        run = self.run(name, update.time_ms)
        unfinished = "qpm.trial" in run.tags and not run.tags.get("outcome")
        self._set_status(run, update.status or ("RUNNING" if unfinished else run.status), update.time_ms)
        tags = {key: value[:LONGEST_VALUE] for key, value in update.tags.items()}
        # A parameter can be written only once; later changes (such as more trials) become tags.
        changed = {key: value for key, value in update.params.items() if run.params.get(key, value) != value}
        tags |= {f"changed.{key}": value for key, value in changed.items()}
        params = {key: value for key, value in update.params.items() if key not in run.params}
        if update.stage_keys:
            tags["stage_keys"] = json.dumps(json.loads(run.tags.get("stage_keys", "{}")) | update.stage_keys)
        tags["qpm.events"] = " ".join((run.events + events)[-MOST_EVENTS:])
        if self._dataset is not None and run.tags.get("qpm.dataset") != self._dataset.digest:
            self.client.log_inputs(run.id, [dataset_input(self._dataset)])
            tags["qpm.dataset"] = self._dataset.digest
        # MLflow lists metrics in the order in which they came: objectives, other final values, curves.
        first = {axis.name: place for place, axis in enumerate(self._axes)}
        values = sorted(update.values, key=lambda value: (first.get(value.key, MOST_METRICS), "/" in value.key))
        if "qpm.trial" in run.tags and "outcome" in run.tags | tags:
            known = run.values | {value.key: value.value for value in values}
            tags |= self._marks(Run(run.id, tags=run.tags | tags, params=run.params | params, values=known))
        self.log(run, values, params, tags)

    def end(self, status: str) -> None:
        """End all runs: the parent gets the status, unfinished trials become `KILLED`."""
        for name, run in self.runs.items():
            if run.status == "RUNNING":
                self._set_status(run, status if name == PARENT else "KILLED", now_ms())

    def show_summary(self, values: list[Value]) -> None:
        """Show what the trials say together, in the search's run; steps that it shows already are left out."""
        if not values:
            return
        parent = self.run(PARENT, values[0].timestamp_ms)
        known = int(parent.tags.get("qpm.level", "0"))
        fresh = [value for value in values if value.step > known]
        if fresh:
            self.log(parent, fresh, {}, {"qpm.level": str(fresh[-1].step)})

    def describe(self, *files: str) -> None:
        """Write the description of the search's run; one that somebody changed stays.

        Args:
            files: names of its files that can be shown; once one was, it stays.
        """
        if (parent := self.runs.get(PARENT)) is None:
            return
        now = parent.tags.get(description.NOTE, "")
        known = [name for name in (description.PICTURE, description.REPORT) if name in files or name in now]
        told = description.of_search(parent.tags, parent.values, self._axes, self.id, parent.id, known)
        if tags := description.rewritten(now, parent.tags, told):
            self.log(parent, [], {}, tags)

    def mark(self) -> None:
        """Mark the members of the front and the picked trial, and no other."""
        for run in self.runs.values():
            if "qpm.trial" in run.tags and "outcome" in run.tags:
                if changed := self._marks(run):
                    self.log(run, [], {}, changed)
                if "picked" in run.tags and run.tags["qpm.run"] != self._chosen:
                    del run.tags["picked"]
                    self.client.delete_tag(run.id, "picked")

    @property
    def _chosen(self) -> str:
        """The name of the run of the picked trial; empty if there is none."""
        return self.runs[PARENT].tags.get("pick", "") if PARENT in self.runs else ""

    def _marks(self, run: Run) -> dict[str, str]:
        return marks.of_trial(run.id, run.tags, run.values, run.params, self._axes, self.members, self._chosen)

    def set_view(self, recipe: Mapping[str, Any]) -> None:
        """Give the experiment the view that its link opens, and runs the objectives as their first metrics."""
        self._axes = axes_of(recipe)
        known = self.client.get_experiment(self.id).tags
        for key, value in experiment_tags(recipe).items():
            if known.get(key) != value:
                self.client.set_experiment_tag(self.id, key, value)

    def is_new(self, key: Any, value: Any) -> bool:
        """Whether this has not been sent through this connection yet; records it as sent."""
        new: bool = self._sent.get(key) != value
        self._sent[key] = value
        return new

    def run(self, name: str, time_ms: int) -> Run:
        """The run of this name; it is created if it does not exist."""
        if name not in self.runs:
            tags = {"qpm.search": self.search, "qpm.run": name} | self._origin
            if name == PARENT:
                tags["qpm.ledger"] = self.ledger or ""
            else:
                parent = self.run(PARENT, time_ms).id
                tags |= {"qpm.parent": parent, "mlflow.parentRunId": parent}
                if name.startswith("trial-"):
                    tags["qpm.trial"] = str(int(name.removeprefix("trial-")))
            made = self.client.create_run(self.id, start_time=time_ms, tags=tags, run_name=name)
            self.runs[name] = Run(made.info.run_id, tags=tags)
        return self.runs[name]

    def _set_status(self, run: Run, status: str, time_ms: int) -> None:
        if status == run.status:
            return
        if status == "RUNNING":
            self.client.update_run(run.id, status=status)
        else:
            self.client.set_terminated(run.id, status, end_time=time_ms)
        run.status = status

    def log(self, run: Run, values: list[Value], params: dict[str, str], tags: dict[str, str]) -> None:
        """Send values, parameters and tags of a run."""
        from mlflow.entities import Metric, Param, RunTag

        for some_values, some_params, some_tags in _batches(values, params, tags):
            metrics = [Metric(*value) for value in some_values]
            pairs = [Param(*pair) for pair in some_params]
            self.client.log_batch(run.id, metrics, pairs, [RunTag(*pair) for pair in some_tags])
        run.params |= params
        run.tags |= tags
        run.values |= {value.key: value.value for value in values}


def _that_show(events: Collection[str], parents: list[Run], runs: list[Run]) -> list[Run]:
    """The parents that show one of these events, themselves or in a child run."""
    known = set(events)
    found = {run.tags.get("qpm.parent", run.id) for run in runs if not known.isdisjoint(run.events)}
    return [run for run in parents if run.id in found]


def _batches(
    values: list[Value], params: dict[str, str], tags: dict[str, str]
) -> Iterator[tuple[list[Value], list[tuple[str, str]], list[tuple[str, str]]]]:
    """One batch if everything fits, otherwise several, with the newest tags in the last one."""
    pairs, labels = list(params.items()), list(tags.items())
    while values or pairs or labels:
        full = len(values) > MOST_METRICS or len(pairs) > MOST_PAIRS
        some_labels = [] if full else labels[:MOST_PAIRS]
        yield values[:MOST_METRICS], pairs[:MOST_PAIRS], some_labels
        values, pairs, labels = values[MOST_METRICS:], pairs[MOST_PAIRS:], labels[len(some_labels) :]


def now_ms() -> int:
    """Unix time in milliseconds, as MLflow counts it."""
    return round(time.time() * 1000)
