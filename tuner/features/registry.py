"""The registry of backbones: the built-in ones, and those that other packages register.

Networks are imported on creation, so that a recipe can be read without torch.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tuner.base.folders import at_home
from tuner.base.registry import kind_of
from tuner.base.settings import check_settings
from tuner.errors import UsageError
from tuner.features.kept import keeping
from tuner.features.kinds import BACKBONES, BackboneKind
from tuner.features.settings import (
    BackboneConfig,
    BackboneSettings,
    Dinov2Settings,
    PatchDictionarySettings,
    PixelsSettings,
    TimmSettings,
)

if TYPE_CHECKING:
    from tuner.features.backbone import Backbone


def register_backbone(
    name: str,
    make: Callable[..., "Backbone"],
    settings: type[BackboneSettings] = BackboneSettings,
    *,
    preprocessing: tuple[str, ...] = ("standard",),
    is_learned: bool = False,
) -> BackboneKind:
    """Add a custom backbone in this process, so that recipes can name it and set its settings.

    A package that is installed beside this one can name the result, a `BackboneKind`, in its entry points instead, in
    the group `qpm_tuner.backbones`; then every process knows it.

    Args:
        name: `backbone.name` in a recipe; lower-case letters, digits and underscores.
        make: `make(config, data=NAME, offline=..)` gives a `tuner.features.backbone.Backbone`, not yet loaded.
        settings: a dataclass derived from `BackboneSettings`, its fields declared by `tuner.base.settings.setting`;
            they are `backbone.FIELD` in a recipe.
        preprocessing: the values of `backbone.preprocessing` that it can do.
        is_learned: whether it has no weights but those it learns from the data set.

    Returns:
        The row of the table.

    Raises:
        UsageError: the name is none or taken, or the settings are no such dataclass.
    """
    check_settings(settings, BackboneSettings)
    return BACKBONES.add(BackboneKind(name, make, settings, preprocessing, is_learned))


def make_backbone(config: BackboneSettings, data_name: str, *, offline: bool = False) -> "Backbone":
    """The backbone a recipe names, not yet loaded.

    Args:
        config: the recipe's backbone settings.
        data_name: the data set's name, for published pixel statistics (`preprocessing: parity`).
        offline: take weights from this machine only, whatever the settings name.

    Raises:
        UsageError: settings that do not fit the backbone.
        TunerError: its weights or its optional package are missing.
    """
    config = replace(config, weights=at_home(config.weights, "backbone.weights"))
    kind = kind_of(config, BACKBONES, "backbone")
    if config.preprocessing not in kind.preprocessing:
        can = [name for name, other in BACKBONES.items() if config.preprocessing in other.preprocessing]
        raise UsageError(
            f"backbone.preprocessing={config.preprocessing} with backbone.name={config.name}",
            f"{' or '.join(kind.preprocessing)}: {config.preprocessing} is the published treatment of {', '.join(can)}",
            f"set backbone.preprocessing={kind.preprocessing[0]}",
        )
    return keeping(kind.make(config, data=data_name, offline=offline), config, is_frozen=kind.is_frozen)


def require_frozen(config: BackboneSettings, setting: str = "backbone.name") -> None:
    """Refuse a backbone whose tokens are no features, before anything is extracted.

    Args:
        config: the backbone's settings.
        setting: where it was named.

    Raises:
        UsageError: it is one for networks that are trained end to end.
    """
    if config.name in BACKBONES and not BACKBONES[config.name].is_frozen:
        frozen = [name for name, kind in BACKBONES.items() if kind.is_frozen]
        raise UsageError(
            f"{setting}={config.name}, whose tokens are pixels for networks that are trained end to end",
            f"a frozen backbone, whose tokens are features: {', '.join(frozen)}",
            "name one of them; `qpm-tuner compare --systems resnet,resnet_qpm` trains ResNets, on their own bank",
        )


def _patch_dictionary(config: BackboneConfig, **_: Any) -> "Backbone":
    from tuner.features.patch_dictionary import PatchDictionary

    return PatchDictionary(config)


def _efficientnet_lite2(config: BackboneConfig, **_: Any) -> "Backbone":
    from tuner.features.efficientnet import EfficientNetLite2

    return EfficientNetLite2(config)


def _dinov2(config: BackboneConfig, *, data: str, offline: bool) -> "Backbone":
    from tuner.features.dinov2 import Dinov2

    return Dinov2(config, data, offline=offline)


def _timm(config: BackboneConfig, *, offline: bool, **_: Any) -> "Backbone":
    from tuner.features.timm_backbone import Timm

    return Timm(config, offline=offline)


def _pixels(config: BackboneConfig, *, offline: bool, **_: Any) -> "Backbone":
    from tuner.features.pixels import Pixels

    return Pixels(config, offline=offline)


BACKBONES.declare(
    BackboneKind("patch_dictionary", _patch_dictionary, BackboneConfig, is_learned=True, reads=PatchDictionarySettings),
    BackboneKind("efficientnet_lite2", _efficientnet_lite2, BackboneConfig, reads=BackboneSettings),
    BackboneKind("dinov2", _dinov2, BackboneConfig, ("standard", "parity"), reads=Dinov2Settings),
    BackboneKind("timm", _timm, BackboneConfig, reads=TimmSettings),
    BackboneKind("pixels", _pixels, BackboneConfig, is_learned=True, is_frozen=False, reads=PixelsSettings),
)
