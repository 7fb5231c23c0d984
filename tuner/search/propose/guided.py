"""Optuna's samplers behind the protocol: TPE, a Gaussian process, NSGA-II, and any other one.

Optuna's study is made anew for each proposal, from plain data. So nothing has to be restored when a search is
continued, and a sampler can keep nothing that an interruption would lose. A trial without objective values (infeasible,
failed in a stage, or of a size for which an objective does not exist) violates a constraint: the sampler learns to
avoid such regions, and learns nothing about the objectives there.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import optuna
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from tuner.search.propose.doubt import doubtful
from tuner.search.propose.plain import uniform
from tuner.search.propose.protocol import History, Tried
from tuner.search.propose.space import Params, Space

# Draws of a sampler for one trial; after them points are drawn at random. The first draws are passed over where the
# trial is expected to end without objective values.
DRAWS = 20
CAREFUL_DRAWS = 12

# The constraint that a trial without objective values violates, and by how much: by more than any outcome does.
UNMEASURED = {"has objective values": 10.0}


class Guided:
    """A sampler of Optuna, made anew for each proposal.

    Args:
        space: of the search.
        make: `make(seed)` gives the sampler; `seed` is below 2**32 and differs from trial to trial.
        draws: how often it is asked for one trial, where what it names was tried already.
        attributes: gives the system attributes of the i-th trial with values, where the sampler needs some.
    """

    def __init__(
        self,
        space: Space,
        make: Callable[[int], BaseSampler],
        draws: int = DRAWS,
        attributes: Callable[[int], dict[str, Any]] = lambda place: {},
    ) -> None:
        self._space, self._make, self._draws, self._attributes = space, make, draws, attributes

    def points(self, history: History, number: int, seed: int) -> Iterator[Params]:
        """As the protocol says: the sampler's draws, then uniform ones without end.

        A draw that is not taken stays a running trial, so that the next draw keeps away from it: else a sampler names
        the same few points again where the most promising ones are infeasible or were tried.
        """
        optuna.logging.set_verbosity(optuna.logging.ERROR)  # it warns of options that are not used here
        study = self.study(history)
        study.sampler = self._make((seed * 1_000_003 + number) % 2**32)
        is_doubtful = doubtful(self._space, history)
        for draw in range(self._draws if self._space.dimensions else 0):
            trial = study.ask(self._space.distributions)
            params = self._space.decode(trial.params)
            if not (draw < CAREFUL_DRAWS and is_doubtful(params)):
                yield params
        yield from uniform(self._space, number, seed)

    def study(self, history: History) -> optuna.Study:
        """Optuna's study of what is known, in the order of the history."""
        study = optuna.create_study(directions=["maximize"] * history.n_objectives)
        with_values = 0
        for trial in history.ended:
            attributes = {}
            if trial.values is not None:
                attributes = self._attributes(with_values)
                with_values += 1
            study.add_trial(self._ended(trial, history.constraints, attributes))
        for params in history.running:
            study.add_trial(create_trial(state=TrialState.RUNNING, **self._at(params)))
        return study

    def _ended(self, trial: Tried, constraints: tuple[str, ...], attributes: dict[str, Any]) -> FrozenTrial:
        limits = dict(zip(constraints, trial.violations, strict=True)) if trial.violations else {}
        known: dict[str, Any] = {"system_attrs": attributes, **self._at(trial.params)}
        if trial.values is not None:
            return create_trial(state=TrialState.COMPLETE, values=trial.values, constraints=limits, **known)
        return create_trial(state=TrialState.PRUNED, constraints={} if trial.pruned else UNMEASURED, **known)

    def _at(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return {"params": self._space.encode(params), "distributions": self._space.distributions}
