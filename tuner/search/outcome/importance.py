"""How much each parameter matters for each objective: Optuna's PED-ANOVA (Watanabe et al. 2023), resampled.

It compares how the best trials are spread along a parameter with how all trials are, so that the sampler's own
preferences do not count. How far the shares can be trusted is seen by computing them on resampled trials as well.
"""

import warnings
from collections.abc import Sequence
from math import ceil
from typing import Any

import numpy as np

from tuner.front.pareto import Objective, Point, measured
from tuner.report.analysis_views import Importance, Share

FEWEST_TRIALS = 10
FEWEST_BEST = 5  # what Optuna advises
SHARE = 0.1
RESAMPLES = 12
FEW_VALUES = 12  # a parameter with as many distinct numbers is taken for a choice
SEED = 0


def importances(points: Sequence[Point], objectives: Sequence[Objective], log: frozenset[str]) -> list[Importance]:
    """One for each objective; none with fewer than ten complete trials, or fewer than two parameters that vary.

    Args:
        points: the complete trials.
        objectives: of the search; one that is itself a parameter's value is left out.
        log: the parameters that are searched on a logarithmic scale.
    """
    known = measured(points, objectives)
    names = [n for n in dict.fromkeys(n for p in known for n in p.params) if _varies(known, n)]
    if len(known) < FEWEST_TRIALS or len(names) < 2:
        return []
    axes = [o for o in objectives if o.name not in names and len({p.values[o.name] for p in known}) > 1]
    kinds = {name: _distribution([p.params[name] for p in known], name in log) for name in names}
    return [_importance(known, objective, kinds) for objective in axes]


def _varies(points: Sequence[Point], name: str) -> bool:
    return all(name in p.params for p in points) and len({repr(p.params[name]) for p in points}) > 1


def _importance(points: Sequence[Point], objective: Objective, kinds: dict[str, Any]) -> Importance:
    best = max(FEWEST_BEST, ceil(SHARE * len(points)))
    shares = _shares(points, objective, kinds, best)
    generator = np.random.default_rng(SEED)
    drawn = []
    for _ in range(RESAMPLES):
        rows = generator.integers(0, len(points), len(points))
        drawn.append(_shares([points[i] for i in rows], objective, kinds, best))
    deviation = {name: float(np.std([one[name] for one in drawn], ddof=1)) for name in kinds}
    order = sorted(kinds, key=lambda name: -shares[name])
    return Importance(objective.name, {n: Share(shares[n], deviation[n]) for n in order}, len(points), best)


def _shares(points: Sequence[Point], objective: Objective, kinds: dict[str, Any], best: int) -> dict[str, float]:
    """Each parameter's part, in sum 1."""
    import optuna
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        level = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        try:
            study = optuna.create_study(direction="maximize" if objective.direction == "max" else "minimize")
            study.add_trials([_trial(point, objective, kinds) for point in points])
            evaluator = PedAnovaImportanceEvaluator(target_quantile=best / len(points))
            found = get_param_importances(study, evaluator=evaluator)
        finally:
            optuna.logging.set_verbosity(level)
    return {name: float(found.get(name, 0.0)) for name in kinds}


def _trial(point: Point, objective: Objective, kinds: dict[str, Any]) -> Any:
    import optuna

    params = {name: _as_choice(point.params[name], kind) for name, kind in kinds.items()}
    return optuna.trial.create_trial(params=params, distributions=kinds, value=point.values[objective.name])


def _distribution(values: Sequence[Any], log: bool) -> Any:
    """What the trials tried, whatever the space says: a person may have added points beyond it."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    number = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    if number and len(set(values)) > FEW_VALUES:
        low, high = float(min(values)), float(max(values))
        return FloatDistribution(low, high, log=log and low > 0)
    return CategoricalDistribution(sorted({_text(v) for v in values}))


def _as_choice(value: Any, kind: Any) -> Any:
    return float(value) if hasattr(kind, "low") else _text(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else repr(value)
