"""Searched settings of the backbone: each combination of their choices is a feature bank of its own.

So they are lists of choices, and few.
"""

import dataclasses
import math
from collections.abc import Iterable
from itertools import product
from typing import Any

from tuner.base.secrets import holds_secret, is_address
from tuner.errors import UsageError
from tuner.features.kinds import BACKBONES
from tuner.recipe.schema import Recipe

GROUP = "backbone."
NAME = "backbone.name"
WEIGHTS = "backbone.weights"
MOST_BANKS = 64
"""Feature banks of one search; each may hold gigabytes."""


def searched_backbone(recipe: Recipe) -> list[str]:
    """The searched settings of the backbone, in the order of the space; empty where all trials share one."""
    return [name for name in recipe.space if name.startswith(GROUP)]


def backbone_points(recipe: Recipe) -> list[dict[str, Any]]:
    """All combinations of the searched settings of the backbone; one empty one where none is searched."""
    names = searched_backbone(recipe)
    return [
        dict(zip(names, values, strict=True)) for values in product(*(recipe.space[name]["choices"] for name in names))
    ]


def backbone_names(recipe: Recipe) -> list[str]:
    """The backbones that a trial may have, by name."""
    return [str(name) for name in recipe.space.get(NAME, {"choices": [recipe.backbone.name]})["choices"]]


def readers(recipe: Recipe, field: str) -> list[str]:
    """Those of the backbones that a trial may have which read a setting, such as `backbone.n_atoms`."""
    return [name for name in backbone_names(recipe) if _reads(name, field.removeprefix(GROUP))]


def check_backbones(recipe: Recipe) -> None:
    """Refuse searched settings of the backbone that no bank can be made for, or that none of the backbones reads.

    Raises:
        UsageError: naming the first of them.
    """
    known = {f"{GROUP}{info.name}" for info in dataclasses.fields(recipe.backbone)}
    searched = searched_backbone(recipe)
    for name in searched:
        if name not in known:
            raise UsageError(
                f"space.{name} is no setting of backbone.name={recipe.backbone.name}",
                f"one of {', '.join(sorted(known))}",
                "search another setting, or name the backbone that has it as backbone.name",
            )
        dimension = recipe.space[name]
        if "choices" not in dimension:
            raise UsageError(
                f"space.{name}={dimension}",
                "choices, since each setting of the backbone is a feature bank of its own",
                f"write 'space.{name}={{choices: [{dimension['low']}, {dimension['high']}]}}'",
            )
        if not dimension["choices"]:
            return  # told by the check of the dimension itself
        if odd := [value for value in dimension["choices"] if isinstance(value, str) and not value.isprintable()]:
            raise UsageError(
                f"space.{name} holds {odd[0][:60]!a}",
                "printable texts, which the ledger keeps",
                "write it without them",
            )
    _refuse_secrets(recipe.space.get(WEIGHTS, {"choices": []})["choices"])
    _refuse_too_many(recipe, searched)
    _refuse_other_settings(recipe)
    for name in searched:
        if not readers(recipe, name):
            raise UsageError(
                f"space.{name}, which backbone.name={' or '.join(backbone_names(recipe))} does not read",
                "a setting that shapes the tokens",
                f"drop space.{name}, or search a backbone that reads it",
            )


def _refuse_too_many(recipe: Recipe, searched: Iterable[str]) -> None:
    n_banks = math.prod(len(recipe.space[name]["choices"]) for name in searched)
    if n_banks > MOST_BANKS:
        raise UsageError(
            f"the space has {n_banks:,} combinations of {', '.join(searched)}, each a feature bank",
            f"at most {MOST_BANKS}",
            "drop choices, or search them one after the other with `learn_from`",
        )


def _refuse_other_settings(recipe: Recipe) -> None:
    """Refuse backbones whose settings are of another class than those of the recipe, which trials take over."""
    for name in backbone_names(recipe):
        if name in BACKBONES and BACKBONES[name].settings is not type(recipe.backbone):
            raise UsageError(
                f"space.{NAME} holds {name}, whose settings are others than those of {recipe.backbone.name}",
                "backbones with the same settings",
                f"start a second search with backbone.name={name}",
            )


def _refuse_secrets(weights: Iterable[Any]) -> None:
    for value in weights:
        if is_address(str(value)) and holds_secret(str(value)):
            raise UsageError(
                f"space.{WEIGHTS} holds a user, a password or a key (not shown here), and others can read stored "
                "recipes",
                "an address without credentials",
                "download what is there, and write its path",
            )


def _reads(name: str, field: str) -> bool:
    kind = BACKBONES.get(name)
    return kind is None or kind.reads is None or field in {info.name for info in dataclasses.fields(kind.reads)}
