"""Loads and validates a recipe from a preset or YAML file with `key=value` overrides; compares two recipes."""

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from yaml.nodes import Node

from tuner.base.files import read_bounded
from tuner.base.folders import home_path
from tuner.base.secrets import hide
from tuner.base.spelling import did_you_mean
from tuner.errors import UsageError
from tuner.recipe.check import check_recipe
from tuner.recipe.nodes import LONGEST, compose
from tuner.recipe.reading import override, read_tree
from tuner.recipe.schema import PLACES, RUNTIME_PARTS, SHORT_NAMES, Recipe, lookup
from tuner.recipe.variants import blank, schema_for

Config = TypeVar("Config")

PRESETS = Path(__file__).parents[1] / "recipes"
LONGEST_TOLD = 1000


def presets() -> list[str]:
    """Names of the recipes that come with the package."""
    return sorted(path.stem for path in PRESETS.glob("*.yaml"))


AS_PUBLISHED = ("dense.held_out=0", "assign.on=train")
"""What presets do otherwise than published (docs/explanation/method.md#held-out-assignment): not under
`protocol=paper`, unless overrides ask for it."""


def load_recipe(name: str, overrides: Sequence[str] = ()) -> Recipe:
    """Read a preset or a YAML file, merge `key=value` overrides, and check everything.

    Args:
        name: a preset's name or the path of a YAML file.
        overrides: strings `dotted.key=value`; a text is taken as it is typed, all other values are YAML.

    Raises:
        UsageError: for an unknown recipe or key, a wrong type or value, or an impossible combination.
    """
    path = PRESETS / f"{name}.yaml" if name in presets() else home_path(name, "recipe")
    try:
        text = read_bounded(path, LONGEST).decode()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise UsageError(
            f"recipe {hide(repr(name))} cannot be read ({reason})",
            f"one of {', '.join(presets())}, or the path of a YAML file",
            did_you_mean(name, presets(), "check the name of the recipe"),
        ) from None
    recipe = parse_recipe(text, overrides, source=name)
    if recipe.protocol == "paper" and name in presets():
        recipe = parse_recipe(text, overrides, source=name, before=AS_PUBLISHED)
    return recipe


def parse_recipe(
    given: str | Node,
    overrides: Sequence[str] = (),
    *,
    source: str = "recipe",
    checked: bool = True,
    before: Sequence[str] = (),
) -> Recipe:
    """As `load_recipe`, from the YAML itself; not `checked`, it may hold what an earlier version took.

    Values of `before` are merged ahead of the overrides, which win.
    """
    with _discreet():
        node = compose(given, source) if isinstance(given, str) else given
        schema = schema_for(node, overrides)
        tree = read_tree(node, source, schema)
        for item in before:
            override(tree, item, schema)
        fixed = [(key, item) for item in overrides for key in override(tree, item, schema)]
        recipe = _filled(blank(schema), tree)
        _refuse_fixed_and_searched(fixed, recipe)
        if checked:
            check_recipe(recipe)
    return recipe


def difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What changed between two recipes, beyond how and where they run: lines `key: old -> new`."""
    before, after = (dict(_flatten({k: v for k, v in r.items() if k not in RUNTIME_PARTS})) for r in (old, new))
    missing = "(absent)"
    return [
        f"{key}: {before.get(key, missing)} -> {after.get(key, missing)}"
        for key in sorted((before.keys() | after.keys()) - set(PLACES))
        if before.get(key, missing) != after.get(key, missing)
    ]


@contextlib.contextmanager
def _discreet() -> Iterator[None]:
    """Errors inside the block show no password, and no more of a value than a person reads."""
    try:
        yield
    except UsageError as error:
        told = (hide(part) for part in (error.what, error.expected, error.todo))
        raise type(error)(*(t if len(t) <= LONGEST_TOLD else f"{t[:LONGEST_TOLD]}..." for t in told)) from None


def _filled(config: Config, tree: Mapping[str, Any]) -> Config:
    """A config with the settings of a tree in the places of its defaults."""
    for name, value in tree.items():
        current = getattr(config, name)
        setattr(config, name, _filled(current, value) if dataclasses.is_dataclass(current) else value)
    return config


def _refuse_fixed_and_searched(fixed: Sequence[tuple[str, str]], recipe: Recipe) -> None:
    searched = {SHORT_NAMES.get(name, name): name for name in recipe.space}
    for key, item in fixed:
        if (name := searched.get(key)) is not None:
            raise UsageError(
                f"{item} sets a field that the space searches",
                "either a fixed value or a searched one",
                f"write 'space.{name}={{choices: [{lookup(recipe, key)}]}}' instead",
            )


def _flatten(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
