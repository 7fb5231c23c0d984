"""The events of measurements after the trials: members on test, confirmation runs, systems to compare with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from tuner.search.record.event import Event
from tuner.search.record.fields import (
    InvalidEventError,
    check_count,
    check_key,
    check_numbers,
    check_seed,
    check_word,
    check_words,
    line,
    taken,
)
from tuner.search.record.outcomes import OUTCOMES
from tuner.search.record.stage_use import StageUse


@dataclass(frozen=True)
class OfACommand(Event):
    """A measurement by a driver or another command.

    Attributes:
        command: the other command; its time does not count as search time.
    """

    command: str | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.command is not None:
            check_word("command", self.command)

    def to_json(self) -> dict[str, Any]:
        """As stored in the ledger, without `command` for a driver."""
        return {name: value for name, value in super().to_json().items() if name != "command" or value is not None}


@dataclass(frozen=True)
class Measured(OfACommand):
    """A member of the front was measured on the test split."""

    kind = "test"
    trial: int
    values: dict[str, float]

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("trial", self.trial)
        check_numbers("values", self.values)


@dataclass(frozen=True)
class Confirmed(OfACommand):
    """A member of the front was trained and measured once more, with another seed or validation split.

    Attributes:
        trial: the member.
        seed: of its training, program and measurement.
        split_seed: of the cut between train and validation.
        outcome: how the run ended, one of `OUTCOMES`; a run that did not complete has no values.
        cause: one line, if it did not complete.
        values: every metric, on the split that objectives are measured on.
        stages: those that it requested.
    """

    kind = "confirmation"
    trial: int
    seed: int
    split_seed: int
    outcome: str
    cause: str | None
    values: dict[str, float]
    stages: tuple[StageUse, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("trial", self.trial)
        for name in ("seed", "split_seed"):
            check_seed(name, getattr(self, name))
        if self.outcome not in OUTCOMES:
            raise InvalidEventError(f"its outcome is none of {', '.join(OUTCOMES)}")
        if self.cause is not None:
            object.__setattr__(self, "cause", line("cause", self.cause))
        check_numbers("values", self.values)
        if self.outcome == "complete" and not self.values:
            raise InvalidEventError("it is complete without any value")

    def to_json(self) -> dict[str, Any]:
        """As stored in the ledger."""
        return {**super().to_json(), "stages": [use.to_json() for use in self.stages]}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """As `Event.from_json`."""
        found = taken(cls, content)
        if not isinstance(found["stages"], list):
            raise InvalidEventError("its stages is no list")
        return cls(**{**found, "stages": tuple(map(StageUse.from_json, found["stages"]))})

    @property
    def run(self) -> tuple[int, int]:
        """What tells it from other confirmation runs of its trial: seed and split seed."""
        return self.seed, self.split_seed

    def stage_key(self, stage: str) -> str | None:
        """Key of the artifact of one of its stages, or None if the stage did not complete."""
        return next((use.key for use in self.stages if use.stage == stage), None)


@dataclass(frozen=True)
class Baseline(OfACommand):
    """A run of a system, which the front should beat, or a repetition of a member was measured.

    Attributes:
        name: of the system, such as "linear probe 768", or of the member, such as "trial 7".
        note: what it is, in words.
        split: what it was measured on.
        values: all metrics.
        key: of its evaluation, the hash of all that made it; None: an earlier version kept one result per name.
        seed: of the run; None: that of the search.
        trial: the member that was repeated; None: it is a system.
    """

    kind = "baseline"
    name: str
    note: str
    values: dict[str, float]
    split: str = "test"
    key: str | None = None
    seed: int | None = None
    trial: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_words("name", self.name)
        check_words("note", self.note)
        check_word("split", self.split)
        check_numbers("values", self.values)
        if self.key is not None:
            check_key("key", self.key)
        if self.seed is not None:
            check_seed("seed", self.seed)
        if self.trial is not None:
            check_count("trial", self.trial)

    @property
    def identity(self) -> str:
        """What it is: a later measurement of the same replaces it."""
        return self.key or self.name
