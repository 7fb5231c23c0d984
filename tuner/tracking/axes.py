"""The objectives of a mirrored search and its constraints, as its first event names them; what MLflow shows first."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from tuner.base.metric import METRICS
from tuner.errors import UsageError
from tuner.front.constraint import Constraint
from tuner.recipe.objectives import SIZES


class Axis(NamedTuple):
    """One objective: a metric, or a size that is a parameter of each trial.

    Args:
        name: as in the recipe.
        direction: "max" or "min".
        is_param: whether it is a parameter.
    """

    name: str
    direction: str
    is_param: bool = False

    def better(self, one: float, other: float) -> float:
        """The better of two values."""
        return max(one, other) if self.direction == "max" else min(one, other)


def axes_of(recipe: Mapping[str, Any]) -> list[Axis]:
    """The objectives of a recipe as JSON; an unknown name without a direction counts as one to be maximised."""
    entries = recipe.get("objectives")
    found = [_axis(entry) for entry in entries if isinstance(entry, str)] if isinstance(entries, list) else []
    return list({axis.name: axis for axis in found}.values())


def _axis(entry: str) -> Axis:
    name, _, direction = entry.partition(":")
    if direction not in ("max", "min"):
        direction = METRICS[name].direction if name in METRICS else "min" if name in SIZES else "max"
    return Axis(name, direction, name in SIZES)


def constraints_of(recipe: Mapping[str, Any]) -> list[Constraint]:
    """The outcome constraints of a recipe as JSON; one that cannot be understood is left out."""
    entries, found = recipe.get("constraints"), []
    for entry in entries if isinstance(entries, list) else []:
        with suppress(UsageError, TypeError):  # a start of another version; a search checks its own
            found.append(Constraint.parse(entry))
    return found


def searched_in(recipe: Mapping[str, Any]) -> Sequence[str]:
    """The names of the parameters that are searched."""
    space = recipe.get("space")
    return list(space) if isinstance(space, Mapping) else []
