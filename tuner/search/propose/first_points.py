"""The points that are tried before the sampler is asked: those of the recipe's `points`, then its own settings."""

from typing import Any

from tuner.errors import InfeasibleError
from tuner.recipe import Recipe, constraints_of
from tuner.recipe.points import asked_points, outside, own_point, refuse_infeasible

Params = dict[str, Any]


def first_points(recipe: Recipe, n_classes: int) -> tuple[list[Params], list[Params]]:
    """The points asked for, and the recipe's own as a list of one or none.

    Args:
        recipe: of the search.
        n_classes: of the data, for feasibility.
    """
    asked, own = asked_points(recipe), own_point(recipe)
    wanted = recipe.space and recipe.sampler.recipe_first and own not in asked
    return asked, [own] if wanted and not why_not_own(recipe, n_classes) else []


def why_not_own(recipe: Recipe, n_classes: int) -> str:
    """Why the recipe's own settings are not tried first, as a sentence; empty where they are, or were not wanted."""
    if not (recipe.space and recipe.sampler.recipe_first):
        return ""
    own = own_point(recipe)
    if wrong := outside(recipe, own):
        return f"the recipe's own settings are not tried first: {wrong} does not lie in the space"
    for constraint in constraints_of(recipe):
        if constraint.name in own and constraint.violation(own):
            return f"the recipe's own settings are not tried first: they violate {constraint}"
    try:
        refuse_infeasible(recipe, own, n_classes)
    except InfeasibleError as error:
        return f"the recipe's own settings are not tried first: {error.what}"
    return ""


def refuse_impossible(recipe: Recipe, n_classes: int) -> None:
    """Refuse a point asked for that no trial of this data can have.

    Raises:
        InfeasibleError: naming it.
    """
    for place, point in enumerate(asked_points(recipe), 1):
        refuse_infeasible(recipe, point, n_classes, f"point {place} of points")
