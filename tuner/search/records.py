"""The ledger's events and the state they add up to: the only source of truth for resuming a search.

An event that is damaged, or that cannot follow on those before it, is left out and named; the rest adds up without it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from tuner.front.pareto import Objective, Point
from tuner.search.events import (
    KINDS,
    OUTCOMES,
    Baseline,
    Ended,
    Event,
    Picked,
    Proposed,
    Started,
    Tested,
    read_event,
)
from tuner.search.fields import Damaged
from tuner.search.possible import Possible
from tuner.search.turns import FAR_S, Moment, SearchClock, entry_time

# What a driver records; what other commands record names them, and takes no search time.
OF_A_TURN = (Proposed, Ended, Tested)
DATED = "dated"  # in place of a kind: the event counts, its time does not


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


class Budget(NamedTuple):
    """What a turn was asked for, on which its proposals depend: trials in all, and how many at once."""

    trials: int | None = None
    parallel: int | None = None


class Doubt(NamedTuple):
    """What is wrong with an entry: its key, the reason, and the kind and trial of the event if they can be told."""

    key: str
    reason: str
    kind: str | None
    trial: int | None


@dataclass(frozen=True)
class Damage:
    """An entry of the ledger that does not count, or not as it stands.

    Attributes:
        key: of the entry.
        reason: what is wrong with it; goes on from the key.
        then: what happens instead.
    """

    key: str
    reason: str
    then: str

    def __str__(self) -> str:
        return f"{self.key or 'an event'} {self.reason}; {self.then}"


@dataclass
class SearchState:
    """What the ledger says.

    Attributes:
        trials: by number; a number is missing where its proposal is damaged, until it is proposed again.
        baselines: the last of each name.
        picks: all choices, oldest first.
        budget: trials in all that the last turn was asked for, if the ledger says.
        elapsed_s: search time.
        damage: what was left out.
        lost: trials whose proposals are damaged, and what the turn that proposed them was asked for.
    """

    trials: dict[int, TrialRecord] = field(default_factory=dict)
    baselines: list[Baseline] = field(default_factory=list)
    picks: list[Picked] = field(default_factory=list)
    budget: int | None = None
    elapsed_s: float = 0.0
    damage: list[Damage] = field(default_factory=list)
    lost: dict[int, Budget] = field(default_factory=dict)

    @property
    def pick(self) -> Picked | None:
        """The last choice of a trial that has a model."""
        return next((pick for pick in reversed(self.picks) if self.is_complete(pick.trial)), None)

    def is_complete(self, number: int) -> bool:
        """Whether a trial has a model."""
        return number in self.trials and self.trials[number].outcome == "complete"

    def missing(self, trials: int) -> list[int]:
        """Of the first so many trials those to be proposed: new ones, and those whose proposal is damaged."""
        return [number for number in range(trials) if number not in self.trials]

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


def replay(events: Iterable[Any], possible: Possible | None = None) -> SearchState:
    """As `restore`, from the events alone."""
    return restore((("", event) for event in events), possible)


def restore(
    entries: Iterable[tuple[str, Any]],
    possible: Possible | None = None,
    unreadable: Iterable[str] = (),
    accepted: Callable[[Event], None] = lambda event: None,
) -> SearchState:
    """Fold the ledger's entries, in order, into the state of the search; nothing in them stops it.

    Search time is the time of drivers' turns: each begins with its `search` event and ends with the last trial, outcome
    or test that it recorded. What other commands record between and afterwards takes none.

    Args:
        entries: keys and contents.
        possible: what proposals keep to; None: that is not known.
        unreadable: keys of entries that cannot be read at all.
        accepted: called with each event that counts.
    """
    found = [(key, content, _read(content, possible)) for key, content in entries]
    budgets = [event.budget[0] for _, _, event in found if isinstance(event, Started)]
    most = max((trials for trials in (*budgets, possible and possible.trials) if trials), default=None)
    state, clock, turn, driver = SearchState(), SearchClock(), Budget(), None
    gaps, doubts = sorted(unreadable, reverse=True), list[Doubt]()
    for key, content, event in found:
        entry_s = entry_time(key)
        while gaps and gaps[-1] < key:  # perhaps the start of a turn
            clock.begin(Moment(None, entry_time(gaps.pop())))
        if isinstance(event, Damaged):
            kind, number = _hints(content)
            doubts.append(Doubt(key, str(event), kind, number))
            if kind == "trial" and number is not None:
                state.lost.setdefault(number, turn)
            if kind not in KINDS or kind == "search":
                clock.begin(Moment(None, entry_s))
            continue
        at = Moment(event.time_s, entry_s)
        if entry_s is not None and event.time_s > entry_s + FAR_S:
            doubts.append(Doubt(key, f"is dated {event.time_s - entry_s:,.0f} s after it was written", DATED, None))
            at, event = Moment(entry_s, entry_s), replace(event, time_s=entry_s)  # noqa: PLW2901
        if isinstance(event, Started):
            turn, driver = Budget(*event.budget), content.get("token")
            clock.begin(at)
        elif isinstance(event, OF_A_TURN) and getattr(event, "command", None) is None:
            if driver != (driver := content.get("token")):  # the start of its turn is damaged
                clock.begin(None)
            clock.count(at)
        state.elapsed_s = clock.elapsed_s
        reason = apply(state, event, clock.elapsed_s, most)
        if reason is None:
            accepted(event)
            continue
        doubts.append(Doubt(key, reason, event.kind, getattr(event, "trial", None)))
        if isinstance(event, Ended) and event.trial not in state.trials:
            state.lost.setdefault(event.trial, turn)
    doubts += [
        Doubt(key, f"picks trial {event.trial}, which has no model", event.kind, event.trial)
        for key, _, event in found
        if isinstance(event, Picked) and not state.is_complete(event.trial)
    ]
    state.damage = [Damage(d.key, d.reason, _then(state, d)) for d in sorted(doubts, key=lambda doubt: doubt.key)]
    return state


def apply(state: SearchState, event: Event, at_s: float, most: int | None = None) -> str | None:
    """Apply one event to the state.

    Args:
        state: what the events before it say.
        event: the next one.
        at_s: its search time in seconds.
        most: trials that the search was ever asked for, if that is known.

    Returns:
        Why it does not count, or None if it does, or adds nothing: of an outcome that was recorded twice (a driver died
        between writing and knowing) the first one counts.
    """
    match event:
        case Started():
            state.budget = event.budget[0]
        case Proposed():
            if most is not None and event.trial >= most:
                return f"proposes trial {event.trial}, where {most} trials were asked for"
            known = state.trials.setdefault(event.trial, TrialRecord(event.trial, dict(event.params)))
            if known.params != event.params:
                return f"proposes trial {event.trial} once more, with other parameters"
        case Ended():
            return _end(state, event, at_s)
        case Tested():
            if not state.is_complete(event.trial):
                return f"measures trial {event.trial} on test, which has no model"
            state.trials[event.trial].test = dict(event.values)
        case Baseline():
            state.baselines = [b for b in state.baselines if b.name != event.name] + [event]
        case Picked():
            state.picks.append(event)
    return None


def _end(state: SearchState, event: Ended, at_s: float) -> str | None:
    record = state.trials.get(event.trial)
    if record is None:
        return f"ends trial {event.trial}, whose proposal is missing or damaged"
    if record.outcome is None:
        record.outcome, record.stage, record.cause = event.outcome, event.stage, event.cause
        record.values, record.model, record.program = event.values, event.model, event.program
        record.seconds = event.seconds
        record.stages = [use.to_json() for use in event.stages]
        record.remade = list(event.remade)
        record.ended_s, record.ended_at = at_s, event.time_s
    return None


def tally(counts: Mapping[str, int]) -> str:
    """Outcomes in words: "2 complete, 1 failed"; empty where there is none."""
    return ", ".join(f"{n} {outcome}" for outcome, n in counts.items())


def mirror_events(event: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A ledger event as the MLflow mirror wants it: an outcome is preceded by one event per stage."""
    stages = [
        {"event": "stage", "trial": event["trial"], "time_s": event["time_s"], **use} for use in event.get("stages", ())
    ]
    return [*stages, dict(event)]


def _read(content: Any, possible: Possible | None) -> Event | Damaged:
    """The event that an entry tells, or what is wrong with it."""
    try:
        event = read_event(content)
        if possible is not None and isinstance(event, Proposed):
            settled = possible.settled(event.params)
            return event if settled == event.params else replace(event, params=settled)
        return event
    except Damaged as damage:
        return damage


def _hints(content: Any) -> tuple[str | None, int | None]:
    """Kind and trial of a damaged event, None where it does not say."""
    if not isinstance(content, Mapping):
        return None, None
    kind, number = content.get("event"), content.get("trial")
    return kind if isinstance(kind, str) else None, number if type(number) is int else None


def _then(state: SearchState, doubt: Doubt) -> str:
    """What happens instead of what an entry said, or has happened since."""
    record = None if doubt.trial is None else state.trials.get(doubt.trial)
    if doubt.kind in ("trial", "outcome") and record is not None and record.outcome:
        return f"it is left out, and trial {doubt.trial} has been run since"
    return _INSTEAD.get(doubt.kind or "", "it is left out")


_INSTEAD = {
    "trial": "it is left out, and the trial is proposed again",
    "outcome": "it is left out, and the trial runs again from the stages in the store",
    "test": "it is left out, and the trial is measured again if it is on the front",
    "baseline": "it is left out, and jobs.compare measures it again",
    "pick": "it is left out, and the choice before it counts, or the knee",
    DATED: "it counts with the time of its entry",
}
