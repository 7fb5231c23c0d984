"""Restores the state of a search from its ledger, the only source of truth for resuming it.

An event that is damaged or inconsistent with earlier ones is ignored and reported; the others still count.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from tuner.search.record.clock import FAR_S, Moment, SearchClock, entry_time
from tuner.search.record.events import (
    KINDS,
    Baseline,
    Confirmed,
    Ended,
    Event,
    Instructed,
    Learned,
    Measured,
    Picked,
    Proposed,
    Referenced,
    Reopened,
    Started,
    Suspended,
    read_event,
)
from tuner.search.record.fields import InvalidEventError
from tuner.search.record.possible import Possible
from tuner.search.record.state import Damage, SearchState, TrialRecord

__all__ = [
    "Damage",
    "SearchState",
    "TrialRecord",
    "apply",
    "replay",
    "restore",
    "tally",
]

# Events of drivers. Events of other commands name the command, and do not count as search time.
OF_A_TURN = (Proposed, Ended, Referenced, Measured, Confirmed, Suspended)
DAY_S = 86_400.0
_NO_TOKENS: Mapping[str, str] = {}
DATED = "dated"  # instead of a kind: the event counts, but its time does not


class Doubt(NamedTuple):
    """A problem with an entry: its key, the reason, and the kind and trial of the event, if known.

    Attributes:
        follows: the entry is valid, but is ignored because another one is missing.
    """

    key: str
    reason: str
    kind: str | None
    trial: int | None
    follows: bool = False


def replay(events: Iterable[Any], possible: Possible | None = None) -> SearchState:
    """As `restore`, from events only."""
    return restore((("", event) for event in events), possible)


def restore(
    entries: Iterable[tuple[str, Any]],
    possible: Possible | None = None,
    unreadable: Iterable[str] = (),
    accepted: Callable[[Event], None] = lambda event: None,
    tokens: Mapping[str, str] = _NO_TOKENS,
) -> SearchState:
    """Fold the ledger's entries, in order, into the state of the search; no entry can make this fail.

    Search time is the time that drivers run: each run begins with its `search` event and ends with the last trial,
    outcome, test or confirmation that it recorded, or with its `end`. Events of other commands do not count.

    Args:
        entries: keys and contents.
        possible: the constraints on proposals; None: unknown.
        unreadable: keys of entries that cannot be read at all.
        accepted: called with each valid event.
        tokens: of the drivers that wrote the entries, by key.
    """
    found = [(key, content, _read(content, possible)) for key, content in entries]
    most = _most([event for _, _, event in found], None if possible is None else possible.trials)
    state, clock, driver = SearchState(), SearchClock(), None
    gaps, doubts = sorted(unreadable, reverse=True), list[Doubt]()
    for key, content, event in found:
        entry_s = entry_time(key)
        while gaps and gaps[-1] < key:  # perhaps the start of a run
            clock.begin(Moment(None, entry_time(gaps.pop())))
        if isinstance(event, InvalidEventError):
            kind, number = _hints(content)
            doubts.append(Doubt(key, str(event), kind, number))
            if kind == "trial" and number is not None:
                state.lost.add(number)
            if kind not in KINDS or kind == "search":
                clock.begin(Moment(None, entry_s))
            continue
        at = Moment(event.time_s, entry_s)
        if entry_s is not None and event.time_s > entry_s + FAR_S:
            days = (event.time_s - entry_s) / DAY_S
            doubts.append(Doubt(key, f"is dated {days:,.1f} days after it was written", DATED, None))
            at, event = Moment(entry_s, entry_s), replace(event, time_s=entry_s)  # noqa: PLW2901
        if isinstance(event, Started):
            driver = tokens.get(key)
            clock.begin(at)
        elif isinstance(event, OF_A_TURN) and getattr(event, "command", None) is None:
            if driver != (driver := tokens.get(key)):  # the start of its run is damaged
                clock.begin(None)
            clock.count(at)
        state.elapsed_s = clock.elapsed_s
        reason = apply(state, event, clock.elapsed_s, most)
        if reason is None:
            accepted(event)
            continue
        doubts.append(Doubt(key, reason, event.kind, getattr(event, "trial", None), follows=True))
        if isinstance(event, Ended) and event.trial not in state.trials:
            state.lost.add(event.trial)
    doubts += _picks_without_a_model(state, ((key, event) for key, _, event in found))
    state.damage = [_settled(state, doubt) for doubt in sorted(doubts, key=lambda doubt: (doubt.follows, doubt.key))]
    return state


def _most(events: Iterable[Event | InvalidEventError], trials: int | None) -> int | None:
    """The largest total of trials ever asked for; None: unknown."""
    found, added = [trials], 0
    for event in events:
        match event:
            case Started():
                found.append(event.budget[0])
            case Instructed():
                found.append(event.trials)
            case Proposed(instruction=int()):  # its driver may have died before it could record the larger total
                added += 1
    known = [number for number in found if number]
    return max(known) + added if known else None


def _picks_without_a_model(state: SearchState, found: Iterable[tuple[str, Event | InvalidEventError]]) -> list[Doubt]:
    return [
        Doubt(key, f"picks trial {event.trial}, which has no model", event.kind, event.trial, follows=True)
        for key, event in found
        if isinstance(event, Picked) and not state.is_complete(event.trial)
    ]


def apply(state: SearchState, event: Event, at_s: float, most: int | None = None) -> str | None:
    """Apply one event to the state.

    Args:
        state: the state after the earlier events.
        event: the next one.
        at_s: its search time in seconds.
        most: the largest total of trials ever requested, if known.

    Returns:
        Why it is ignored; None if it counts or adds nothing: if an outcome was recorded twice (a driver died before its
        write was confirmed), the first one counts.
    """
    match event:
        case Started():
            _start(state, event.budget[0])
            state.stopping = event.stopping
        case Proposed():
            if most is not None and event.trial >= most:
                return f"proposes trial {event.trial}, where {most} trials were asked for"
            made = TrialRecord(event.trial, dict(event.params), proposed_at=event.time_s)
            made.instruction, made.known = event.instruction, event.known
            known = state.trials.setdefault(event.trial, made)
            if known.params != event.params:
                return f"proposes trial {event.trial} once more, with other parameters"
        case Ended():
            return _end(state, event, at_s)
        case Reopened():
            _reopen(state, event)
        case Measured():
            if not state.is_complete(event.trial):
                return f"measures trial {event.trial} on test, which has no model"
            state.trials[event.trial].test = dict(event.values)
        case Confirmed():
            if not state.is_complete(event.trial):
                return f"confirms trial {event.trial}, which has no model"
            state.trials[event.trial].confirmations.setdefault(event.run, event)
        case _:
            _note(state, event)
    return None


def _note(state: SearchState, event: Event) -> None:
    """Apply an event that is about the search, not about one of its trials."""
    match event:
        case Baseline():
            state.baselines = [b for b in state.baselines if b.identity != event.identity] + [event]
        case Referenced():
            state.reference = state.reference or event
        case Learned():
            state.learn(event)
        case Picked():
            state.picks.append(event)
        case Instructed():
            _instruct(state, event)


def _start(state: SearchState, asked: int | None) -> None:
    """A run begins that is asked for this total of trials."""
    if asked is None:
        state.budget = None
        return
    state.budget = state.in_force(asked)
    state.raised = None if asked not in state.asked else state.raised
    state.asked = [*(trials for trials in state.asked if trials != asked), asked]


def _instruct(state: SearchState, event: Instructed) -> None:
    """An instruction was carried out or refused; the first record of it counts."""
    if state.instructed.setdefault(event.number, event) is not event or not event.applied:
        return
    if event.trials is not None:
        state.budget = state.raised = event.trials
    if event.verb in ("pause", "resume", "stop"):
        state.paused = event if event.verb == "pause" else None


def _reopen(state: SearchState, event: Reopened) -> None:
    """Pruned trials are open again, and keep what they have from the rung; others have been run meanwhile."""
    for number in event.trials:
        record = state.trials.get(number)
        if record is not None and event.at is not None:
            record.promoted = event.at if record.promoted is None else min(record.promoted, event.at)
        if record is not None and record.outcome == "pruned":
            record.outcome = record.stage = record.cause = None
            record.reopened = True


def _end(state: SearchState, event: Ended, at_s: float) -> str | None:
    record = state.trials.get(event.trial)
    if record is None:
        return f"ends trial {event.trial}, whose proposal is missing or damaged"
    went_on = record.outcome == "pruned" and event.outcome != "pruned"  # the event that reopened it is damaged
    if record.outcome is None or went_on:
        record.reopened = record.reopened or went_on
        record.outcome, record.stage, record.cause = event.outcome, event.stage, event.cause
        record.values, record.model, record.program = event.values, event.model, event.program
        record.seconds = event.seconds + (record.seconds if record.reopened else 0.0)
        if event.rung_epochs is not None:  # one that goes on without early stopping keeps what was measured before
            record.rung, record.rung_epochs = event.rung, event.rung_epochs
        before = record.stages if record.reopened else ()  # what it took up to the rung
        if record.reopened:
            record.paused = record.ended_s, len(before)
        had = {use.key for use in before}
        record.stages = (*before, *(use for use in event.stages if use.key not in had))
        record.remade = list(event.remade)
        record.ended_s, record.ended_at = at_s, event.time_s
    return None


def tally(counts: Mapping[str, int]) -> str:
    """Outcomes as text: "2 complete, 1 failed"; empty if there are none."""
    return ", ".join(f"{n} {outcome}" for outcome, n in counts.items())


def _read(content: Any, possible: Possible | None) -> Event | InvalidEventError:
    """The event of an entry, or its problem."""
    try:
        event = read_event(content)
        if possible is not None and isinstance(event, Proposed):
            settled = possible.settled(event.params)
            return event if settled == event.params else replace(event, params=settled)
        return event
    except InvalidEventError as damage:
        return damage


def _hints(content: Any) -> tuple[str | None, int | None]:
    """Kind and trial of a damaged event; None if unknown."""
    if not isinstance(content, Mapping):
        return None, None
    kind, number = content.get("event"), content.get("trial")
    return kind if isinstance(kind, str) else None, number if type(number) is int else None


def _settled(state: SearchState, doubt: Doubt) -> Damage:
    """What happens instead of an ignored event, or has happened since."""
    record = None if doubt.trial is None else state.trials.get(doubt.trial)
    then, settled = _INSTEAD.get(doubt.kind or "", "it is left out"), False
    if record is not None and doubt.kind in ("trial", "outcome") and record.outcome:
        then, settled = f"it is left out, and trial {doubt.trial} has been run since", doubt.follows
    elif record is not None and doubt.kind == "test" and record.test:
        then, settled = f"it is left out, and trial {doubt.trial} has been measured since", doubt.follows
    return Damage(doubt.key, doubt.reason, then, settled)


_INSTEAD = {
    "trial": "it is left out, and the trial is proposed again",
    Learned.kind: "it is left out, and further proposals do not learn from it until the search is told to again",
    "outcome": "it is left out, and the trial runs again from the stages in the store",
    "reference": "it is left out, and follows from the first trials again",
    "reopened": "it is left out, and the trials that it opened again stay as they ended",
    "test": "it is left out, and the trial is measured again if it is on the front",
    "confirmation": "it is left out, and qpm-tuner confirm runs it again",
    "baseline": "it is left out, and qpm-tuner compare measures it again",
    "pick": "it is left out, and the choice before it counts, or the knee",
    "instruction": "it is left out, and the instruction is looked at again",
    DATED: "it counts with the time of its entry",
}
