"""From a preset or a YAML file and `key=value` overrides to a checked recipe; and what differs between two."""

import dataclasses
import difflib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from tuner.errors import UsageError
from tuner.recipe.check import check_recipe
from tuner.recipe.schema import PLACES, RUNTIME_PARTS, SHORT_NAMES, Recipe, default_of, describe_fields

PRESETS = Path(__file__).parents[1] / "recipes"


def presets() -> list[str]:
    """Names of the recipes that come with the package."""
    return sorted(path.stem for path in PRESETS.glob("*.yaml"))


def load_recipe(name: str, overrides: Sequence[str] = ()) -> Recipe:
    """Read a preset or a YAML file, merge `key=value` overrides, and check everything.

    Args:
        name: a preset's name or the path of a YAML file.
        overrides: strings `dotted.key=value`; values are YAML.

    Raises:
        UsageError: for an unknown recipe or key, a wrong type or value, or an impossible combination.
    """
    path = PRESETS / f"{name}.yaml" if name in presets() else Path(name)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"recipe {name!r} cannot be read ({error.strerror})",
            f"one of {', '.join(presets())}, or the path of a YAML file",
            "check the name after --recipe",
        ) from None
    return parse_recipe(text, overrides, source=str(name))


def parse_recipe(text: str, overrides: Sequence[str] = (), *, source: str = "recipe") -> Recipe:
    """As `load_recipe`, from the YAML text itself."""
    try:
        base = yaml.safe_load(text) or {}
        if not isinstance(base, dict):
            raise UsageError(f"{source} holds a {type(base).__name__}", "a mapping of settings", "see tuner/recipes")
        for item in overrides:
            _override(base, item)
    except yaml.YAMLError as error:
        raise UsageError(f"{source} is not valid YAML: {_first_line(error)}", "YAML", "mend it") from None
    _drop_retired(base)
    _refuse_unknown(base, Recipe, "")
    recipe = _structure(OmegaConf.create(base))
    _refuse_fixed_and_searched(overrides, recipe)
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


def _structure(config: Any) -> Recipe:
    try:
        recipe = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(Recipe), config))
    except OmegaConfBaseException as error:
        key = getattr(error, "full_key", None) or getattr(error, "key", None)
        raise UsageError(
            f"setting {key}: {_first_line(error)}",
            f"a value like the default, {default_of(str(key))!r}",
            "correct it in the recipe or on the command line",
        ) from None
    assert isinstance(recipe, Recipe)
    return recipe


def _override(tree: dict[str, Any], item: str) -> None:
    """Set one `key=value` in a tree: groups are merged, dimensions of the space replaced, or dropped by null."""
    key, sign, text = item.partition("=")
    if not sign or not key:
        raise UsageError(f"override {item!r}", "key=value, such as budget.trials=32", "write it with one equals sign")
    *groups, last = SHORT_NAMES.get(key, key).split(".")
    if groups[:1] == ["space"]:  # a dimension may be named by a dotted path itself
        groups, last = ["space"], key.removeprefix("space.")
    for group in groups:
        if not isinstance(tree.setdefault(group, {}), dict):
            raise UsageError(f"override {item!r}", f"a setting inside the group {group}", "correct the key")
        tree = tree[group]
    value = yaml.safe_load(text) if text else ""
    if isinstance(value, dict) and isinstance(tree.get(last), dict) and "space" not in (last, *groups):
        tree[last].update(value)
    elif value is None and groups == ["space"]:
        tree.pop(last, None)
    else:
        tree[last] = value


def _refuse_unknown(layer: Mapping[str, Any], schema: Any, prefix: str) -> None:
    known = {f.name: f for f in dataclasses.fields(schema)}
    for key, value in layer.items():
        if key not in known:
            close = difflib.get_close_matches(str(key), known, n=1) or difflib.get_close_matches(
                str(key), [path.rpartition(".")[2] for path, _, _ in describe_fields()], n=1
            )
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise UsageError(
                f"unknown setting {prefix}{key}",
                f"one of {', '.join(known)}",
                f"{hint}see --help-recipe for all",
            )
        if dataclasses.is_dataclass(known[key].type):
            if not isinstance(value, Mapping):
                raise UsageError(f"{prefix}{key}={value!r}", "a group of settings", f"set {prefix}{key}.NAME=VALUE")
            _refuse_unknown(value, known[key].type, f"{prefix}{key}.")


def _drop_retired(base: dict[str, Any]) -> None:
    """Fields of earlier versions: understood where they ask for what happens anyway, refused otherwise."""
    assign = base.get("assign")
    if isinstance(assign, dict) and assign.pop("warm_start", False) is not False:
        raise UsageError(
            "assign.warm_start=true",
            "false: a program starts from nothing but itself, so that its key names one result",
            "drop it; as a library, tuner.qpm.assign takes a warm_start",
        )


def _refuse_fixed_and_searched(overrides: Sequence[str], recipe: Recipe) -> None:
    searched = {SHORT_NAMES.get(name, name): name for name in recipe.space}
    for item in overrides:
        key, _, value = item.partition("=")
        name = searched.get(SHORT_NAMES.get(key, key))
        if name is not None:
            raise UsageError(
                f"{item} sets a field that the space searches",
                "either a fixed value or a searched one",
                f"write 'space.{name}={{choices: [{value}]}}' instead",
            )


def _flatten(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
