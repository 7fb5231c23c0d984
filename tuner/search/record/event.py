"""What all events in the ledger of a search have in common; the kinds of events are in `events.py`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from tuner.search.record.fields import check_number, taken


@dataclass(frozen=True)
class Event:
    """One event.

    Attributes:
        time_s: when, unix seconds.
    """

    kind: ClassVar[str] = ""
    time_s: float

    def __post_init__(self) -> None:
        """Check every field.

        Raises:
            InvalidEventError: naming the first that is wrong.
        """
        check_number("time_s", self.time_s)

    def to_json(self) -> dict[str, Any]:
        """As stored in the ledger."""
        return {"event": self.kind, **self.__dict__}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """The event in a JSON object of the ledger.

        Raises:
            InvalidEventError: it lacks a field, or one is wrong.
        """
        return cls(**taken(cls, content))
