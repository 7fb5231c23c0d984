"""A stage that a trial requested, as the ledger's events hold it: reused or run, how long, and what it held."""

from dataclasses import dataclass
from typing import Any, Self

from tuner.search.record.fields import InvalidEventError, check_key, check_number, check_word, taken


@dataclass(frozen=True)
class StageUse:
    """A stage that a trial requested.

    Attributes:
        stage: its name.
        key: of its artifact.
        reused: whether another trial or an earlier run had completed it.
        seconds: time that the trial waited for it: for a worker, for its run, or for that of another trial.
        saved_s: time saved by reuse, seconds.
        ran_s: time that it ran for this trial, seconds; 0 where it was reused; None: an earlier version did not say.
        cpus: CPU cores that it held meanwhile; 0 and None as above.
        gpus: share of GPUs that it held meanwhile; 0 and None as above.
    """

    stage: str
    key: str
    reused: bool
    seconds: float
    saved_s: float
    ran_s: float | None = None
    cpus: float | None = None
    gpus: float | None = None

    @property
    def took_s(self) -> float:
        """Seconds that a run of the stage takes: of this run, or of the reused one.

        Where an earlier version did not say how long it ran, the time waited, which is not shorter.
        """
        if self.reused:
            return self.saved_s
        return self.seconds if self.ran_s is None else self.ran_s

    def __post_init__(self) -> None:
        """Check every field, as events do."""
        check_word("stage", self.stage)
        check_key("key", self.key)
        if type(self.reused) is not bool:
            raise InvalidEventError("a stage's reused is neither true nor false")
        check_number("seconds", self.seconds)
        check_number("saved_s", self.saved_s)
        for name, value in (("ran_s", self.ran_s), ("cpus", self.cpus), ("gpus", self.gpus)):
            if value is not None:
                check_number(name, value)

    def to_json(self) -> dict[str, Any]:
        """As stored in the ledger."""
        return dict(self.__dict__)

    @classmethod
    def from_json(cls, content: Any) -> Self:
        """As `Event.from_json`; fast if no field is missing, because a ledger holds four per trial."""
        try:
            first = (content["stage"], content["key"], content["reused"], content["seconds"], content["saved_s"])
            made = cls(*first, content.get("ran_s"), content.get("cpus"), content.get("gpus"))
        except (KeyError, TypeError, IndexError, AttributeError):
            made = cls(**taken(cls, content))
        return made
