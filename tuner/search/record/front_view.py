"""A front with its context, as printed by commands and stored in `front.json`."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tuner.errors import TunerError
from tuner.front import pareto, uncertainty
from tuner.front.pareto import Objective, Point
from tuner.qpm.program_info import ProgramInfo
from tuner.search.record.restoration import SearchState, tally


@dataclass(frozen=True)
class FrontView:
    """A front and its context, as `jobs.front --json` prints it.

    Standard errors of its values are in percentage points; `programs` has each member's program, None where unknown;
    `caution` is a sentence on what was chosen on the test images, empty if nothing was.
    """

    search: str
    objectives: tuple[Objective, ...]
    hypervolume: float
    counts: dict[str, int]
    members: list[Point]
    ranks: dict[int, int]
    programs: dict[int, ProgramInfo | None] = field(default_factory=dict)
    caution: str = ""

    @classmethod
    def of(cls, search: str, state: SearchState, objectives: Sequence[Objective], caution: str = "") -> "FrontView":
        """The front of a state; trials that lack an objective are left out."""
        points = state.points(objectives)
        ranked = zip(points, pareto.ranks(points, objectives), strict=True)
        members = pareto.front(points, objectives)
        return cls(
            search,
            tuple(objectives),
            pareto.hypervolume(points, objectives),
            state.counts(),
            members,
            {point.trial: rank for point, rank in ranked},
            {member.trial: state.trials[member.trial].program for member in members},
            caution,
        )

    def to_dict(self) -> dict[str, Any]:
        """The one JSON document of a front."""
        return {
            "search": self.search,
            "objectives": {o.name: o.direction for o in self.objectives},
            "hypervolume": self.hypervolume,
            "trials": self.counts,
            "caution": self.caution,
            "members": [
                {
                    "trial": m.trial,
                    "params": m.params,
                    "values": m.values,
                    "model": m.model,
                    "errors": uncertainty.errors(m.values),
                    "program": _as_json(self.programs.get(m.trial)),
                }
                for m in self.members
            ],
        }

    def to_json(self) -> bytes:
        """As bytes for the store."""
        return json.dumps(self.to_dict(), indent=1, allow_nan=False).encode()


def _as_json(program: ProgramInfo | None) -> dict[str, float | str | None] | None:
    return None if program is None else program.to_json()


def require_points(view: FrontView) -> None:
    """Refuse to go on without any finished trial.

    Raises:
        TunerError: if the front is empty.
    """
    if not view.members and (complete := view.counts.get("complete")):
        raise TunerError(
            f"none of the {complete} complete trials of search {view.search!r} has a finite value of all of "
            f"{', '.join(objective.name for objective in view.objectives)}",
            "at least one that has",
            "look at the front of other `objectives`",
        )
    if not view.members:
        raise TunerError(
            f"search {view.search!r} has no complete trial yet ({tally(view.counts) or 'nothing has ended'})",
            "at least one complete trial",
            "check why trials failed, if any did, and continue the search",
        )
