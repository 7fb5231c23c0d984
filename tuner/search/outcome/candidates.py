"""The candidates of a front side by side: what a person is shown who has not said which model to take."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tuner.front.candidates import Candidate, candidates
from tuner.front.confirmation import ErrorBars
from tuner.front.difference import Price
from tuner.search.outcome.pick import front_for
from tuner.search.outcome.prices import Runs
from tuner.search.record.front_view import FrontView
from tuner.search.record.home import SearchHome
from tuner.search.record.state import SearchState


@dataclass(frozen=True)
class SideBySide:
    """The candidates of a front, and what each costs and brings against the first one.

    Attributes:
        view: the front.
        state: of the search.
        candidates: the knee first, or what is closest to one.
        prices: of each candidate after the first one, against the first one.
    """

    view: FrontView
    state: SearchState
    candidates: list[Candidate]
    prices: dict[int, Price]

    def to_dict(self) -> dict[str, Any]:
        """As `qpm-tuner pick --json` prints it where no rule is given."""
        return {
            "search": self.view.search,
            "objectives": {o.name: o.direction for o in self.view.objectives},
            "caution": self.view.caution,
            "candidates": [
                {
                    "trial": c.point.trial,
                    "roles": list(c.roles),
                    "params": c.point.params,
                    "values": c.point.values,
                    "errors": self.view.errors(c.point.trial),
                    "confirmation": self.view.bars.get(c.point.trial, ErrorBars()).to_json(),
                    "test": self.state.trials[c.point.trial].test,
                    "price": self.prices[c.point.trial].to_json() if c.point.trial in self.prices else None,
                }
                for c in self.candidates
            ],
        }


def side_by_side(home: SearchHome, objectives: Sequence[str] | None = None) -> SideBySide:
    """The candidates of a search's front, for its own objectives or others.

    Raises:
        UsageError: an objective is unknown.
        TunerError: no trial is complete yet.
    """
    state = home.state()
    view = front_for(home, state, objectives)
    found = candidates(view.members, view.objectives, view.confirmed())
    first, *rest = found
    runs = Runs.read(home, view.objectives, state, [c.point.trial for c in found])
    metrics = [o.name for o in view.objectives]
    prices = {c.point.trial: runs.price(c.point.trial, first.point.trial, first.role, metrics) for c in rest}
    return SideBySide(view, state, found, prices)
