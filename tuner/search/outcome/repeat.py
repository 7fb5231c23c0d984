"""The command that runs a search again: the preset that is nearest to its recipe, and what differs from it."""

import shlex
from collections.abc import Mapping
from typing import Any

import yaml

from tuner.recipe import Recipe, fields, load_recipe, presets
from tuner.recipe.schema import SHORT_NAMES

WHERE = ("tracking.uri",)  # of the machine, not of the search; it may hold a password


def repeat_command(recipe: Recipe, store: str, name: str) -> str:
    """Runs the same search in the same store; there its stages are reused.

    Args:
        recipe: of the search, as it is stored.
        store: its address.
        name: of the search.
    """
    wanted = settings(recipe)
    near = min(presets(), key=lambda preset: len(_differing(settings(load_recipe(preset)), wanted)))
    searched = {SHORT_NAMES.get(field, field) for field in recipe.space}  # each trial has its own value
    changes = {k: v for k, v in _differing(settings(load_recipe(near)), wanted).items() if k not in searched}
    given = [shlex.quote(f"{key}={_written(value)}") for key, value in changes.items()]
    words = ["qpm-tuner search", f"--recipe {near}", f"--store {shlex.quote(store)}", f"--name {shlex.quote(name)}"]
    return " ".join([*words, *given])


def settings(recipe: Recipe) -> dict[str, Any]:
    """Every setting by its dotted name."""
    return {field.name: field.default for field in fields(recipe) if field.name not in WHERE}


def _differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in new.items() if key not in old or old[key] != value}


def _written(value: Any) -> str:
    """A value as it is typed behind `=`: a text as it is, others as YAML in one line."""
    if isinstance(value, str):
        return value
    return yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10**6).removesuffix("\n...\n").strip()
