"""The front of a search in MLflow: ranks, confirmations, hypervolume, its table, picture and report."""

import csv
import hashlib
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from tuner.tracking.description import PICTURE
from tuner.tracking.experiment import Experiment, Run, now_ms
from tuner.tracking.updates import PARENT, Value, as_values, trial_run


class Confirmed(NamedTuple):
    """The confirmation of a member.

    Args:
        time_s: unix time of its last run.
        runs: number of runs.
        values: mean and deviation of metrics by name, such as `accuracy_mean`, and `non_dominated`, a probability.
        beyond_noise: whether it is non-dominated beyond noise.
    """

    time_s: float
    runs: int
    values: dict[str, float]
    beyond_noise: bool


@dataclass(frozen=True)
class Front:
    """A Pareto front to show.

    Args:
        members: rank of each trial, 1 = non-dominated.
        hypervolume: (unix time in seconds, hypervolume) after each finished trial, in that order.
        files: figures and reports to store with the search.
        confirmed: what the confirmation runs of members say.
        pictures: a picture of the front for the run of a trial, by its number.
        elapsed_s: search time in seconds; None: unknown.
    """

    members: dict[int, int]
    hypervolume: list[tuple[float, float]]
    files: list[Path]
    confirmed: Mapping[int, Confirmed] = field(default_factory=dict)
    pictures: Mapping[int, Path] = field(default_factory=dict)
    elapsed_s: float | None = None


def show_front(experiment: Experiment, front: Front) -> None:
    """Show the members of the front, the history of its hypervolume, its table and figures."""
    parent = experiment.run(PARENT, now_ms())
    experiment.members = {trial for trial, rank in front.members.items() if rank == 1}
    for run in experiment.runs.values():
        if run.tags.get("outcome"):
            _show_rank(experiment, run, front.members.get(int(run.tags["qpm.trial"])))
    history = [
        Value("hypervolume", volume, round(time_s * 1000), step)
        for step, (time_s, volume) in enumerate(front.hypervolume, start=1)
        if math.isfinite(volume)
    ]
    values = [value for value in history if experiment.is_new(value.step, value)]
    if front.elapsed_s is not None and parent.values.get("seconds") != front.elapsed_s:
        values += as_values({"seconds": front.elapsed_s}, "", now_ms(), len(front.hypervolume))
    experiment.log(parent, values, {}, {})
    _show_confirmed(experiment, front.confirmed)
    table = _table(experiment, [trial for trial, rank in sorted(front.members.items()) if rank == 1])
    if experiment.is_new("front.csv", table):
        experiment.client.log_text(parent.id, table, "front.csv")
    for path in front.files:
        _show_file(experiment, parent, path)
    for trial, path in front.pictures.items():
        if (run_of_it := experiment.runs.get(trial_run(trial))) is not None:
            _show_file(experiment, run_of_it, path, PICTURE)
            if run_of_it.tags.get("qpm.picture") != "true":
                experiment.log(run_of_it, [], {}, {"qpm.picture": "true"})
    experiment.mark()
    experiment.describe(*(path.name for path in front.files if path.is_file()))


def _show_file(experiment: Experiment, run: Run, path: Path, name: str | None = None) -> None:
    """Store a file with a run, under another name if one is given."""
    if not path.is_file():
        return
    content = path.read_bytes()
    if experiment.is_new((run.id, name or path.name), hashlib.sha256(content).hexdigest()):
        if name is None:
            experiment.client.log_artifact(run.id, str(path))
        else:
            experiment.client.log_text(run.id, content.decode(), name)


def _show_confirmed(experiment: Experiment, confirmed: Mapping[int, Confirmed]) -> None:
    for trial, member in confirmed.items():
        run = experiment.run(trial_run(trial), now_ms())
        values = {"runs": float(member.runs), **member.values}
        shown = as_values(values, "confirmed/", round(member.time_s * 1000), member.runs)
        if experiment.is_new((run.id, "confirmed"), member):
            experiment.log(run, shown, {}, {"beyond_noise": str(member.beyond_noise).lower()})
    if confirmed:
        last = max(round(member.time_s * 1000) for member in confirmed.values())
        sure = sum(member.beyond_noise for member in confirmed.values())
        counts = as_values({"confirmed_members": len(confirmed), "beyond_noise_members": sure}, "", last)
        fresh = [value for value in counts if experiment.is_new((last, value.key), value)]
        experiment.log(experiment.run(PARENT, now_ms()), fresh, {}, {})


def _show_rank(experiment: Experiment, run: Run, rank: int | None) -> None:
    if rank is None:
        if run.tags.pop("rank", None) is not None:
            experiment.client.delete_tag(run.id, "rank")
    elif run.tags.get("rank") != str(rank):
        experiment.log(run, [], {}, {"rank": str(rank)})


def _table(experiment: Experiment, trials: list[int]) -> str:
    rows = []
    for trial in trials:
        if (run := experiment.runs.get(trial_run(trial))) is not None:
            final = {key: value for key, value in sorted(run.values.items()) if _is_final(key)}
            rows.append({"trial": trial, **dict(sorted(run.params.items())), **final})
    columns = dict.fromkeys(column for row in rows for column in row)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _is_final(key: str) -> bool:
    """Whether a metric is a final value, not a curve or a value of a stage."""
    return "/" not in key or key.startswith("test/")
