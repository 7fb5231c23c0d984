"""What trials will be worth at the end, by what earlier ones gained between the rung and the end.

Values at the rung are biased: who is behind there gains more. Against them the end values of complete trials would be
no fair measure either. So complete trials count by their end, and the others by a forecast of it. Pure: numbers only.
"""

import numpy as np

from tuner.search.stopping.ranking import Losses

ENOUGH = 3
"""Trials that must have gone to the end before their gain says something."""

SHRINKAGE = 1.0
"""How many trials without a trend speak against one: the ridge penalty, in trials of one standard deviation."""

DIGITS = 9  # of the range of the values: equal but for rounding is equal, on any machine


def at_the_end(rung: Losses, ended: Losses) -> Losses:
    """The losses at the end: known ones, and forecasts of the others.

    For each objective the gain from the rung to the end is a line in the value at the rung, fitted by ridge regression
    to the trials that went to the end.

    Args:
        rung: (n_trials, n_objectives), losses at the rung, finite.
        ended: (n_trials, n_objectives), losses at the end; a row of NaN for a trial that was not trained to it.

    Returns:
        (n_trials, n_objectives); the losses at the rung of all, where too few went to the end to forecast.
    """
    known = np.isfinite(ended).all(axis=1).reshape(-1)
    if known.sum() < ENOUGH:
        return rung
    gains, mean, spread = ended[known] - rung[known], rung[known].mean(axis=0), rung[known].std(axis=0)
    scaled = (rung - mean) / np.where(spread > 0.0, spread, 1.0)
    fitted = scaled[known]
    slope = (fitted * (gains - gains.mean(axis=0))).sum(axis=0) / ((fitted**2).sum(axis=0) + SHRINKAGE)
    forecast = np.where(known[:, None], ended, rung + gains.mean(axis=0) + slope * scaled)
    span = np.ptp(forecast, axis=0)
    unit = np.where(span > 0.0, span, 1.0)
    result: Losses = np.round(forecast / unit, DIGITS) * unit
    return result
