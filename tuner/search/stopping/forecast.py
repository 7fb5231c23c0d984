"""What trials will be worth at the end, by what earlier ones gained between the rung and the end.

Values at the rung are biased: who is behind there gains more, and so do some parameters. Against them the end values of
complete trials would be no fair measure either. So complete trials count by their end, and the others by a forecast of
it. Pure: numbers only.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tuner.search.stopping.ranking import Losses

ENOUGH = 3
"""Trials that must have gone to the end before their gain says something."""

SHRINKAGE = 6.0
"""How many trials without a trend speak against one: the ridge penalty, in trials of one standard deviation."""

DIGITS = 9  # of the range of the values: equal but for rounding is equal, on any machine
FLAT = 1e-9  # of the size of the values: a spread that is rounding


def at_the_end(rung: Losses, ended: Losses, traits: Losses) -> Losses:
    """The losses at the end: known ones, and forecasts of the others.

    For each objective the gain from the rung to the end is linear in all values at the rung and in the traits, fitted
    by ridge regression to the trials that went to the end (Hoerl and Kennard 1970).

    Args:
        rung: (n_trials, n_objectives), losses at the rung, finite.
        ended: (n_trials, n_objectives), losses at the end; a row of NaN for a trial that was not trained to it.
        traits: (n_trials, n_traits), what else is known of each trial from the start; see `traits_of`.

    Returns:
        (n_trials, n_objectives); the losses at the rung of all, where too few went to the end to forecast.
    """
    known = np.isfinite(ended).all(axis=1).reshape(-1)
    if known.sum() < ENOUGH:
        return rung
    told = np.concatenate([rung, traits], axis=1)
    gains, mean, spread = ended[known] - rung[known], told[known].mean(axis=0), told[known].std(axis=0)
    varies = spread > FLAT * (1.0 + np.abs(mean))
    scaled = np.where(varies, (told - mean) / np.where(varies, spread, 1.0), 0.0)
    fitted = scaled[known]
    ridge = fitted.T @ fitted + SHRINKAGE * np.eye(fitted.shape[1])
    slopes = np.linalg.solve(ridge, fitted.T @ (gains - gains.mean(axis=0)))
    forecast = np.where(known[:, None], ended, rung + gains.mean(axis=0) + scaled @ slopes)
    span = np.ptp(forecast, axis=0)
    unit = np.exp2(np.ceil(np.log2(np.where(span > 0.0, span, 1.0))))
    result: Losses = np.round(forecast / unit, DIGITS) * unit
    return result


def traits_of(params: Sequence[Mapping[str, Any]]) -> Losses:
    """The parameters of trials as numbers: logarithms of those that are positive, one column for each other choice.

    Args:
        params: of each trial, by name.

    Returns:
        (n_trials, n_traits), the names in order; what all trials share has no column.
    """
    columns = list[list[float]]()
    for name in sorted({name for one in params for name in one}):
        values = [one.get(name) for one in params]
        if all(isinstance(value, int | float) for value in values):
            numbers = [float(value) for value in values if value is not None]
            columns.append(list(np.log(numbers)) if min(numbers) > 0.0 else numbers)
        else:
            columns += [[float(repr(value) == choice) for value in values] for choice in sorted(set(map(repr, values)))]
    kept = [column for column in columns if min(column) < max(column)]
    return np.array(kept, dtype=np.float64).reshape(len(kept), len(params)).T
