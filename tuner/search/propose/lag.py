"""Settles the lag of a search when it starts, so that its proposals do not change with `budget.parallel` later."""

import dataclasses

from tuner.recipe import Recipe, lag_of


def settle_lag(recipe: Recipe) -> Recipe:
    """The recipe with a number of trials instead of an automatic `sampler.lag`."""
    return _with(recipe, lag_of(recipe.sampler, recipe.budget.parallel))


def adopt_lag(recipe: Recipe, stored: Recipe) -> Recipe:
    """The recipe with the stored recipe's lag instead of an automatic one."""
    return _with(recipe, stored.sampler.lag) if recipe.sampler.lag < 1 else recipe


def told_lag(recipe: Recipe) -> str:
    """A sentence where more trials may be in flight than the lag lets; else empty."""
    lag, parallel = recipe.sampler.lag, recipe.budget.parallel
    if not 0 < lag < parallel:
        return ""
    return (
        f"budget.parallel={parallel}, but this search keeps at most {lag} trials in flight (sampler.lag={lag}): a "
        f"proposal waits for all but the last {lag - 1} trials before it"
    )


def _with(recipe: Recipe, lag: int) -> Recipe:
    return dataclasses.replace(recipe, sampler=dataclasses.replace(recipe.sampler, lag=lag))
