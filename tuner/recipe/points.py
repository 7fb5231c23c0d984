"""Points of the space that a recipe asks to be tried first: their reading and their checks.

A point may leave out a field of the space; the recipe's own setting stands for it.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from yaml.nodes import MappingNode, Node, SequenceNode

from tuner.base.spelling import did_you_mean
from tuner.errors import InfeasibleError, UsageError
from tuner.qpm.program import check_feasible
from tuner.recipe.nodes import is_null, pairs, show, written
from tuner.recipe.scalars import read_scalar
from tuner.recipe.schema import SHORT_NAMES, Recipe, lookup
from tuner.recipe.space import kind_of_field, searched_name, show_values

_FORM = "a list of points, [{NAME: VALUE, ..}, ..]"
_EXAMPLE = "for example 'points=[{n_features: 20}]'"
SIZES = ("features_per_class", "n_features", "width")
ROUNDING = 1e-9  # tolerated rounding error, as a share of the range; at an end of a logarithmic one, of that end
MOST_POINTS = 1000


def read_points(node: Node | None) -> list[dict[str, Any]]:
    """The points as written, each value of its field's type.

    Raises:
        UsageError: it is no list of points, or a value cannot be one of its field.
    """
    if not isinstance(node, SequenceNode) or not all(isinstance(item, MappingNode) for item in node.value):
        raise UsageError(f"points={show(node)}", _FORM, _EXAMPLE)
    if len(node.value) > MOST_POINTS:
        raise UsageError(f"points holds {len(node.value):,}", f"at most {MOST_POINTS:,}", "drop some")
    return [_point(item) for item in node.value]


def own_point(recipe: Recipe) -> dict[str, Any]:
    """The recipe's own settings of the fields that are searched."""
    return {name: exact(spec, lookup(recipe, SHORT_NAMES.get(name, name))) for name, spec in recipe.space.items()}


def outside(recipe: Recipe, point: Mapping[str, Any]) -> str:
    """The first value of a point that does not lie in the space, as "width=64"; empty where all do."""
    for name, dimension in recipe.space.items():
        if not lies_in(dimension, point[name]):
            return f"{name}={point[name]!r}"
    return ""


def asked_points(recipe: Recipe) -> list[dict[str, Any]]:
    """The recipe's `points`, each with a value for every field of the space, in its order."""
    own = own_point(recipe)
    wanted = [{name: point.get(name, own[name]) for name in recipe.space} for point in recipe.points]
    return [{name: exact(recipe.space[name], value) for name, value in point.items()} for point in wanted]


def lies_in(dimension: Mapping[str, Any], value: Any) -> bool:
    """Whether a value is one that a dimension of the space can take."""
    if "choices" in dimension:
        return any(type(value) is type(choice) and value == choice for choice in dimension["choices"])
    low, high, step = dimension["low"], dimension["high"], dimension.get("step")
    if isinstance(low, int) and isinstance(high, int):
        return type(value) is int and low <= value <= high and (value - low) % (step or 1) == 0
    if type(value) not in (int, float) or not (low <= value <= high or end_of(dimension, value) is not None):
        return False
    return not step or abs((value - low) / step - round((value - low) / step)) * step <= ROUNDING * (high - low)


def exact(dimension: Mapping[str, Any], value: Any) -> Any:
    """The value of a dimension that a number differs from by rounding only; else the value itself.

    0.30000000000000004 and 0.3 would be two points otherwise, and both be tried.
    """
    if "choices" in dimension or type(value) is not float or not lies_in(dimension, value):
        return value
    if (end := end_of(dimension, value)) is not None:
        return end
    if not (step := dimension.get("step")):
        return value
    places = round((value - dimension["low"]) / step)
    return float(Decimal(str(dimension["low"])) + places * Decimal(str(step)))


def end_of(dimension: Mapping[str, Any], value: float) -> float | None:
    """The end of a range that a number differs from by rounding only; None where there is no such end."""
    low, high = float(dimension["low"]), float(dimension["high"])
    for end in (low, high):
        if abs(value - end) <= ROUNDING * (end if dimension.get("log") else high - low):
            return end
    return None


def check_points(recipe: Recipe) -> None:
    """Refuse points outside the space, of sizes that no trial can have, or that stand there twice.

    Raises:
        UsageError: naming the first of them.
    """
    seen: dict[tuple[Any, ...], int] = {}
    for place, (given, point) in enumerate(zip(recipe.points, asked_points(recipe), strict=True), 1):
        where = f"point {place} of points, {_shown(given)},"
        for name in given:
            if name not in recipe.space:
                raise UsageError(
                    f"{where} sets {name}, which the space does not search",
                    f"fields of the space: {', '.join(recipe.space) or 'none'}",
                    did_you_mean(name, list(recipe.space), f"set {name} for the whole search, or add space.{name}"),
                )
        if wrong := outside(recipe, point):
            name = wrong.partition("=")[0]
            of = "has" if name in given else "leaves the recipe's own"
            todo = "correct the point, or widen the space"
            if name not in given:
                todo = f"give the point a value of {name}, or widen the space"
            raise UsageError(f"{where} {of} {wrong}", _allowed(name, recipe.space[name]), todo)
        refuse_infeasible(recipe, point, 1, where)
        if (first := seen.setdefault(tuple(point.values()), place)) != place:
            raise UsageError(f"points {first} and {place} of points are the same", "each point once", "drop one")


def refuse_infeasible(recipe: Recipe, point: Mapping[str, Any], n_classes: int, where: str = "a point") -> None:
    """Refuse a point that no assignment exists for (docs/explanation/program.md#feasibility).

    Args:
        recipe: of the search.
        point: a value for each field of the space.
        n_classes: of the data; 1 if unknown.
        where: what the error is about.

    Raises:
        InfeasibleError: no trial can have these sizes.
    """
    k, m, width = (point.get(name, lookup(recipe, SHORT_NAMES[name])) for name in SIZES)
    try:
        check_feasible(width, m, k, n_classes)
    except InfeasibleError as error:
        raise InfeasibleError(f"{where} is infeasible: {error.what}", error.expected, error.todo) from None


def _point(node: MappingNode) -> dict[str, Any]:
    point: dict[str, Any] = {}
    for given, value in pairs(node, "a point"):
        name = searched_name(given, "points")
        if name in point:
            raise UsageError(f"points: {show(node)} sets {name} twice, once as {given}", "each field once", "drop one")
        text = None if is_null(value) else written(value, f"points: {name}")
        if text is None:
            raise UsageError(f"points: {name} is null", "a value of the field", "write it, or drop the name")
        point[name] = read_scalar(text, kind_of_field(name), f"points: {name}")
    return point


def _shown(point: Mapping[str, Any]) -> str:
    return "{" + ", ".join(f"{name}: {value}" for name, value in point.items()) + "}"


def _allowed(name: str, dimension: Mapping[str, Any]) -> str:
    if "choices" in dimension:
        return f"{name} one of {show_values(dimension['choices'])}"
    step = f" in steps of {dimension['step']}" if dimension.get("step") else ""
    return f"{name} from {dimension['low']} to {dimension['high']}{step}"
