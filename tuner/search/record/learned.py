"""The event that a search learns from trials of another one; it holds them, so that the other search may change or go.

Proposals depend on these trials. With them in its own ledger, a search continues in the same way without the other one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from tuner.search.record.event import Event
from tuner.search.record.fields import (
    InvalidEventError,
    check_count,
    check_numbers,
    check_params,
    check_word,
    check_words,
    taken,
)


@dataclass(frozen=True)
class LearnedTrial:
    """A trial of another search.

    Attributes:
        trial: its number there.
        params: its point, by the names of this search's space.
        outcome: how it ended.
        stage: the stage it ended in, where it did not complete.
        values: of the objectives and constraints of this search.
    """

    trial: int
    params: dict[str, Any]
    outcome: str
    stage: str | None
    values: dict[str, float]

    def __post_init__(self) -> None:
        """Check every field, as events do."""
        check_count("trial", self.trial)
        check_params(self.params)
        check_word("outcome", self.outcome)
        if self.stage is not None:
            check_word("stage", self.stage)
        check_numbers("values", self.values)


@dataclass(frozen=True)
class Learned(Event):
    """This search learns from trials of another one.

    Attributes:
        search: the other one's name.
        trials: those of its trials that had ended, and lie in the space of this search; many take several events.
        total: how many there are in all of these events; 0: unknown, the event is of an earlier version.
    """

    kind = "learned"
    search: str
    trials: tuple[LearnedTrial, ...]
    total: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_words("search", self.search)
        check_count("total", self.total)

    def to_json(self) -> dict[str, Any]:
        """As stored in the ledger, without a total that is unknown."""
        told = {name: value for name, value in super().to_json().items() if name != "total" or value}
        return {**told, "trials": [dict(trial.__dict__) for trial in self.trials]}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """As `Event.from_json`."""
        found = taken(cls, content)
        if not isinstance(found["trials"], list):
            raise InvalidEventError("its trials is no list")
        trials = tuple(LearnedTrial(**taken(LearnedTrial, trial)) for trial in found["trials"])
        return cls(**{**found, "trials": trials})
