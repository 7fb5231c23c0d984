"""Converts YAML and `key=value` to a tree of typed settings, by the fields of the recipe's dataclasses."""

import dataclasses
import difflib
import functools
from collections.abc import Callable
from typing import Any

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from tuner.errors import UsageError
from tuner.recipe.bounds import read_reference
from tuner.recipe.nodes import compose, is_null, pairs, show, written
from tuner.recipe.points import read_points
from tuner.recipe.scalars import read_scalar, show_text
from tuner.recipe.schema import SHORT_NAMES, Recipe, walk
from tuner.recipe.space import read_dimension, read_space, searched_name
from tuner.recipe.variants import GROUPS

Tree = dict[str, Any]

LONGEST_NAME = 100

# removed switches that old recipes may still turn off, and why they can no longer be turned on
RETIRED = {"assign.warm_start": "a program starts from nothing but itself, so that its key names one result"}


def read_tree(node: Node | None, source: str, schema: type[Recipe] = Recipe) -> Tree:
    """The settings in a recipe's YAML, read by the fields of a schema.

    Raises:
        UsageError: it holds an unknown setting or a wrong value.
    """
    if is_null(node):
        return {}
    if not isinstance(node, MappingNode):
        kind = "list" if isinstance(node, SequenceNode) else "single value"
        raise UsageError(f"{source} holds a {kind}", "a mapping of settings", "see tuner/recipes")
    return _group(node, schema, "")


def override(tree: Tree, item: str, schema: type[Recipe] = Recipe) -> list[str]:
    """Set one `key=value` in a tree: groups are merged, dimensions of the space replaced, or dropped by null.

    Where the field is a text, the value is every letter after the equals sign; else it is YAML.

    Returns:
        The dotted keys it sets, without those of the space.

    Raises:
        UsageError: for an unknown key or a wrong value.
    """
    key, sign, text = item.partition("=")
    if not sign or not key:
        raise UsageError(
            f"override {show_text(item)}", "NAME=VALUE, such as budget.trials=32", "write it with an equals sign"
        )
    if key.startswith("space."):
        name = searched_name(key.removeprefix("space."))
        node = compose(text, f"the value of {key}")
        space = tree.setdefault("space", {})
        if is_null(node) and text.strip():
            space.pop(name, None)
        else:
            space[name] = read_dimension(node, name)
        return []
    path = SHORT_NAMES.get(key, key)
    if path not in _fields() and _is_retired(path, text):
        return []
    *groups, last = path.split(".")
    value = _override_value(path, text, schema)
    for group in groups:
        tree = tree.setdefault(group, {})
    if last in _READERS or not isinstance(value, dict):
        tree[last] = value
    else:
        _merge(tree.setdefault(last, {}), value)
    return [] if path == "space" else [path, *_leaves(value, f"{path}.")]


def _override_value(path: str, text: str, schema: type[Recipe]) -> Any:
    kind = _kind_of(path, schema)
    if kind in (str, int, float, bool):
        return read_scalar(text, kind, path)
    node = compose(text, f"the value of {path}")
    return _group(node, kind, f"{path}.") if dataclasses.is_dataclass(kind) else _collection(node, path)


def _kind_of(path: str, schema: type[Recipe]) -> Any:
    """The type of a field or a group."""
    kind: Any = schema
    parts = path.split(".")
    for place, part in enumerate(parts):
        prefix = "".join(f"{parent}." for parent in parts[:place])
        if not _is_group(kind):
            raise UsageError(
                f"unknown setting {path}", f"{prefix[:-1]}, which has no parts", f"set {prefix[:-1]}=VALUE"
            )
        known: dict[str, Any] = _kinds(kind)
        if part not in known:
            raise _unknown(part, list(known), prefix)
        kind = known[part]
    return kind


def _is_group(kind: Any) -> bool:
    """Whether the type of a field is a dataclass, and the field so a group of fields."""
    return dataclasses.is_dataclass(kind)


@functools.cache
def _kinds(schema: Any) -> dict[str, Any]:
    """The type of each field of a dataclass; where it is a group, the class of its default: annotations are wider."""
    made = schema()
    values = {info.name: getattr(made, info.name) for info in dataclasses.fields(schema)}
    return {
        info.name: type(values[info.name]) if dataclasses.is_dataclass(values[info.name]) else info.type
        for info in dataclasses.fields(schema)
    }


def _group(node: Node | None, schema: Any, prefix: str) -> Tree:
    """The settings of a group, read by the fields of its dataclass."""
    name = prefix.rstrip(".")
    if not isinstance(node, MappingNode):
        raise UsageError(f"{name}={show(node)}", "a group of settings", f"set {name}.NAME=VALUE, or drop it")
    kinds = _kinds(schema)
    tree = {}
    for key, value in pairs(node, name or "the recipe"):
        if key not in kinds and _is_retired(f"{prefix}{key}", show(value)):
            continue
        if key not in kinds:
            raise _unknown(key, list(kinds), prefix)
        tree[key] = _field(value, kinds[key], f"{prefix}{key}")
    return tree


def _field(node: Node, kind: Any, where: str) -> Any:
    if dataclasses.is_dataclass(kind):
        return _group(node, kind, f"{where}.")
    if kind not in (str, int, float, bool):
        return _collection(node, where)
    text = written(node, where)
    if text is None and node.value:
        raise UsageError(f"{where}={show(node)} is null in YAML", "a value", "put a text in quotes, or drop it")
    return read_scalar(text or "", kind, where)


def _collection(node: Node | None, where: str) -> Any:
    """The settings that are no single value: space, points and reference point, and two lists of texts."""
    if where in _READERS:
        return _READERS[where](node)
    expected, example, todo = _LISTED[where]
    if not isinstance(node, SequenceNode):
        single = show(node) if isinstance(node, ScalarNode) and not is_null(node) else example
        raise UsageError(f"{where}={show(node)}", "a list", f"write '{where}=[{single}]'")
    for item in node.value:
        if not isinstance(item, ScalarNode):
            raise UsageError(f"{where} hold {show(item)}", expected, todo)
    name = f"an entry of {where}"
    return [str(read_scalar(written(item, name) or "", str, name)) for item in node.value]


_READERS: dict[str, Callable[[Node | None], Any]] = {
    "space": read_space,
    "points": read_points,
    "reference": read_reference,
}
# Lists of texts: what an entry is, an example, and what to do about an entry that is no text.
_LISTED = {
    "objectives": (
        "`name`, `name:max` or `name:min`",
        "accuracy, n_features:min",
        "write it without blanks, such as n_features:min",
    ),
    "constraints": ("NAME >= NUMBER or NAME <= NUMBER", "accuracy >= 80", "put it in quotes, such as 'accuracy >= 80'"),
}


def _is_retired(path: str, value: str) -> bool:
    """Whether it is a field of an earlier version, set to what happens anyway now; with another value it is refused."""
    if path not in RETIRED:
        return False
    if read_scalar(value, bool, path):
        raise UsageError(f"{path}={value}", f"false: {RETIRED[path]}", "drop it")
    return True


@functools.cache
def _fields() -> frozenset[str]:
    return frozenset(path for path, _, _ in walk(Recipe()))


def _merge(tree: Tree, other: Tree) -> None:
    for name, value in other.items():
        if isinstance(value, dict):
            _merge(tree.setdefault(name, {}), value)
        else:
            tree[name] = value


def _leaves(value: Any, prefix: str) -> list[str]:
    if not isinstance(value, dict):
        return []
    return [leaf for name, part in value.items() for leaf in (f"{prefix}{name}", *_leaves(part, f"{prefix}{name}."))]


def _unknown(key: str, known: list[str], prefix: str) -> UsageError:
    """The error for a name that no setting has, with the whole names of the nearest that have."""
    if len(key) > LONGEST_NAME:
        return UsageError(
            f"unknown setting {prefix}{key[:LONGEST_NAME]}...", "a name", "see `describe_fields()` for all"
        )
    what = f"unknown setting {prefix}{key}"
    if not prefix and ((whole := SHORT_NAMES.get(key, key)) in _fields() or whole.startswith("space.")):
        *groups, last = whole.split(".")  # as an override has it, and here it stands in YAML
        nested = "".join(f"{group}: {{" for group in groups) + f"{last}: .." + "}" * len(groups)
        return UsageError(what, "groups of settings, without dots and short names", f"write {nested}")
    if owners := _kinds_with(key, prefix):
        return UsageError(
            what, f"one of {', '.join(known)}", f"{key} is a setting of {' or '.join(owners)}: set that, too"
        )
    close = [f"{prefix}{name}" for name in difflib.get_close_matches(key, known, n=1)]
    if not close:
        by_last: dict[str, list[str]] = {}
        for path in sorted(_fields()):
            by_last.setdefault(path.rpartition(".")[2], []).append(path)
        by_last |= {name: [name] for name in SHORT_NAMES}
        close = [path for name in difflib.get_close_matches(key, by_last, n=1) for path in by_last[name]]
    hint = f"did you mean {' or '.join(map(repr, close))}? " if close else ""
    return UsageError(what, f"one of {', '.join(known)}", f"{hint}see `describe_fields()` for all")


def _kinds_with(key: str, prefix: str) -> list[str]:
    """Other kinds of the group that read this setting, as a recipe names them."""
    group = prefix.rstrip(".")
    if group not in GROUPS:
        return []
    registry, _ = GROUPS[group]
    read = {name: getattr(kind, "reads", None) or kind.settings for name, kind in registry.items()}
    return [f"{prefix}name={name}" for name, settings in read.items() if key in _kinds(settings)]
