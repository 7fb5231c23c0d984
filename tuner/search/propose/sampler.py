"""Reproducible proposals by Optuna: proposal i depends on the seed and the trials before i, never on timing.

With `parallel` trials in flight, proposal i uses exactly the outcomes of trials 0 .. i - parallel; the others count
as running. So the same seed gives the same search on any machine and after any interruption.

A trial without objective values (infeasible, failed in a stage, or of a size for which an objective does not exist)
violates a constraint: the sampler learns to avoid such regions, and learns nothing about the objectives there.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import islice, pairwise, product
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import Trial, TrialState, create_trial

from tuner.errors import InfeasibleError
from tuner.qpm.program import check_feasible
from tuner.recipe import Recipe, objectives_of
from tuner.search.record.restoration import TrialRecord

# Proposals that repeat a tried point or are infeasible are redrawn, finally at random. The first draws are also
# redrawn if the trial is expected to end without objective values.
CAREFUL_DRAWS = 12
GUIDED_DRAWS = 20
RANDOM_DRAWS = 500

# The largest number of points that is checked for a remaining feasible one.
MOST_POINTS = 50_000

# The constraint violated by a trial without objective values.
UNMEASURED = {"has objective values": 1.0}


def distributions(space: Mapping[str, Any]) -> dict[str, BaseDistribution]:
    """The recipe's space as Optuna distributions."""
    return {name: _distribution(dimension) for name, dimension in space.items()}


class Proposer:
    """Proposes the parameters of trial i.

    Args:
        recipe: the search.
        n_classes: classes of the data, for feasibility.
        prior: finished trials of another search to learn from.
    """

    def __init__(self, recipe: Recipe, n_classes: int, prior: Sequence[TrialRecord] = ()) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._recipe = recipe
        self._n_classes = n_classes
        self._prior = prior
        self._others: dict[tuple[int, int], Proposer] = {}
        self._objectives = objectives_of(recipe)
        self._space = distributions(recipe.space)
        self.study = optuna.create_study(directions=["maximize"] * len(self._objectives))
        self._trials: dict[int, Trial] = {}  # by number in the search; the study counts rejected draws as well
        self._told = 0
        self._known: list[tuple[dict[str, Any], bool]] = []  # parameters of ended trials, whether they have values
        self._seen: set[tuple[Any, ...]] = set()
        for record in sorted(prior, key=lambda record: record.number):  # not in the order in which they ended
            if self._fits(record.params) and (ended := self._ended(record)) is not None:
                params = {name: record.params[name] for name in self._space}
                self.study.add_trial(create_trial(params=params, distributions=self._space, **ended))
                if "values" in ended or "constraints" in ended:
                    self._known.append((params, "values" in ended))

    @property
    def parallel(self) -> int:
        """Trials in flight: a proposal uses the outcomes of the trials up to `number - parallel`."""
        return self._recipe.budget.parallel

    def under(self, trials: int | None, parallel: int | None) -> "Proposer":
        """A proposer equal to this one, but with another budget; None: the same budget."""
        budget = self._recipe.budget
        other = (trials or budget.trials, parallel or budget.parallel)
        if other == (budget.trials, budget.parallel):
            return self
        if other not in self._others:
            changed = replace(budget, trials=other[0], parallel=other[1])
            self._others[other] = Proposer(replace(self._recipe, budget=changed), self._n_classes, self._prior)
        return self._others[other]

    def propose(self, number: int, earlier: Mapping[int, TrialRecord]) -> dict[str, Any] | None:
        """Parameters of trial `number`, or None if every feasible point of the space has been tried.

        Args:
            number: the trial's number; calls come in increasing order.
            earlier: all earlier trials by number; those up to `number - parallel` must have ended. Later ones, from a
                run before the proposal was lost, are ignored.
        """
        self._tell(number, earlier)
        rng_seed = (self._recipe.seed * 1_000_003 + number) % 2**32
        # A third of a small budget explores, but never more than Optuna's own default of ten.
        startup = min(10, max(4, self._recipe.budget.trials // 3))
        sampler: BaseSampler = TPESampler(
            seed=rng_seed, n_startup_trials=startup, multivariate=True, constant_liar=True
        )
        is_doubtful = self._expectation()
        for draw in range(GUIDED_DRAWS + RANDOM_DRAWS):
            if draw == GUIDED_DRAWS:
                if self._is_exhausted():
                    return None
                sampler = RandomSampler(seed=rng_seed)
            self.study.sampler = sampler
            trial = self.study.ask(self._space)
            params = {name: trial.params[name] for name in self._space}
            if self._accept(params) and not (draw < CAREFUL_DRAWS and is_doubtful(params)):
                self._trials[number] = trial
                self._seen.add(self._point(params))
                return self._recipe.at(params).parameters() | params
            self.study.tell(trial, state=TrialState.FAIL)
        return None

    def _is_exhausted(self) -> bool:
        """Whether no feasible point is left; always False for continuous or very large spaces."""
        axes = [_values(distribution) for distribution in self._space.values()]
        if any(axis is None or len(axis) > MOST_POINTS for axis in axes):
            return False
        points = product(*(axis for axis in axes if axis is not None))
        if any(self._accept(dict(zip(self._space, point, strict=True))) for point in islice(points, MOST_POINTS)):
            return False
        return next(points, None) is None

    def _accept(self, params: dict[str, Any]) -> bool:
        if self._point(params) in self._seen:
            return False
        try:
            trial = self._recipe.at(params)
            sizes = (trial.adapter.width, trial.assign.n_features, trial.assign.features_per_class)
            check_feasible(*sizes, self._n_classes)
        except InfeasibleError:
            return False
        return True

    def _expectation(self) -> Callable[[dict[str, Any]], bool]:
        """A predicate from a decision tree over the ended trials: the points expected to have no objective values."""
        if all(measured for _, measured in self._known):
            return lambda params: False
        from sklearn.tree import DecisionTreeClassifier

        points, measured = zip(*self._known, strict=True)
        tree = DecisionTreeClassifier(random_state=0).fit([self._coordinates(p) for p in points], measured)
        return lambda params: not tree.predict([self._coordinates(params)])[0]

    def _coordinates(self, params: Mapping[str, Any]) -> list[float]:
        """A point as numbers; only their order matters to the tree."""
        return [
            float(space.choices.index(params[name]) if isinstance(space, CategoricalDistribution) else params[name])
            for name, space in self._space.items()
        ]

    def _tell(self, number: int, earlier: Mapping[int, TrialRecord]) -> None:
        """Update the study to the state from which `number` is proposed."""
        for known in range(number):
            if known not in self._trials and known >= self._told:  # proposed by an earlier driver
                self._trials[known] = self._running(earlier[known])
        while self._told <= number - self._recipe.budget.parallel:
            trial, ended = self._trials.pop(self._told), self._ended(earlier[self._told])
            if ended is None:
                self.study.tell(trial, state=TrialState.FAIL)
            else:
                for name, value in ended.get("constraints", {}).items():
                    trial.set_constraint(name, value)
                self.study.tell(trial, state=ended["state"], values=ended.get("values"))
                if "values" in ended or "constraints" in ended:
                    self._known.append(({name: trial.params[name] for name in self._space}, "values" in ended))
            self._told += 1

    def _running(self, record: TrialRecord) -> Trial:
        """Add a trial that an earlier driver proposed, as if it had been proposed here."""
        params = {name: record.params[name] for name in self._space}
        self._seen.add(self._point(params))
        self.study.sampler = RandomSampler()  # samples nothing, because every parameter is given
        self.study.enqueue_trial(params)
        return self.study.ask(self._space)

    def _ended(self, record: TrialRecord) -> dict[str, Any] | None:
        """State, values and constraints of an ended trial; None if its end says nothing about its parameters."""
        values = self._values(record)
        if values is not None:
            return {"state": TrialState.COMPLETE, "values": values}
        if record.outcome == "failed" and record.stage is None:  # a fault of the machine
            return None
        if record.outcome == "pruned":  # worse than complete ones, as Optuna sees it; its size is no reason to avoid it
            return {"state": TrialState.PRUNED}
        return {"state": TrialState.PRUNED, "constraints": UNMEASURED}

    def _values(self, record: TrialRecord) -> list[float] | None:
        """Objective values, all to be maximised, or None if one is missing (then nothing is learned)."""
        known = {**record.params, **record.values}
        if record.outcome != "complete" or any(o.name not in known for o in self._objectives):
            return None
        return [float(known[o.name]) * (1.0 if o.direction == "max" else -1.0) for o in self._objectives]

    def _fits(self, params: Mapping[str, Any]) -> bool:
        return all(name in params and _holds(space, params[name]) for name, space in self._space.items())

    def _point(self, params: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(params[name] for name in self._space)


def _values(distribution: BaseDistribution) -> Sequence[Any] | None:
    """All values of a discrete dimension, None for a continuous one."""
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices
    if isinstance(distribution, IntDistribution):
        return range(distribution.low, distribution.high + 1, distribution.step)
    return None


def _holds(distribution: BaseDistribution, value: Any) -> bool:
    """Whether a value of an older search lies in this dimension."""
    if isinstance(distribution, FloatDistribution):
        return bool(distribution.low <= value <= distribution.high)
    return value in (_values(distribution) or ())


def _distribution(dimension: Mapping[str, Any]) -> BaseDistribution:
    if "choices" in dimension:
        choices = list(dimension["choices"])
        step = _even_step(choices)
        # Evenly spaced numbers keep their order, so that the sampler learns from neighbours.
        return IntDistribution(choices[0], choices[-1], step=step) if step else CategoricalDistribution(choices)
    low, high, log, step = (
        dimension["low"],
        dimension["high"],
        bool(dimension.get("log")),
        dimension.get("step"),
    )
    if isinstance(low, int) and isinstance(high, int):
        return IntDistribution(low, high, log=log, step=step or 1)
    return FloatDistribution(float(low), float(high), log=log, step=step)


def _even_step(choices: Sequence[Any]) -> int | None:
    if len(choices) < 2 or not all(type(value) is int for value in choices):
        return None
    steps = {after - before for before, after in pairwise(choices)}
    step = steps.pop()
    return step if not steps and step > 0 else None
