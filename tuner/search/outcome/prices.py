"""What a choice costs and brings against other trials, from the runs of both."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from tuner.errors import TunerError
from tuner.front import reasons
from tuner.front.bootstrap import Run
from tuner.front.candidates import candidates
from tuner.front.difference import Price, differences
from tuner.front.pareto import Objective
from tuner.front.pick import Pick
from tuner.search.record.error_bars import runs_of
from tuner.search.record.front_view import FrontView
from tuner.search.record.home import SearchHome
from tuner.search.record.state import SearchState

MOST_PRICES = 5


@dataclass(frozen=True)
class Runs:
    """The runs of some trials of a search, read once.

    Attributes:
        searched: the search's own run of each.
        confirmed: the confirmation runs of each that has any.
    """

    searched: Mapping[int, Run]
    confirmed: Mapping[int, list[Run]]

    @classmethod
    def read(
        cls, home: SearchHome, objectives: Sequence[Objective], state: SearchState, trials: Iterable[int]
    ) -> "Runs":
        """From ledger and store."""
        told = dict.fromkeys(trials)
        split = home.stored()[0].data.split_seed
        return cls(*runs_of(list(told), state, objectives, split, home.artifacts, home.warn))

    def of(self, trial: int) -> list[Run]:
        """The runs that say what a trial is worth: its confirmation runs, else the search's own."""
        return self.confirmed.get(trial) or [self.searched[trial]]

    def price(self, trial: int, other: int, role: str, metrics: Iterable[str]) -> Price:
        """What taking a trial instead of another one means."""
        one, two = sorted((trial, other))  # so that both directions have the same noise
        told = differences(self.of(one), self.of(two), list(metrics))
        told = told if one == trial else tuple(difference.reversed() for difference in told)
        return Price(other, role, told, (len(self.confirmed.get(trial, ())), len(self.confirmed.get(other, ()))))


def with_prices(home: SearchHome, view: FrontView, state: SearchState, chosen: Pick) -> Pick:
    """The pick with its price against the candidates of the front and the runner-up, those that differ from it."""
    if not view.members:
        raise TunerError("the front is empty", "at least one member", "let a trial complete")
    named = {c.point.trial: (c.role, c.point) for c in candidates(view.members, view.objectives, view.confirmed())}
    if chosen.runner_up is not None:
        role, point = named.get(chosen.runner_up.trial, ("", chosen.runner_up))
        named = {point.trial: (f"the runner-up{f' and {role}' if role else ''}", point)} | {
            trial: found for trial, found in named.items() if trial != point.trial
        }
    mine = chosen.point
    others = {
        t: role for t, (role, p) in named.items() if t != mine.trial and not reasons.same(p, mine, view.objectives)
    }
    runs = Runs.read(home, view.objectives, state, [mine.trial, *others])
    metrics = [o.name for o in view.objectives]
    prices = [runs.price(mine.trial, trial, role, metrics) for trial, role in others.items()]
    return replace(chosen, prices=tuple(prices[:MOST_PRICES]))
