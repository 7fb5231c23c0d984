"""Translates one ledger event into MLflow updates; pure functions, testable without MLflow.

All timestamps come from the ledger, never from the clock. MLflow stores a metric only once if it is sent twice with the
same time, step and value, so sending is idempotent.
"""

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tuner.front import uncertainty
from tuner.recipe.protocol import CHOSEN_ON_TEST, chosen_on_test
from tuner.recipe.schema import SHORT_NAMES

Rows = Iterable[Mapping[str, float]]

PARENT = "search"
ENDED_EARLY = ("stopped", "skipped", "infeasible", "pruned")
STATUS = {"complete": "FINISHED", "failed": "FAILED", **dict.fromkeys(ENDED_EARLY, "KILLED")}
OF_A_TRIAL = ("trial", "stage", "outcome", "reopened", "test")
VALIDATION = ("validation", "val")
RUNG, RUNG_TRAINS = "rung", "finetune"  # the curves of a rung are the first ones of fine-tuning
LONGEST_KEY = 250
LONGEST_VALUE = 5000
LEAST = 1e-6  # MLflow's tables cut numbers off before their exponent: a gap of 8.01e-14 % would be read as 8.01 %


class Value(NamedTuple):
    """One point of one metric, in the order of MLflow's `Metric`."""

    key: str
    value: float
    timestamp_ms: int
    step: int


class Entry(NamedTuple):
    """A ledger event frozen at publication, identified by its contents."""

    id: str
    event: dict[str, Any]

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> "Entry":
        """Freeze an event; equal contents have equal ids on every machine."""
        text = json.dumps(event, sort_keys=True, default=str)
        return cls(hashlib.sha256(text.encode()).hexdigest()[:8], json.loads(text))

    @property
    def run(self) -> str:
        """The name of the run that shows this event."""
        kind, trial = self.event.get("event"), self.event.get("trial")
        if kind in OF_A_TRIAL and isinstance(trial, int):
            return trial_run(trial)
        return baseline_run(self.event) if kind == "baseline" else PARENT


@dataclass
class Update:
    """New values of one run. `status` None leaves the run's status unchanged."""

    time_ms: int
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    stage_keys: dict[str, str] = field(default_factory=dict)
    values: list[Value] = field(default_factory=list)
    status: str | None = None

    def __add__(self, later: "Update") -> "Update":
        """Merge two updates; the later one takes precedence."""
        return Update(
            time_ms=later.time_ms,
            params=self.params | later.params,
            tags=self.tags | later.tags,
            stage_keys=self.stage_keys | later.stage_keys,
            values=self.values + later.values,
            status=later.status or self.status,
        )


def trial_run(trial: int) -> str:
    """The name of a trial's run, such as `trial-0007`."""
    return f"trial-{trial:04d}"


def baseline_run(event: Mapping[str, Any]) -> str:
    """The name of the run of a baseline or of a repeated member, such as `baseline-QPM 50/5-seed-1`."""
    trial, seed = event.get("trial"), event.get("seed")
    name = f"{trial_run(trial)}-again" if isinstance(trial, int) else f"baseline-{event.get('name')}"
    return name if seed is None else f"{name}-seed-{seed}"


def translate(event: Mapping[str, Any], curve: Rows = ()) -> Update:
    """The update of the event's run.

    Args:
        event: one ledger event, as `Entry.event`.
        curve: learning curve of a `stage` event, or of the rung of a pruned trial's outcome: one row per epoch with
            "epoch" and values.

    Raises:
        KeyError, TypeError, ValueError: the event is malformed.
    """
    update = Update(time_ms=round(event["time_s"] * 1000))
    match event["event"]:
        case "search":
            update.params = _search_params(event["recipe"])
            update.tags = flat(event["versions"], "version.") | _caution(event["recipe"])
            update.status = "RUNNING"
        case "trial":
            update.params = flat(event["params"])
            update.status = "RUNNING"
        case "stage":
            _stage(update, event, curve)
        case "outcome":
            _outcome(update, event)
            update.values += _curve(curve, RUNG_TRAINS, update.time_ms, 0, after=event.get("after_epoch", 0))
        case "reopened":
            update.status, update.tags = "RUNNING", dict.fromkeys(("outcome", "stage", "cause"), "")
        case "test":
            update.values = as_values(_with_errors(event["values"]), "test/", update.time_ms)
        case "baseline":
            prefix = "" if event["split"] in VALIDATION else f"{event['split']}/"
            update.values = as_values(_with_errors(event["values"]), prefix, update.time_ms)
            _baseline(update, event)
            update.status = "FINISHED"
        case "pick":
            update.tags = {"pick": trial_run(event["trial"]), "pick_reason": event["reason"]}
    return update


def _search_params(recipe: Mapping[str, Any]) -> dict[str, str]:
    """The recipe, with the names that a trial's parameters have; a searched one has all its values: "10, 50"."""
    space = recipe.get("space")
    space = space if isinstance(space, Mapping) else {}
    params = flat({name: value for name, value in recipe.items() if name != "space"})
    for short, path in SHORT_NAMES.items():
        if path in params:
            params[short] = params.pop(path)
    return params | {safe_key(name): _dimension(dimension)[:LONGEST_VALUE] for name, dimension in space.items()}


def _dimension(dimension: Any) -> str:
    """A dimension of the space in words."""
    if isinstance(dimension, Mapping) and "choices" in dimension:
        dimension = dimension["choices"]
    if isinstance(dimension, list):
        return ", ".join(map(str, dimension))
    if isinstance(dimension, Mapping) and {"low", "high"} <= dimension.keys():
        step = f" by {dimension['step']}" if dimension.get("step") else ""
        scale = ", on a logarithmic scale" if dimension.get("log") else ""
        return f"{dimension['low']} to {dimension['high']}{step}{scale}"
    return json.dumps(dimension)


def _baseline(update: Update, event: Mapping[str, Any]) -> None:
    """System and seed as parameters: MLflow shows the mean of runs that are grouped by a parameter."""
    update.tags["baseline"] = "true" if event.get("trial") is None else "false"
    if event.get("note"):
        update.tags["mlflow.note.content"] = str(event["note"])
    update.params = {"system": str(event["name"])}
    if event.get("seed") is not None:
        update.params["seed"] = str(event["seed"])


def _caution(recipe: Mapping[str, Any]) -> dict[str, str]:
    """The tag that a search gets which chooses on the test images."""
    told = chosen_on_test(recipe.get("protocol"), dict(recipe.get("budget") or {}).get("trials"))
    return {CHOSEN_ON_TEST: told} if told else {}


def _stage(update: Update, event: Mapping[str, Any], curve: Rows) -> None:
    stage, reused = event["stage"], bool(event["reused"])
    update.stage_keys = {stage: event["key"]}
    update.tags = {f"{stage}/reused": str(reused).lower()}
    ran_s = event.get("ran_s")
    ran_s = event.get("seconds") if ran_s is None else ran_s  # earlier versions say only how long it was waited for
    figures = {"seconds": ran_s, "saved_s": event.get("saved_s")}
    update.values = as_values(figures, f"{stage}/", update.time_ms)
    took_s = (event.get("saved_s") if reused else ran_s) or 0
    update.values += _curve(curve, stage, update.time_ms, took_s, after=event.get("after_epoch", 0))


def _curve(curve: Rows, stage: str, time_ms: int, took_s: float, after: int) -> list[Value]:
    """Learning curves by epoch, which end at `time_ms`; without the counts of images, and epochs shown earlier."""
    rows = [{name: value for name, value in row.items() if not name.endswith("n_images")} for row in curve]
    last = max((row["epoch"] for row in rows), default=0) or 1
    values = []
    for row in rows:
        epoch = row.pop("epoch")
        age_ms = round(1000 * took_s * (1 - epoch / last))
        if epoch > after:
            values += as_values(row, f"{stage}/", time_ms - age_ms, int(epoch))
    return values


def _outcome(update: Update, event: Mapping[str, Any]) -> None:
    update.status = STATUS[event["outcome"]]
    tags = {name: event.get(name) for name in ("outcome", "stage", "cause", "model")}
    update.tags = {name: str(value) for name, value in tags.items() if value is not None}
    values = _with_errors(event.get("values") or {}) | {"seconds": event.get("seconds")}
    update.values = as_values(values, "", update.time_ms)
    if epochs := event.get("rung_epochs"):
        update.values += as_values(event.get("rung") or {}, "rung/", update.time_ms, int(epochs[0]))
        update.tags["rung"] = f"epoch {epochs[0]} of {epochs[1]}"
        for name in ("stage", "cause"):  # one that was pruned, and went on later, loses what was said of it then
            update.tags.setdefault(name, "")
    if program := event.get("program"):
        _program(update, program)


def _program(update: Update, program: Mapping[str, Any]) -> None:
    """The result of the trial's program."""
    figures = {"gap": gap_percent(program), **{name: program.get(name) for name in ("bound", "objective")}}
    update.values += as_values(figures, "program/", update.time_ms)
    if (status := program.get("status")) is not None:
        update.tags["program/status"] = str(status)


def gap_percent(program: Mapping[str, Any]) -> float | None:
    """The proven gap of a program in percent, as everywhere it is displayed; None if there is none."""
    gap = program.get("gap")
    return 100 * gap if isinstance(gap, int | float) and math.isfinite(gap) else None


def _with_errors(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of an evaluation, with the standard errors of those that are proportions of images."""
    return dict(values) | {f"{name}_error": error for name, error in uncertainty.errors(values).items()}


def as_values(values: Mapping[str, Any], prefix: str, time_ms: int, step: int = 0) -> list[Value]:
    """Finite numbers only: undefined values are omitted, never sent as NaN. One below `LEAST` is sent as 0."""
    return [
        Value(safe_key(prefix + name), float(value) if abs(value) >= LEAST else 0.0, time_ms, step)
        for name, value in values.items()
        if isinstance(value, int | float) and math.isfinite(value)
    ]


def flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested settings as dotted names with string values, lists as JSON."""
    pairs: dict[str, str] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping) and value:
            pairs |= flat(value, f"{prefix}{name}.")
        else:
            text = value if isinstance(value, str) else json.dumps(value)
            pairs[safe_key(f"{prefix}{name}")] = text[:LONGEST_VALUE]
    return pairs


def safe_key(name: str) -> str:
    """A name that MLflow accepts for a metric, parameter or tag."""
    parts = re.sub(r"[^A-Za-z0-9_\-./ ]", "_", name)[:LONGEST_KEY].split("/")
    return "/".join(part for part in parts if part.strip(".")) or "_"


def safe_name(search: str) -> str:
    """A name that MLflow accepts for an experiment and a registered model, and that needs no quoting."""
    return re.sub(r"[^\w\-. ]", "-", search).strip(". ")[:LONGEST_KEY] or "search"
