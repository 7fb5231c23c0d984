"""The event of a person's instruction that a driver carried out or refused."""

from dataclasses import dataclass
from typing import Any

from tuner.search.record.event import Event
from tuner.search.record.fields import (
    InvalidEventError,
    check_count,
    check_number,
    check_params,
    check_word,
    line,
)


@dataclass(frozen=True)
class Instructed(Event):
    """A driver carried out or refused a person's instruction.

    Attributes:
        number: of its entry in the store.
        verb: what was asked for.
        arguments: of the verb.
        by: who asked, as the entry says.
        given_s: when, unix seconds, as the entry says.
        applied: whether it was carried out.
        note: what was done, or why it was refused, in one line.
        trials: the total of trials in force from here on; None: unchanged.
    """

    kind = "instruction"
    number: int
    verb: str
    arguments: dict[str, Any]
    by: str
    given_s: float
    applied: bool
    note: str
    trials: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("number", self.number)
        check_word("verb", self.verb)
        check_params(self.arguments)
        object.__setattr__(self, "by", line("by", self.by))
        check_number("given_s", self.given_s)
        if type(self.applied) is not bool:
            raise InvalidEventError("its applied is neither true nor false")
        object.__setattr__(self, "note", line("note", self.note))
        if self.trials is not None:
            check_count("trials", self.trials)
            if self.trials < 1:
                raise InvalidEventError("its trials is 0, and a search has at least one")
