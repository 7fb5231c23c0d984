"""The space of a search: each dimension is parsed by the type of its field and validated.

Nothing is left to Optuna's own reading: it would lower a range's end that no step reaches.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import fields
from decimal import Decimal
from typing import Any

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from tuner.base.spelling import did_you_mean
from tuner.errors import UsageError
from tuner.features.kinds import BACKBONES
from tuner.recipe.nodes import pairs, show, written
from tuner.recipe.scalars import read_scalar
from tuner.recipe.schema import SHORT_NAMES, Recipe, walk

# Groups whose fields can be searched: images and split are the same for all trials.
SEARCHED = ("backbone", "adapter", "dense", "assign", "finetune", "seed")
NOT_SEARCHED = ("backbone.batch_size",)  # changes no result

_SHORT = {path: name for name, path in SHORT_NAMES.items()}
MOST_STEPS = 1_000_000
_FORM = "{choices: [..]}, or {low: .., high: ..} with step: .. or log: true if need be"


def read_space(node: Node | None) -> dict[str, dict[str, Any]]:
    """All dimensions, by the name of the field each searches: the short one where there is one.

    Raises:
        UsageError: naming the first dimension that is wrong.
    """
    if not isinstance(node, MappingNode):
        raise UsageError(f"space={show(node)}", f"{{NAME: {_FORM}}}", "for example 'space.width={choices: [64, 128]}'")
    space: dict[str, dict[str, Any]] = {}
    for given, dimension in pairs(node, "space"):
        name = searched_name(given)
        if name in space:
            raise UsageError(f"space searches {name} twice, once as {given}", "each field once", "drop one of the two")
        space[name] = read_dimension(dimension, name)
    return space


def searched_name(given: str, part: str = "space") -> str:
    """The name under which a field is searched.

    Args:
        given: its short or dotted name.
        part: of the recipe, where it was written.

    Raises:
        UsageError: there is no such field, or it is the same for all trials.
    """
    if SHORT_NAMES.get(given, given) in _searchable():
        return _SHORT.get(given, given)
    if given in SEARCHED:
        raise UsageError(
            f"{part}.{given} is a group of fields", "each field by itself", f"write {part}.{given}.NAME=.."
        )
    raise UsageError(
        f"{part}.{given} is no field that can be searched",
        f"one of {', '.join(SHORT_NAMES)}, or a dotted field of {', '.join(SEARCHED)}",
        did_you_mean(given, [*SHORT_NAMES, *_searchable()], "see `describe_fields()` for all fields"),
    )


def read_point(given: Mapping[str, Any]) -> dict[str, Any]:
    """Values of searched fields, as texts or numbers, by the names under which they are searched.

    Raises:
        UsageError: a name is no field that can be searched, occurs twice, or has a value that the field cannot take.
    """
    point: dict[str, Any] = {}
    for word, value in given.items():
        name = searched_name(str(word))
        if name in point:
            raise UsageError(f"{name} is given twice, once as {word}", "each field once", "drop one of the two")
        point[name] = read_scalar(str(value), _searchable()[SHORT_NAMES.get(name, name)], name)
    return point


def read_dimension(node: Node | None, name: str) -> dict[str, Any]:
    """One dimension, `{choices: [..]}` or `{low, high, step, log}`, its values of the field's type.

    Raises:
        UsageError: it is of another form, or holds a value that the field cannot take.
    """
    where = f"space.{name}"
    parts = dict(pairs(node, where)) if isinstance(node, MappingNode) else {}
    if set(parts) != {"choices"} and not ({"low", "high"} <= set(parts) <= {"low", "high", "step", "log"}):
        raise UsageError(f"{where}={show(node)}", _FORM, f"for example 'space.{name}={{choices: [1, 2]}}'")
    kind = kind_of_field(name)
    if "choices" in parts:
        chosen = parts["choices"]
        if not isinstance(chosen, SequenceNode):
            inner = show(chosen).strip("[]") if isinstance(chosen, ScalarNode) else "1, 2"
            raise UsageError(f"{where} has choices: {show(chosen)}", "a list", f"write choices: [{inner}]")
        return {"choices": [_value(item, kind, where) for item in chosen.value]}
    if kind not in (int, float):
        raise UsageError(f"{where}={show(node)}", "choices, for the field is no number", "write {choices: [..]}")
    return {key: _value(part, bool if key == "log" else kind, f"{where}.{key}") for key, part in parts.items()}


def kind_of_field(name: str) -> Any:
    """The type of a field that can be searched: `int`, `float`, `bool` or `str`."""
    return _searchable()[SHORT_NAMES.get(name, name)]


def check_dimension(name: str, dimension: Mapping[str, Any]) -> None:
    """Refuse a list of choices or a range that makes no sense in itself.

    Raises:
        UsageError: there is nothing to choose from, or low, high, step and log do not fit together.
    """
    where = f"space.{name}={dimension}"
    if "choices" in dimension:
        choices = dimension["choices"]
        where = f"space.{name}={{choices: {show_values(choices)}}}"
        if not choices:
            raise UsageError(where, "at least one choice", "name the values to try")
        if len(set(choices)) < len(choices):
            raise UsageError(where, "each choice once", "drop those that stand there twice")
        return
    low, high, step = dimension["low"], dimension["high"], dimension.get("step")
    if not low < high:
        raise UsageError(where, "low < high", f"exchange them, or write {{choices: [{low}]}} for one value")
    if dimension.get("log") and low <= 0:
        raise UsageError(where, "low > 0 on a log scale", "raise low, or drop log")
    if dimension.get("log") and step is not None:
        raise UsageError(where, "a step or a log scale", "drop one of the two")
    if step is not None:
        _check_step(where, low, high, step)


def bounds(dimension: Mapping[str, Any]) -> list[Any]:
    """All choices, or both ends."""
    return list(dimension["choices"]) if "choices" in dimension else [dimension["low"], dimension["high"]]


def show_values(values: Sequence[Any]) -> str:
    """Values of a dimension in one short line, for errors."""
    return f"[{', '.join(map(repr, values[:8]))}{', ...' if len(values) > 8 else ''}]"


def _check_step(where: str, low: float, high: float, step: float) -> None:
    if not 0 < step <= high - low:
        raise UsageError(where, "a step above 0 and no longer than the range", "correct the step, or drop it")
    if (high - low) / step > MOST_STEPS:
        raise UsageError(where, f"at most {MOST_STEPS:,} steps", "raise the step, or drop it")
    start, end, stride = (Decimal(str(value)) for value in (low, high, step))  # 0.3 is no multiple of 0.1 in floats
    if rest := (end - start) % stride:
        reached = end - rest
        raise UsageError(where, f"a high that steps of {step} reach from {low}", f"use {reached} or {reached + stride}")


def _value(node: Node, kind: type, where: str) -> Any:
    text = written(node, where)
    if text is None:
        raise UsageError(f"{where} holds null", "values of the field", "drop it, or write the value")
    return read_scalar(text, kind, where)


def _searchable() -> dict[str, Any]:
    """The type of every field that can be searched, by its dotted path; those of added backbones too."""
    added = {
        f"backbone.{info.name}": info.type for kind in BACKBONES.added().values() for info in fields(kind.settings)
    }
    found = added | _built_in()
    return {path: kind for path, kind in found.items() if path not in NOT_SEARCHED}


@functools.cache
def _built_in() -> dict[str, Any]:
    return {path: info.type for path, _, info in walk(Recipe()) if path.partition(".")[0] in SEARCHED}
