"""How much each parameter matters for each objective: functional ANOVA (Hutter et al. 2014) by Optuna, resampled.

PED-ANOVA, Optuna's default, takes parameters with many values for important where fewer than a few hundred trials are
known (docs/log.md). How far the shares can be trusted is seen by computing them on resampled trials as well.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tuner.front.pareto import Objective, Point, measured
from tuner.report.analysis_views import Importance, Share

FEWEST_TRIALS = 10
MOST_TRIALS = 100  # more add little, and take long
RESAMPLES = 8
TREES = 32
SEED = 0


def importances(points: Sequence[Point], objectives: Sequence[Objective], log: frozenset[str]) -> list[Importance]:
    """One for each objective; none with fewer than ten complete trials, or fewer than two parameters that vary.

    Args:
        points: the complete trials.
        objectives: of the search; one that is itself a parameter, or never varies, is left out.
        log: the parameters that are searched on a logarithmic scale.
    """
    known = measured(points, objectives)
    generator = np.random.default_rng(SEED)
    kept = sorted(generator.permutation(len(known))[:MOST_TRIALS].tolist())
    drawn = [known[i] for i in kept]
    names = [n for n in dict.fromkeys(n for p in drawn for n in p.params) if _varies(drawn, n)]
    if len(drawn) < FEWEST_TRIALS or len(names) < 2:
        return []
    kinds = {name: _distribution([p.params[name] for p in drawn], name in log) for name in names}
    axes = [o for o in objectives if o.name not in names and len({p.values[o.name] for p in drawn}) > 1]
    return [_importance(drawn, objective, kinds, len(known)) for objective in axes]


def _varies(points: Sequence[Point], name: str) -> bool:
    return all(name in p.params for p in points) and len({repr(p.params[name]) for p in points}) > 1


def _importance(points: Sequence[Point], objective: Objective, kinds: dict[str, Any], known: int) -> Importance:
    shares = _shares(points, objective, kinds)
    generator = np.random.default_rng(SEED)
    samples = [generator.integers(0, len(points), len(points)) for _ in range(RESAMPLES)]
    again = [_shares([points[i] for i in rows], objective, kinds) for rows in samples]
    deviation = {name: float(np.std([one[name] for one in again], ddof=1)) for name in kinds}
    order = sorted(kinds, key=lambda name: -shares[name])
    return Importance(objective.name, {n: Share(shares[n], deviation[n]) for n in order}, len(points), known)


def _shares(points: Sequence[Point], objective: Objective, kinds: dict[str, Any]) -> dict[str, float]:
    """Each parameter's part, in sum 1; equal parts where the values do not vary."""
    import optuna
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    if len({p.values[objective.name] for p in points}) == 1:
        return dict.fromkeys(kinds, 1 / len(kinds))
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = optuna.create_study()
        study.add_trials([_trial(point, objective, kinds) for point in points])
        found = get_param_importances(study, evaluator=FanovaImportanceEvaluator(n_trees=TREES, seed=SEED))
    finally:
        optuna.logging.set_verbosity(level)
    return {name: float(found.get(name, 0.0)) for name in kinds}


def _trial(point: Point, objective: Objective, kinds: dict[str, Any]) -> Any:
    import optuna

    params = {name: _as_kind(point.params[name], kind) for name, kind in kinds.items()}
    return optuna.trial.create_trial(params=params, distributions=kinds, value=point.values[objective.name])


def _distribution(values: Sequence[Any], log: bool) -> Any:
    """What the trials tried, whatever the space says: a person may have added points beyond it."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    if all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
        low, high = float(min(values)), float(max(values))
        return FloatDistribution(low, high, log=log and low > 0)
    return CategoricalDistribution(sorted({str(v) for v in values}))


def _as_kind(value: Any, kind: Any) -> Any:
    return float(value) if hasattr(kind, "low") else str(value)
