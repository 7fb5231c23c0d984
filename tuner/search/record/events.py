"""The events in the ledger of a search, one class per kind, validated when created and when read.

Fields added later have defaults, so that ledgers of earlier versions stay readable; unknown fields are ignored.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from tuner.qpm.program_info import ProgramInfo
from tuner.search.record.event import Event
from tuner.search.record.fields import (
    InvalidEventError,
    check_count,
    check_key,
    check_number,
    check_numbers,
    check_params,
    check_program,
    check_rung,
    check_tree,
    check_word,
    line,
    taken,
    told,
)
from tuner.search.record.instructed import Instructed
from tuner.search.record.learned import Learned
from tuner.search.record.measured import Baseline, Confirmed, Measured, OfACommand
from tuner.search.record.outcomes import OUTCOMES
from tuner.search.record.stage_use import StageUse
from tuner.search.stages import model_stage

__all__ = [
    "KINDS",
    "OUTCOMES",
    "Baseline",
    "Confirmed",
    "Ended",
    "Event",
    "Instructed",
    "Learned",
    "Measured",
    "OfACommand",
    "Picked",
    "Proposed",
    "Referenced",
    "Reopened",
    "Started",
    "Suspended",
    "read_event",
]


@dataclass(frozen=True)
class Started(Event):
    """A run of a driver began.

    Attributes:
        recipe: the recipe of this run, budget included.
        versions: of the software that determines the results.
    """

    kind = "search"
    recipe: dict[str, Any]
    versions: dict[str, Any]

    def __post_init__(self) -> None:
        super().__post_init__()
        check_tree("recipe", self.recipe)
        check_tree("versions", self.versions)

    @property
    def budget(self) -> tuple[int | None, int | None]:
        """The requested total of trials and the parallelism; None if not stated."""
        budget = self.recipe.get("budget")
        found = [budget.get(name) if isinstance(budget, dict) else None for name in ("trials", "parallel")]
        trials, parallel = (number if type(number) is int and number > 0 else None for number in found)
        return trials, parallel

    @property
    def stopping(self) -> dict[str, Any]:
        """The settings of early stopping; empty if not stated."""
        found = self.recipe.get("stopping")
        return found if isinstance(found, dict) else {}


@dataclass(frozen=True)
class Proposed(Event):
    """A trial was given its parameters; it starts when this is written.

    Attributes:
        trial: its number.
        params: by name.
        instruction: number of the instruction by which a person added it; None: the sampler proposed it.
        known: the trials before this number had ended; at the rung it is compared with theirs. None: early stopping
            was off, or a person added it.
    """

    kind = "trial"
    trial: int
    params: dict[str, Any]
    instruction: int | None = None
    known: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("trial", self.trial)
        check_params(self.params)
        for name in ("instruction", "known"):
            if getattr(self, name) is not None:
                check_count(name, getattr(self, name))

    def to_json(self) -> dict[str, Any]:
        """As stored in the ledger, without fields that are None."""
        return {name: value for name, value in super().to_json().items() if value is not None}


@dataclass(frozen=True)
class Reopened(Event):
    """Pruned trials go on, and are open again: promoted, or because the settings of early stopping have changed.

    Attributes:
        trials: their numbers.
        at: they are promoted at the turn of the proposal with this number, which knows no end of theirs yet. None: the
            settings have changed, or they are promoted after the last proposal, and no other proposal counts their end.
    """

    kind = "reopened"
    trials: tuple[int, ...]
    at: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for trial in self.trials:
            check_count("trial", trial)
        if self.at is not None:
            check_count("at", self.at)

    def to_json(self) -> dict[str, Any]:
        """As stored in the ledger, without a turn that is None."""
        turn = {} if self.at is None else {"at": self.at}
        return {"event": self.kind, "time_s": self.time_s, "trials": list(self.trials), **turn}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """As `Event.from_json`."""
        found = taken(cls, content)
        if not isinstance(found["trials"], list):
            raise InvalidEventError("its trials is no list")
        return cls(**{**found, "trials": tuple(found["trials"])})


@dataclass(frozen=True)
class Suspended(Event):
    """A run of a driver ended with open trials; search time counts up to here."""

    kind = "end"


@dataclass(frozen=True)
class Ended(Event):
    """A trial ended; the fields are those of `state.TrialRecord`. A pruned one has values at the rung only."""

    kind = "outcome"
    trial: int
    outcome: str
    stage: str | None
    cause: str | None
    values: dict[str, float]
    stages: tuple[StageUse, ...]
    model: str | None
    seconds: float
    program: ProgramInfo | None = None
    remade: tuple[str, ...] = ()
    rung: dict[str, float] = field(default_factory=dict)
    rung_epochs: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("trial", self.trial)
        if self.outcome not in OUTCOMES:
            raise InvalidEventError(f"its outcome is none of {', '.join(OUTCOMES)}")
        if self.outcome == "pruned" and (self.values or not self.rung):
            raise InvalidEventError("it is pruned, and has other values than those at the rung")
        check_numbers("rung", self.rung)
        check_rung(self.rung, self.rung_epochs)
        if self.stage is not None:
            check_word("stage", self.stage)
        if self.cause is not None:
            object.__setattr__(self, "cause", line("cause", self.cause))
        check_numbers("values", self.values)
        if self.model is not None:
            check_key("model", self.model)
        last = model_stage().name
        tuned = next((use.key for use in self.stages if use.stage == last), self.model)
        if self.outcome == "complete" and (self.model is None or self.model != tuned):
            raise InvalidEventError(f"its model is not what its {last} stage made")
        if self.outcome == "complete" and not self.values:
            raise InvalidEventError("it is complete without any value")
        check_number("seconds", self.seconds)
        if self.program is not None:
            check_program(self.program)
        if self.remade:
            object.__setattr__(self, "remade", tuple(line("remade", damage) for damage in self.remade))

    def to_json(self) -> dict[str, Any]:
        """As stored in the ledger, without what a trial that had no rung has none of."""
        content = super().to_json() | {
            "stages": [use.to_json() for use in self.stages],
            "program": None if self.program is None else self.program.to_json(),
            "remade": list(self.remade),
        }
        if self.rung_epochs is not None:
            return content | {"rung_epochs": list(self.rung_epochs)}
        return {name: value for name, value in content.items() if name not in ("rung", "rung_epochs")}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """As `Event.from_json`."""
        found = taken(cls, content)
        if isinstance(epochs := found.get("rung_epochs"), list):
            found["rung_epochs"] = tuple(epochs)
        for name in ("stages", "remade"):
            if not isinstance(found.get(name, []), list):
                raise InvalidEventError(f"its {name} is no list")
        found["stages"] = tuple(map(StageUse.from_json, found["stages"]))
        found["remade"] = tuple(found.get("remade", ()))
        if (program := found.get("program")) is not None:
            if not isinstance(program, dict):
                raise InvalidEventError(f"its program is no object: {told(program)}")
            found["program"] = ProgramInfo.from_json(program)
        return cls(**found)


@dataclass(frozen=True)
class Referenced(Event):
    """The reference point of the hypervolume was settled; it does not move afterwards.

    Attributes:
        values: the worst value of each objective that still counts, in its unit.
        trials: how many trials it was taken from; 0: the recipe gives it.
    """

    kind = "reference"
    values: dict[str, float]
    trials: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_numbers("values", self.values)
        check_count("trials", self.trials)


@dataclass(frozen=True)
class Picked(Event):
    """A user chose a trial's model; the reason is one sentence."""

    kind = "pick"
    trial: int
    reason: str

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("trial", self.trial)
        object.__setattr__(self, "reason", line("reason", self.reason))


KINDS: dict[str, type[Event]] = {
    made.kind: made
    for made in (
        *(Started, Learned, Proposed, Ended, Reopened, Suspended, Referenced),
        *(Measured, Confirmed, Baseline, Picked, Instructed),
    )
}


def read_event(content: Any) -> Event:
    """The event in a JSON value of a ledger.

    Raises:
        InvalidEventError: it is not an event, or an impossible one.
    """
    kind = content.get("event") if isinstance(content, dict) else None
    if not isinstance(kind, str):
        raise InvalidEventError("names no kind of event")
    if kind not in KINDS:
        raise InvalidEventError(
            f"is an event of a kind unknown here: {told(kind)}; a newer version may have written it"
        )
    return KINDS[kind].from_json(content)
