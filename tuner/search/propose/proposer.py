"""Reproducible proposals: proposal n depends on the recipe and on the trials before n, never on timing.

It uses the outcomes of exactly the trials 0 .. n - lag (`sampler.lag`); the trials after these count as running, also
where they have ended. So the same recipe gives the same search on any machine, after any interruption and under any
budget: the first 16 trials of 32 are those of 16. The lag is larger than the number of trials in flight, so one slow
trial does not hold up the others.
"""

from collections.abc import Mapping, Sequence
from itertools import islice, product
from typing import Any

from tuner.errors import InfeasibleError
from tuner.recipe import Recipe, allowed_space, constraints_of, lag_of, objectives_of
from tuner.recipe.points import refuse_infeasible
from tuner.search.propose.first_points import first_points
from tuner.search.propose.protocol import History, Tried
from tuner.search.propose.registry import make_sampler
from tuner.search.propose.space import Params, Space
from tuner.search.record.restoration import TrialRecord
from tuner.search.stopping.promotion import Forecast

# After so many points that are infeasible or were tried, the space is looked through for one that is left.
PATIENCE = 50
MOST_DRAWS = 20_000

# The largest number of points that are looked through.
MOST_POINTS = 50_000


class Proposer:
    """Proposes the parameters of trial n.

    Args:
        recipe: the search.
        n_classes: classes of the data, for feasibility.
        prior: finished trials of other searches to learn from; their points are not proposed again.
    """

    def __init__(self, recipe: Recipe, n_classes: int, prior: Sequence[TrialRecord] = ()) -> None:
        self._recipe, self._n_classes = recipe, n_classes
        self._objectives, self._constraints = objectives_of(recipe), constraints_of(recipe)
        self._space, self._sampler = Space(recipe.space), make_sampler(recipe)
        self._allowed = Space(allowed := allowed_space(recipe))  # where the sampler proposes, and what it learns from
        self._narrows = allowed != recipe.space
        self._ended: list[Tried] = []
        self._seen: set[tuple[Any, ...]] = set()  # points of the search and of those it learns from
        self._here: set[tuple[Any, ...]] = set()  # points of the search itself
        self._n_seen = 0  # how many of its trials these hold
        for record in prior:
            if self._space.holds(record.params):
                self._learn(record)
                self._seen.add(self._space.point(record.params))
        self._n_prior = len(self._ended)
        asked, own = first_points(recipe, n_classes)
        self._first = [*asked, *(point for point in own if self._space.point(point) not in self._seen)]

    @property
    def lag(self) -> int:
        """Proposal n uses the outcomes of exactly the trials 0 .. n - lag."""
        return lag_of(self._recipe.sampler, self._recipe.budget.parallel)

    def propose(
        self, number: int, earlier: Mapping[int, TrialRecord], forecasts: Mapping[int, Forecast] | None = None
    ) -> Params | None:
        """Parameters of trial `number`, or None if every point that can be proposed has been tried.

        Args:
            number: the trial's number; calls come in increasing order.
            earlier: all earlier trials by number, as this proposal knows them; those up to `number - lag` must have
                ended, or count as running. Later ones, from a run before the proposal was lost, are ignored.
            forecasts: what trials that paused are expected to be worth, by number; they are told to the sampler as
                if they were complete.
        """
        known = self.known_at(number)
        for trial in range(self._n_seen, number):
            self._here.add(self._space.point(earlier[trial].params))
        del self._ended[self._n_prior :]  # what paused may have come to its end
        foreseen, running = forecasts or {}, []
        for trial in range(number):
            if trial in foreseen:
                expected = foreseen[trial]
                self._ended.append(Tried(self._params(earlier[trial]), expected.values, expected.violations))
            elif trial < known and earlier[trial].outcome:
                self._learn(earlier[trial])
            else:
                running.append(self._params(earlier[trial]))
        self._n_seen = max(self._n_seen, number)
        params = next((point for point in self._first if self._space.point(point) not in self._here), None)
        if params is None:
            params = self._drawn(number, running)
        return None if params is None else self._recipe.at(params).parameters() | params

    def known_at(self, number: int) -> int:
        """The trials before this number have ended when trial `number` is proposed."""
        return max(0, number - self.lag + 1)

    def _drawn(self, number: int, running: Sequence[Params]) -> Params | None:
        """The first point of the sampler that is feasible and untried; None if there is none."""
        texts = tuple(map(str, self._constraints))
        ended = self._ended
        if self._narrows:  # a point that a person asked for may lie outside
            ended = [trial for trial in ended if self._allowed.holds(trial.params)]
            running = [params for params in running if self._allowed.holds(params)]
        history = History(len(self._objectives), texts, ended, running)
        points = islice(self._sampler.points(history, number, self._recipe.seed), MOST_DRAWS)
        for draw, params in enumerate(points):
            if self._accept(params):
                return dict(params)
            if draw == PATIENCE and self._is_exhausted():
                return None
        return None

    def _is_exhausted(self) -> bool:
        """Whether no feasible point is left; always False for continuous or very large spaces."""
        if self._allowed.size > MOST_POINTS:
            return False
        axes = [dimension.values or () for dimension in self._allowed.dimensions.values()]
        points = (dict(zip(self._space.dimensions, point, strict=True)) for point in product(*axes))
        return not any(map(self._accept, points))

    def _accept(self, params: Mapping[str, Any]) -> bool:
        point = self._space.point(params)
        if point in self._seen or point in self._here:
            return False
        try:
            refuse_infeasible(self._recipe, params, self._n_classes)
        except InfeasibleError:
            return False
        return True

    def _learn(self, record: TrialRecord) -> None:
        """Take an ended trial into the history, unless its end says nothing about its parameters."""
        values, pruned = self._values(record), record.outcome == "pruned"
        if record.outcome == "skipped" or (record.outcome == "failed" and record.stage is None):
            return  # ended by a person, or by a fault of the machine
        known = {**record.params, **record.values}
        violations = tuple(c.violation(known) for c in self._constraints) if values is not None else ()
        self._ended.append(Tried(self._params(record), values, violations, pruned))

    def _values(self, record: TrialRecord) -> tuple[float, ...] | None:
        """Objective values, all to be maximised, or None if one is missing (then nothing is learned of them)."""
        known = {**record.params, **record.values}
        if record.outcome != "complete" or any(o.name not in known for o in self._objectives):
            return None
        return tuple(float(known[o.name]) * (1.0 if o.direction == "max" else -1.0) for o in self._objectives)

    def _params(self, record: TrialRecord) -> Params:
        return {name: record.params[name] for name in self._space.dimensions}
