"""Which settings of a recipe play no part in a search: those of other backbones, and of networks trained end to end.

They are kept with the search, since a comparison may read them, and named at its start, so that nobody takes them for
effective.
"""

import dataclasses
from typing import Any

from tuner.recipe import Recipe
from tuner.recipe.backbones import GROUP, backbone_names, readers, searched_backbone
from tuner.recipe.schema import walk

COMPARED = ("resnet.", "resnet_qpm.")  # read by `qpm-tuner compare --systems resnet,resnet_qpm` alone


def unread(recipe: Recipe) -> list[str]:
    """Settings that differ from their defaults and that no trial reads, such as "resnet.depth=18"."""
    changed = [(path, value) for path, value, info in walk(recipe) if value != _usual(info)]
    return [f"{path}={value}" for path, value in changed if _is_unread(path, recipe)]


def unread_line(recipe: Recipe) -> str:
    """What a search says of them at its start; empty if there are none."""
    found = unread(recipe)
    parts = []
    if others := [item for item in found if item.startswith("backbone.")]:
        parts.append(f"backbone.name={' or '.join(backbone_names(recipe))} does not read {', '.join(others)}")
    if compared := [item for item in found if item.startswith(COMPARED)]:
        parts.append(
            f"{', '.join(compared)} shapes ResNets, which only `qpm-tuner compare --systems resnet,resnet_qpm` trains"
        )
    told = [f"without effect on this search: {'; '.join(parts)}"] if parts else []
    return "; ".join([*told, *_partly_read(recipe)])


def _partly_read(recipe: Recipe) -> list[str]:
    """Searched settings that some of the searched backbones do not read: their trials share a bank."""
    names, told = backbone_names(recipe), []
    for field in searched_backbone(recipe):
        others = [name for name in names if name not in readers(recipe, field)]
        if others:
            told.append(f"{field} is searched, and {' and '.join(others)} do{'es' * (len(others) == 1)} not read it")
    return told


def _is_unread(path: str, recipe: Recipe) -> bool:
    if path.startswith(GROUP):
        return path not in recipe.space and not readers(recipe, path)
    return path.startswith(COMPARED)


def _usual(info: dataclasses.Field[Any]) -> Any:
    return info.default if info.default_factory is dataclasses.MISSING else info.default_factory()
