"""Recipe groups whose settings depend on a name: each backbone, data set and sampler may have its own.

Which names a recipe gives is looked up first, in its YAML and in the overrides. Then all settings are read by the
fields of these.
"""

import contextlib
import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

from yaml.nodes import MappingNode, Node, ScalarNode

from tuner.base.registry import Registry
from tuner.base.spelling import did_you_mean
from tuner.data.kinds import DATASETS
from tuner.data.settings import DataConfig
from tuner.errors import UsageError
from tuner.features.kinds import BACKBONES
from tuner.features.settings import BackboneSettings
from tuner.recipe.nodes import compose, drop
from tuner.recipe.samplers import SAMPLERS, SamplerSettings
from tuner.recipe.scalars import show_text
from tuner.recipe.schema import Recipe

# Group, what can be named in it, and the settings that all of them have.
GROUPS: dict[str, tuple[Registry[Any], type]] = {
    "data": (DATASETS, DataConfig),
    "backbone": (BACKBONES, BackboneSettings),
    "sampler": (SAMPLERS, SamplerSettings),
}


def schema_for(node: Node | None, overrides: Sequence[str]) -> type[Recipe]:
    """The dataclass that a recipe is read by.

    Where an override names something with settings of other fields than the YAML does, the settings that the YAML makes
    for the latter alone are dropped from the node.

    Args:
        node: the YAML.
        overrides: strings `dotted.key=value`.

    Raises:
        UsageError: a name is in no registry.
    """
    chosen = {}
    for group, (registry, common) in GROUPS.items():
        written = _named_in(node, group)
        name = next(filter(None, (_named_by(item, group) for item in reversed(overrides))), written)
        if name is None:
            continue
        if name not in registry:
            todo = f"choose one of them, or install the package that brings this {registry.what}"
            raise UsageError(
                f"{group}.name={show_text(name)}", f"one of {', '.join(registry)}", did_you_mean(name, registry, todo)
            )
        chosen[group] = registry[name].settings
        if written is not None and written in registry and (former := registry[written].settings) is not chosen[group]:
            shared = {info.name for info in dataclasses.fields(common)}
            for info in dataclasses.fields(former):
                if info.name not in shared and node is not None:
                    drop(node, group, info.name)
    return _schema(tuple(chosen.items()))


def blank(schema: type[Recipe]) -> Recipe:
    """A recipe of default settings whose groups are those of a schema."""
    defaults = schema()
    return Recipe(**{info.name: getattr(defaults, info.name) for info in dataclasses.fields(Recipe)})


@functools.cache
def _schema(chosen: tuple[tuple[str, type], ...]) -> type[Recipe]:
    """Recipe itself, or one whose groups are of other classes."""
    usual = {info.name: type(getattr(Recipe(), info.name)) for info in dataclasses.fields(Recipe)}
    others = [(group, kind) for group, kind in chosen if kind is not usual[group]]
    parts = [(group, kind, dataclasses.field(default_factory=kind)) for group, kind in others]
    made: type[Recipe] = dataclasses.make_dataclass("Recipe", parts, bases=(Recipe,)) if parts else Recipe
    return made


def _named_in(node: Node | None, group: str) -> str | None:
    """The name that the YAML of a recipe gives in a group."""
    inner = _values(_values(node).get(group)).get("name")
    return inner.value if isinstance(inner, ScalarNode) else None


def _named_by(override: str, group: str) -> str | None:
    """The name that an override gives in a group."""
    key, _, text = override.partition("=")
    if key == f"{group}.name":
        return text
    if key == group:
        with contextlib.suppress(UsageError):  # raised again when it is read
            inner = _values(compose(text, "an override")).get("name")
            return inner.value if isinstance(inner, ScalarNode) else None
    return None


def _values(node: Node | None) -> Mapping[str, Node]:
    """The parts of a mapping, by the names that are texts."""
    if not isinstance(node, MappingNode):
        return {}
    return {key.value: value for key, value in node.value if isinstance(key, ScalarNode)}
