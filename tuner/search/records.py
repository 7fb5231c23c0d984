"""The ledger's events and the state they add up to: the only source of truth for resuming a search.

Events are plain JSON objects with `event` and `time_s`; `replay` folds them into a `SearchState`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tuner.front.pareto import Objective, Point

OUTCOMES = ("complete", "stopped", "infeasible", "failed")
OF_A_TURN = ("trial", "outcome", "test", "end")  # what a driver records; other commands name themselves as `command`


@dataclass
class TrialRecord:
    """One trial: what was proposed and what came of it.

    Attributes:
        number: position in the search, from 0.
        params: the trial's parameters as named in the recipe.
        outcome: one of `OUTCOMES`, or None while it is open.
        stage: the stage it ended in, where it did not complete.
        cause: one line, where it did not complete.
        values: every metric measured on the validation split.
        test: every metric measured on the test split (front members only).
        stages: the stages it asked for: {stage, key, reused, seconds, saved_s}.
        remade: what was found damaged on the way and made again, a line each.
        model: key of the fine-tuned model's artifact.
        program: how its program ended: {"objective", "bound", "gap", "status", "seconds"}; None if it never ran, or the
            ledger is of an earlier version.
        seconds: wall time of the trial.
        ended_s: seconds of search time at which it ended, pauses between drivers not counted.
        ended_at: when it ended, unix seconds.
    """

    number: int
    params: dict[str, Any]
    outcome: str | None = None
    stage: str | None = None
    cause: str | None = None
    values: dict[str, float] = field(default_factory=dict)
    test: dict[str, float] = field(default_factory=dict)
    stages: list[dict[str, Any]] = field(default_factory=list)
    remade: list[str] = field(default_factory=list)
    model: str | None = None
    program: dict[str, Any] | None = None
    seconds: float = 0.0
    ended_s: float = 0.0
    ended_at: float = 0.0

    def stage_key(self, stage: str) -> str | None:
        """Key of the artifact of one of its stages, or None if it never got there."""
        return next((use["key"] for use in self.stages if use["stage"] == stage), None)


@dataclass
class SearchState:
    """What the ledger says."""

    trials: dict[int, TrialRecord] = field(default_factory=dict)
    baselines: list[dict[str, Any]] = field(default_factory=list)
    pick: dict[str, Any] | None = None
    budget: int | None = None  # trials in all that the last turn was asked for, if the ledger says
    elapsed_s: float = 0.0

    def finished(self) -> list[TrialRecord]:
        """Trials with an outcome, in the order in which they ended."""
        return sorted((t for t in self.trials.values() if t.outcome), key=lambda t: (t.ended_s, t.number))

    def open(self) -> list[TrialRecord]:
        """Trials proposed but not ended, by number."""
        return [t for _, t in sorted(self.trials.items()) if t.outcome is None]

    def counts(self) -> dict[str, int]:
        """Number of trials with each outcome; outcomes that did not occur are absent."""
        counted = Counter(t.outcome for t in self.trials.values() if t.outcome)
        return {outcome: counted[outcome] for outcome in OUTCOMES if counted[outcome]}

    def points(self, objectives: Iterable[Objective]) -> list[Point]:
        """The complete trials as points, in the order in which they ended."""
        names = [objective.name for objective in objectives]
        return [
            Point(t.number, t.params, {**{n: t.params[n] for n in names if n in t.params}, **t.values}, t.model)
            for t in self.finished()
            if t.outcome == "complete"
        ]

    def reuse(self) -> dict[str, dict[str, float]]:
        """For each stage: runs, reuses, seconds spent and seconds saved."""
        table: dict[str, dict[str, float]] = {}
        for use in (use for t in self.trials.values() for use in t.stages):
            row = table.setdefault(use["stage"], {"runs": 0, "reused": 0, "seconds": 0.0, "saved_s": 0.0})
            row["reused" if use["reused"] else "runs"] += 1
            row["saved_s" if use["reused"] else "seconds"] += use["saved_s"] if use["reused"] else use["seconds"]
        return table


def replay(events: Iterable[Mapping[str, Any]]) -> SearchState:
    """Fold the ledger's events, in order, into the state of the search.

    An outcome that was recorded twice (a driver died between writing and knowing) counts once, the first.

    Search time is the time of drivers' turns: each begins with its `search` event and ends with the last trial, outcome
    or test that it recorded, or with its `end`. What other commands record between and afterwards takes none, and a
    clock that is set back takes none away.
    """
    state = SearchState()
    last_s: float | None = None
    for event in events:
        time_s = float(event["time_s"])
        if event["event"] == "search":
            last_s = time_s
        elif event["event"] in OF_A_TURN and "command" not in event:
            state.elapsed_s += 0.0 if last_s is None else max(0.0, time_s - last_s)
            last_s = time_s
        apply(state, event, state.elapsed_s)
    return state


def apply(state: SearchState, event: Mapping[str, Any], at_s: float) -> None:
    """Apply one event to the state; `at_s` is the search time of the event in seconds."""
    kind = event["event"]
    if kind == "search":
        state.budget = event["recipe"].get("budget", {}).get("trials")
    elif kind == "trial":
        state.trials.setdefault(event["trial"], TrialRecord(event["trial"], dict(event["params"])))
    elif kind == "outcome":
        record = state.trials[event["trial"]]
        if record.outcome is None:
            for name in ("outcome", "stage", "cause", "values", "stages", "model", "seconds"):
                setattr(record, name, event[name])
            record.remade = list(event.get("remade", ()))
            record.program = event.get("program")
            record.ended_s, record.ended_at = at_s, float(event["time_s"])
    elif kind == "test":
        state.trials[event["trial"]].test = dict(event["values"])
    elif kind == "baseline":
        state.baselines = [b for b in state.baselines if b["name"] != event["name"]] + [dict(event)]
    elif kind == "pick":
        state.pick = dict(event)


def tally(counts: Mapping[str, int]) -> str:
    """Outcomes in words: "2 complete, 1 failed"; empty where there is none."""
    return ", ".join(f"{n} {outcome}" for outcome, n in counts.items())


def mirror_events(event: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A ledger event as the MLflow mirror wants it: an outcome is preceded by one event per stage."""
    if event["event"] == "end":
        return []
    stages = [
        {"event": "stage", "trial": event["trial"], "time_s": event["time_s"], **use} for use in event.get("stages", ())
    ]
    return [*stages, dict(event)]
