"""What the processes of a search say to each other: a worker to the broker, the broker to the driver.

A worker sends a `StageResult`, the broker answers Tune with a `TrialOutcome`, and the screen is shown a `RunSnapshot`.
"""

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Self

from tuner.qpm.program_info import ProgramInfo
from tuner.search.record.events import Ended, StageUse

Outcome = Literal["complete", "infeasible", "failed", "corrupt", "halted", "elsewhere", "called off"]
"""How a stage or a trial ended.

`corrupt`: an input is damaged or gone, and has been removed, so that it is made again. `halted`: the store or a disk
fails, or the feature bank is damaged, so no trial can go on. `elsewhere`: another driver runs the stage.
`called off`: the search is to stop. The ledger knows none of these four: the trial stays open.
"""


@dataclass(frozen=True)
class StageResult:
    """How a stage ended.

    Attributes:
        outcome: how; never `called off`.
        seconds: wall time.
        cause: one line; of `elsewhere` it is who runs the stage.
        values: what a stage that measures has measured.
        program: how its program ended.
        damaged: kind and key of the input that is damaged or gone, only of `corrupt`.
        trial: the trial of this search that it ran for; None: the store had it.
    """

    outcome: Outcome
    seconds: float
    cause: str | None = None
    values: dict[str, float] | None = None
    program: ProgramInfo | None = None
    damaged: tuple[str, str] | None = None
    trial: int | None = None


class StageUsed(NamedTuple):
    """A stage that a trial asked for: how it ended, and what the ledger keeps of the request."""

    result: StageResult
    use: StageUse


class Grant(NamedTuple):
    """What a worker may do: how many stages of its row to run, and what to answer instead if that is none."""

    n_stages: int
    instead: StageResult | None


@dataclass(frozen=True)
class TrialOutcome:
    """What became of a trial.

    Attributes:
        outcome: how it ended; `halted` and `called off` are for the driver only, and the trial stays open.
        stage: the stage it ended in. None where it is complete, or failed through a disk, a node or a stage that hung,
            which says nothing of its parameters.
        cause: one line, where it is not complete.
        values: what was measured.
        stages: the stages it asked for.
        model: key of its model.
        program: how its program ended.
        remade: what was found damaged on the way and made again, one line each.
        seconds: wall time.
    """

    outcome: Outcome
    stage: str | None = None
    cause: str | None = None
    values: dict[str, float] = field(default_factory=dict)
    stages: tuple[StageUse, ...] = ()
    model: str | None = None
    program: ProgramInfo | None = None
    remade: tuple[str, ...] = ()
    seconds: float = 0.0

    def ended(self, trial: int, time_s: float) -> Ended:
        """The event that the ledger keeps of it.

        Raises:
            InvalidEventError: no ledger can hold it.
        """
        return Ended(time_s=time_s, trial=trial, **self.__dict__)

    def to_json(self) -> dict[str, Any]:
        """As JSON, for Tune takes other objects apart."""
        return {
            **self.__dict__,
            "stages": [use.to_json() for use in self.stages],
            "program": None if self.program is None else self.program.to_json(),
            "remade": list(self.remade),
        }

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        """From `to_json`."""
        uses = tuple(map(StageUse.from_json, content["stages"]))
        program = None if content["program"] is None else ProgramInfo.from_json(content["program"])
        return cls(**{**content, "stages": uses, "program": program, "remade": tuple(content["remade"])})


@dataclass(frozen=True)
class RunSnapshot:
    """A run of a stage under way, as the screen shows it.

    Attributes:
        stage: its name.
        trial: the trial that asked first.
        begun: whether a worker is at it.
        elsewhere: the other driver that runs it, if one does.
        waits: the lock that it waits for, and who holds it; empty: none.
        done: epochs that have ended.
        epochs: epochs in all; 0: it has none.
        values: how it goes: those of the last epoch, or incumbent and gap of the program.
        seconds: since it was its turn.
        quiet_s: seconds since its last sign of life.
    """

    stage: str
    trial: int
    begun: bool = False
    elsewhere: str | None = None
    waits: str = ""
    done: int = 0
    epochs: int = 0
    values: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    quiet_s: float = 0.0
