"""Carries out what people have instructed, and records in the ledger what became of it.

An effect that is recorded by itself (an added trial) is recorded before the instruction, so that a driver that dies
between the two neither forgets nor repeats it.
"""

import time
from collections.abc import Callable
from typing import Protocol

from tuner.base.steps import duration
from tuner.recipe import Recipe
from tuner.search.control.added import completed, refuse_twin
from tuner.search.control.entries import UNKNOWN, Instruction
from tuner.search.control.inbox import Inbox
from tuner.search.record.events import Ended, Event, Instructed, Proposed
from tuner.search.record.fields import InvalidEventError
from tuner.search.record.home import SearchHome
from tuner.search.record.state import SearchState


class RefusedError(Exception):
    """An instruction cannot be carried out; the message says why, in one line."""


class Trials(Protocol):
    """The trials of a run of the driver; see `LedgerSearcher`."""

    @property
    def next_number(self) -> int:
        """The number of the next trial that nobody has."""

    def started(self, number: int) -> bool:
        """Whether the broker has a trial."""

    def drop(self, number: int) -> None:
        """Do not start a trial: it has ended."""

    def adjust(self) -> None:
        """Follow a changed budget, and trials that a person has added."""


class Instructions:
    """What people have instructed a search to do.

    Args:
        inbox: new instructions.
        recipe: of the search; its budget follows the instructions.
        state: the ledger's state; updated by `record`.
        n_classes: counts the classes of the data, which reads the store.
        record: appends an event to the ledger, and applies it to the state.
        skip: ends a trial that the broker has, with a cause.
        say: tells the user of the driver.

    Attributes:
        trials: those of the run under way; None: no trials run, as the front is confirmed.
        stopped: the instruction to stop; None: there is none.
        added: whether trials have been added, or the budget has changed, since it was last set to False.
    """

    def __init__(
        self,
        inbox: Inbox,
        recipe: Recipe,
        state: SearchState,
        n_classes: Callable[[], int],
        record: Callable[[Event], None],
        skip: Callable[[int, str], None],
        say: Callable[[str], None],
    ) -> None:
        self._inbox, self._recipe, self._state = inbox, recipe, state
        self._n_classes, self._record, self._skip, self._say = n_classes, record, skip, say
        self.trials: Trials | None = None
        self.stopped: Instruction | None = None
        self.added = False
        self._verbs: dict[str, Callable[[Instruction], tuple[str, int | None]]] = {
            "stop": self._stop,
            "pause": self._pause,
            "resume": self._resume,
            "skip": self._skip_trial,
            "add": self._add,
            "budget": self._budget,
        }

    @property
    def stopped_now(self) -> bool:
        """Whether running stages are to be ended at once."""
        return self.stopped is not None and bool(self.stopped.arguments.get("now"))

    def begin(self) -> None:
        """End the trials that an earlier driver was told to skip, and died before they ended."""
        for told in list(self._state.instructed.values()):
            if told.applied and told.verb == "skip":
                record = self._state.trials.get(told.arguments.get("trial", -1))
                if record is not None and record.outcome is None:
                    self._end(record.number, skipped_by(told.by))

    def heed(self) -> None:
        """Carry out the new instructions.

        Raises:
            StoreError: the ledger cannot be written to.
            LeaseHeldError: another driver took the search over.
        """
        for instruction in self._inbox.take():
            self._answer(instruction)

    def _answer(self, instruction: Instruction) -> None:
        """Carry out one instruction or refuse it, and record that."""
        trials = None
        try:
            if instruction.problem:
                raise RefusedError(instruction.problem)
            note, trials = self._verbs[instruction.verb](instruction)
            applied = True
        except RefusedError as refusal:
            note, applied = str(refusal), False
        verb, arguments = instruction.verb, instruction.arguments
        known = (instruction.number, verb, arguments if verb != UNKNOWN else {}, instruction.by, instruction.given_s)
        self._record(Instructed(time.time(), *known, applied, note, trials))
        if trials is not None:
            self._recipe.budget.trials = trials
            self.added = True
            if self.trials is not None:
                self.trials.adjust()
        self._say(f"{instruction.by}: {instruction.told()}: {'' if applied else 'refused: '}{note}")

    def _stop(self, instruction: Instruction) -> tuple[str, None]:
        if instruction.number in self._inbox.old:
            raise RefusedError("this driver began later: the instruction was for an earlier one")
        if self.stopped is None or instruction.arguments.get("now"):
            self.stopped = instruction
        doing = "running stages are ended" if self.stopped_now else "running stages come to their end"
        return f"stopping: {doing}, and nothing new begins", None

    def _pause(self, instruction: Instruction) -> tuple[str, None]:
        if (since := self._state.paused) is not None:
            raise RefusedError(f"it is paused already, since {duration(time.time() - since.time_s)}, by {since.by}")
        if not (self._state.open() or self._state.missing(self._recipe.budget.trials)):
            raise RefusedError("all trials have ended; confirming the front can be stopped, not paused")
        begun = [t for t in self._state.open() if self.trials is not None and self.trials.started(t.number)]
        more = f"; {len(begun)} under way {'goes' if len(begun) == 1 else 'go'} on" if begun else ""
        return f"paused: no trial begins until resume{more}", None

    def _resume(self, instruction: Instruction) -> tuple[str, None]:
        if self._state.paused is None:
            raise RefusedError("it is not paused")
        return "going on", None

    def _skip_trial(self, instruction: Instruction) -> tuple[str, None]:
        number = instruction.arguments["trial"]
        record = self._state.trials.get(number)
        if record is None:
            last = max(self._state.trials, default=-1)
            so_far = f"the last one so far is trial {last}" if last >= 0 else "none has begun yet"
            raise RefusedError(f"trial {number} has not begun; {so_far}")
        if record.outcome is not None:
            raise RefusedError(f"trial {number} has ended already: {record.outcome}")
        if self.trials is not None and self.trials.started(number):
            self._skip(number, skipped_by(instruction.by))
            return f"trial {number} is ended; its stages run on only where another trial needs them", None
        self._end(number, skipped_by(instruction.by))
        return f"trial {number} is left out", None

    def _end(self, number: int, cause: str) -> None:
        """End a trial that the broker does not have."""
        self._record(Ended(time.time(), number, "skipped", None, cause, {}, (), None, 0.0))
        if self.trials is not None:
            self.trials.drop(number)

    def _add(self, instruction: Instruction) -> tuple[str, int]:
        trials = self._recipe.budget.trials + 1
        made = next((t for t in self._state.trials.values() if t.instruction == instruction.number), None)
        if made is None:  # else the driver that added it died before it could record that
            number = self._next_number()
            try:
                params = completed(self._recipe, self._n_classes(), instruction.arguments)
                refuse_twin(self._state, params)
            except InvalidEventError as error:
                raise RefusedError(str(error)) from None
            self._record(Proposed(time.time(), number, params, instruction.number))
        else:
            number = made.number
        return f"it is trial {number}, one more than the {trials - 1} of the budget", max(trials, number + 1)

    def _next_number(self) -> int:
        if self.trials is not None:
            return self.trials.next_number
        return max([*self._state.trials, *self._state.lost], default=-1) + 1

    def _budget(self, instruction: Instruction) -> tuple[str, int]:
        trials: int = instruction.arguments["trials"]
        begun = len(self._state.trials)
        less = f"; {begun} have begun, and go on to their end" if trials < begun else ""
        return f"{trials} trials in all, {self._recipe.budget.trials} before{less}", trials


def skipped_by(person: str) -> str:
    """The cause of a skipped trial."""
    return f"skipped by {person}"


def instructed_earlier(state: SearchState, recipe: Recipe, asked: int, home: SearchHome) -> list[str]:
    """What instructions to earlier runs mean for this one, in sentences.

    Args:
        state: of the search.
        recipe: with the budget in force.
        asked: the total of trials in the recipe as it was given.
        home: the search.
    """
    command = f"qpm-tuner control --store {home.store.url} --name {home.name}"
    found = []
    if recipe.budget.trials != asked:
        total = f"{recipe.budget.trials} trials in all, as was instructed, not {asked} as in the recipe"
        found.append(f"{total}; {command} budget N changes that")
    if state.paused is not None:
        found.append(f"paused by {state.paused.by}: no trial begins until {command} resume")
    return found
