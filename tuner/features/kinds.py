"""The description of a backbone for recipes: name, settings and constructor; imports no torch."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tuner.base.registry import Registry


@dataclass(frozen=True)
class BackboneKind:
    """One kind of backbone.

    Attributes:
        name: `backbone.name` in a recipe.
        make: `make(config, data=NAME, offline=..)` gives a `Backbone`, not yet loaded. `config` is of the class
            `settings`, `data` the data set's name, and `offline` says to take weights from this machine only.
        settings: dataclass of the settings; those of a built-in backbone hold the settings of all built-in ones.
        preprocessing: the values of `backbone.preprocessing` that it can do.
        is_learned: whether it has no weights but those it learns from the data set, which an exported model holds.
        is_frozen: whether its tokens are features; False for the pixels that networks are trained on end to end.
        reads: the class whose fields it reads, where `settings` has those of other backbones too; None: it reads all.
    """

    name: str
    make: Callable[..., Any]
    settings: type
    preprocessing: tuple[str, ...] = ("standard",)
    is_learned: bool = False
    is_frozen: bool = True
    reads: type | None = None


BACKBONES: Registry[BackboneKind] = Registry(
    "backbone", BackboneKind, group="qpm_tuner.backbones", home="tuner.features.registry"
)
