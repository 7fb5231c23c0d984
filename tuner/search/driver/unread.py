"""Which settings of a recipe play no part in a search: those of other backbones, and of networks trained end to end.

They are kept with the search, since a comparison may read them, and named at its start, so that nobody takes them for
effective.
"""

import dataclasses
from typing import Any

from tuner.features.kinds import BACKBONES
from tuner.recipe import Recipe
from tuner.recipe.schema import walk

COMPARED = ("resnet.", "resnet_qpm.")  # read by `qpm-tuner compare --systems resnet,resnet_qpm` alone


def unread(recipe: Recipe) -> list[str]:
    """Settings that differ from their defaults and that no trial reads, such as "resnet.depth=18"."""
    changed = [(path, value) for path, value, info in walk(recipe) if value != _usual(info)]
    return [f"{path}={value}" for path, value in changed if _is_unread(path, recipe)]


def unread_line(recipe: Recipe) -> str:
    """What a search says of them at its start; empty if there are none."""
    found = unread(recipe)
    if not found:
        return ""
    parts = []
    if others := [item for item in found if item.startswith("backbone.")]:
        parts.append(f"backbone.name={recipe.backbone.name} does not read {', '.join(others)}")
    if compared := [item for item in found if item.startswith(COMPARED)]:
        parts.append(
            f"{', '.join(compared)} shapes ResNets, which only `qpm-tuner compare --systems resnet,resnet_qpm` trains"
        )
    return f"without effect on this search: {'; '.join(parts)}"


def _is_unread(path: str, recipe: Recipe) -> bool:
    group, _, name = path.rpartition(".")
    kind = BACKBONES.get(recipe.backbone.name)
    if group == "backbone" and kind is not None and kind.reads is not None:
        return name not in {info.name for info in dataclasses.fields(kind.reads)}
    return path.startswith(COMPARED)


def _usual(info: dataclasses.Field[Any]) -> Any:
    return info.default if info.default_factory is dataclasses.MISSING else info.default_factory()
