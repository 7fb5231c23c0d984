"""How the program of a trial ended, for manifests, the ledger and reports; imports neither torch nor SCIP."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Self


@dataclasses.dataclass(frozen=True)
class ProgramInfo:
    """How a program ended; unknown values are None.

    Attributes:
        objective: of the incumbent.
        bound: that no assignment exceeds.
        gap: between the two, as a share of the objective.
        status: why it ended: `optimal`, `gap`, `effort`, `deadline`, `interrupted` or `trouble`.
        seconds: wall time; ledgers of earlier versions do not have it.
    """

    objective: float | None = None
    bound: float | None = None
    gap: float | None = None
    status: str | None = None
    seconds: float | None = None

    def to_json(self) -> dict[str, float | str | None]:
        """As manifests and the ledger keep it; `seconds` only where it is known."""
        found = dict(self.__dict__)
        if self.seconds is None:
            del found["seconds"]
        return found

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """From `to_json`; what is missing is None, unknown names are ignored. The values are not checked here."""
        return cls(**{field.name: content.get(field.name) for field in dataclasses.fields(cls)})
