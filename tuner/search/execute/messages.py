"""The messages between the processes of a search: worker to broker, broker to driver.

A worker sends a `StageResult`, the broker answers Tune with a `TrialOutcome`, and the display gets `RunSnapshot`s.
"""

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Self

from tuner.qpm.program_info import ProgramInfo
from tuner.search.record.events import Ended
from tuner.search.record.stage_use import StageUse

Outcome = Literal[
    "complete", "pruned", "skipped", "infeasible", "failed", "corrupt", "halted", "elsewhere", "called off"
]
"""How a stage or a trial ended.

`pruned`: early stopping ended the trial at the rung. `skipped`: a person asked for its end; only a trial.

`corrupt`: an input is damaged or missing, and was removed so that it is recreated. `halted`: the store or a disk
fails, or the feature bank is damaged, so no trial can continue. `elsewhere`: another driver runs the stage.
`called off`: the search is stopping. None of these four is recorded in the ledger: the trial stays open.
"""


@dataclass(frozen=True)
class StageResult:
    """How a stage ended.

    Attributes:
        outcome: how it ended; never `called off`.
        seconds: wall time.
        cause: one line; for `elsewhere`, the driver that runs the stage.
        values: the metrics of a stage that measures.
        program: how its program ended.
        damaged: kind and key of the damaged or missing input; only for `corrupt`.
        trial: the trial of this search for which it ran; None: it was in the store.
    """

    outcome: Outcome
    seconds: float
    cause: str | None = None
    values: dict[str, float] | None = None
    program: ProgramInfo | None = None
    damaged: tuple[str, str] | None = None
    trial: int | None = None


class StageUsed(NamedTuple):
    """A stage that a trial requested: how it ended, and the ledger's record of the request."""

    result: StageResult
    use: StageUse


class Grant(NamedTuple):
    """A worker's permission: how many stages of its sequence to run, and what to return instead if none."""

    n_stages: int
    instead: StageResult | None


@dataclass(frozen=True)
class TrialOutcome:
    """The outcome of a trial.

    Attributes:
        outcome: how it ended; `halted` and `called off` are for the driver only, and the trial stays open.
        stage: the stage it ended in. None if it is complete, or if a disk, a node or a hang made it fail, which says
            nothing about its parameters.
        cause: one line, if it is not complete.
        values: the measured metrics.
        stages: the stages it requested.
        model: key of its model.
        program: how its program ended.
        remade: artifacts that were found damaged and recreated, one line each.
        seconds: wall time.
        rung: the metrics at the rung of early stopping; none if it has no rung, or did not reach it.
        rung_epochs: the epoch of the rung, and the epochs of fine-tuning in all.
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
    rung: dict[str, float] = field(default_factory=dict)
    rung_epochs: tuple[int, int] | None = None

    def ended(self, trial: int, time_s: float) -> Ended:
        """The ledger event of this outcome.

        Raises:
            InvalidEventError: the ledger cannot represent it.
        """
        return Ended(time_s=time_s, trial=trial, **self.__dict__)

    def to_json(self) -> dict[str, Any]:
        """As JSON, because Tune flattens other objects."""
        return {
            **self.__dict__,
            "stages": [use.to_json() for use in self.stages],
            "program": None if self.program is None else self.program.to_json(),
            "remade": list(self.remade),
            "rung_epochs": None if self.rung_epochs is None else list(self.rung_epochs),
        }

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        """From `to_json`."""
        uses = tuple(map(StageUse.from_json, content["stages"]))
        program = None if content["program"] is None else ProgramInfo.from_json(content["program"])
        told = {"stages": uses, "program": program, "remade": tuple(content["remade"])}
        if (epochs := content.get("rung_epochs")) is not None:
            told["rung_epochs"] = tuple(epochs)
        return cls(**{**content, **told})


@dataclass(frozen=True)
class RunSnapshot:
    """An active run of a stage, as displayed.

    Attributes:
        stage: its name.
        trial: the first trial that requested it.
        begun: whether a worker has started it.
        elsewhere: the other driver that runs it, if any.
        waits: the lock that it waits for, and its holder; empty: none.
        done: epochs that have ended.
        epochs: epochs in all; 0: it has none.
        values: those of the last epoch, or incumbent and gap of the program.
        seconds: seconds since it began; where it has not, since its turn came.
        quiet_s: seconds since its last heartbeat.
        waiting: the trials that wait for it.
        where: the process that runs it; empty: none yet.
        seed: of the stage.
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
    waiting: tuple[int, ...] = ()
    where: str = ""
    seed: int = 0
