"""The parameters of a trial that a person adds: completed from the recipe, and checked against the search."""

from collections.abc import Mapping
from typing import Any

from tuner.recipe import Recipe
from tuner.search.record.fields import InvalidEventError
from tuner.search.record.possible import Possible
from tuner.search.record.state import SearchState


def completed(recipe: Recipe, n_classes: int, given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of an added trial: those given, and for the others the recipe's own.

    Raises:
        InvalidEventError: no trial of this search has them.
    """
    possible = Possible.of(recipe, n_classes)
    chosen = {name: given[name] if name in given else _own(possible, name) for name in possible.space}
    return possible.settled({**given, **chosen})


def _own(possible: Possible, name: str) -> Any:
    """The recipe's own value of a searched field, or the only one in its space."""
    own, choices = possible.fixed[name], possible.space[name].get("choices", [])
    if possible.holds(name, own):
        return own
    if len(choices) == 1:
        return choices[0]
    raise InvalidEventError(f"it lacks {name}, and the recipe's own, {own}, is not in the space")


def twin_of(state: SearchState, params: Mapping[str, Any]) -> int | None:
    """The trial that has these parameters and was not skipped and did not fail; None: there is none."""
    twins = (t.number for t in state.trials.values() if t.params == params and t.outcome not in ("skipped", "failed"))
    return next(twins, None)


def refuse_twin(state: SearchState, params: Mapping[str, Any]) -> None:
    """Refuse a trial that the search has already.

    Raises:
        InvalidEventError: naming it.
    """
    if (twin := twin_of(state, params)) is not None:
        raise InvalidEventError(f"trial {twin} has these parameters already, and would give the same values again")
