"""A front with its context, as printed by commands and stored in `front.json`."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tuner.errors import TunerError
from tuner.front import hypervolume, pareto, uncertainty
from tuner.front.confirmation import ErrorBars
from tuner.front.constraint import satisfaction
from tuner.front.hypervolume import Reference
from tuner.front.pareto import Objective, Point
from tuner.qpm.program_info import ProgramInfo
from tuner.search.record.reference import reference_for, volumes_by_number
from tuner.search.record.restoration import SearchState, tally

Weigh = Callable[[Sequence[Point]], dict[int, ErrorBars]]
Spread = Callable[[Sequence[Point], Reference], float | None]


@dataclass(frozen=True)
class FrontView:
    """A front and its context, as `jobs.front --json` prints it.

    Attributes:
        search: its name.
        objectives: the axes.
        hypervolume: of the values that the search measured: 0 at the reference, 1 at the best of every objective.
        counts: trials by outcome.
        members: the trials that are non-dominated by the search's own values, with the values to show: the means of
            their confirmation runs where there are some.
        ranks: of all measured trials, by the search's own values.
        programs: each member's program, None where unknown.
        bars: error bars of each member; empty if it was not asked for.
        caution: a sentence on what was chosen on the test images; empty if nothing was.
        reference: of the hypervolume.
        moving: whether the front still moves, in words; empty while it is too early to say.
        satisfaction: a sentence on how many trials satisfy the constraints of the search; empty if it has none.
        hypervolume_error: one standard error of the hypervolume over images; None: unknown.
    """

    search: str
    objectives: tuple[Objective, ...]
    hypervolume: float
    counts: dict[str, int]
    members: list[Point]
    ranks: dict[int, int]
    programs: dict[int, ProgramInfo | None] = field(default_factory=dict)
    bars: dict[int, ErrorBars] = field(default_factory=dict)
    caution: str = ""
    reference: Reference = field(default_factory=Reference)
    moving: str = ""
    satisfaction: str = ""
    hypervolume_error: float | None = None

    @classmethod
    def of(
        cls,
        search: str,
        state: SearchState,
        objectives: Sequence[Objective],
        weigh: Weigh = lambda members: {},
        caution: str = "",
        spread: Spread = lambda members, reference: None,
    ) -> "FrontView":
        """The front of a state; trials that lack an objective are left out.

        Args:
            search: its name.
            state: of the search.
            objectives: the axes.
            weigh: gives the error bars of the members.
            caution: see the attribute.
            spread: gives the standard error of the members' hypervolume.
        """
        points = state.points(objectives)
        ranked = zip(points, pareto.ranks(points, objectives), strict=True)
        members = pareto.front(points, objectives)
        bars = weigh(members)
        reference = reference_for(state, objectives)
        return cls(
            search,
            tuple(objectives),
            hypervolume.hypervolume(points, objectives, reference),
            state.counts(),
            [_shown(member, bars.get(member.trial, ErrorBars())) for member in members],
            {point.trial: rank for point, rank in ranked},
            {member.trial: state.trials[member.trial].program for member in members},
            bars,
            caution,
            reference,
            hypervolume.moving(volumes_by_number(state, objectives)),
            satisfaction(state.constraints, [bool(point.violates) for point in points]),
            spread(members, reference),
        )

    @property
    def volume(self) -> str:
        """The hypervolume as text: "hypervolume 19.4 ± 1.2 %"."""
        return hypervolume.told(self.hypervolume, self.reference, self.hypervolume_error)

    @property
    def scale(self) -> str:
        """What 0 and 100 % of the hypervolume are, in words."""
        return hypervolume.scale(self.objectives, self.reference)

    def errors(self, trial: int) -> dict[str, float]:
        """One standard error of each value of a member, in the metric's unit, as far as it is known."""
        member = next(m for m in self.members if m.trial == trial)
        return uncertainty.errors(member.values) | member.errors

    def points(self, state: SearchState) -> list[Point]:
        """All complete trials, in the order in which they ended; members with the values to show."""
        members = {m.trial: m for m in self.members}
        return [members.get(point.trial, point) for point in state.points(self.objectives)]

    def confirmed(self) -> list[int]:
        """The members with confirmation runs, in the order of the members."""
        return [m.trial for m in self.members if self.bars.get(m.trial, ErrorBars()).runs]

    def to_dict(self) -> dict[str, Any]:
        """The one JSON document of a front."""
        return {
            "search": self.search,
            "objectives": {o.name: o.direction for o in self.objectives},
            "hypervolume": self.hypervolume,
            "hypervolume_error": self.hypervolume_error,
            "reference": dict(self.reference.values),
            "moving": self.moving,
            "trials": self.counts,
            "caution": self.caution,
            "constraints": self.satisfaction,
            "members": [
                {
                    "trial": m.trial,
                    "params": m.params,
                    "values": m.values,
                    "model": m.model,
                    "errors": self.errors(m.trial),
                    "confirmation": self.bars.get(m.trial, ErrorBars()).to_json(),
                    "program": _as_json(self.programs.get(m.trial)),
                }
                for m in self.members
            ],
        }

    def to_json(self) -> bytes:
        """As bytes for the store."""
        return json.dumps(self.to_dict(), indent=1, allow_nan=False).encode()


def _shown(member: Point, bars: ErrorBars) -> Point:
    values = bars.shown(member.values)
    errors = {name: error for name, error in bars.error.items() if name in values}
    return replace(member, values=values, errors=errors)


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
