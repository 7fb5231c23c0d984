"""The table of systems, in the order of the published table, each control behind what it controls.

To add one, add a row here and a function to `models.py`, and a stage if it trains in a way of its own.
"""

from collections.abc import Iterable, Sequence

from tuner.base.spelling import did_you_mean
from tuner.errors import UsageError
from tuner.search.systems import models, resnet
from tuner.search.systems.system import System

FIFTY = (50, 5)
COMPACT = (50, 4)
DRAWN = "a random assignment of the same size, fine-tuned: what the program adds"

_TABLE = (
    System(
        "probe",
        "linear probe",
        "a linear layer on the CLS token, no adapter",
        models.probe,
        features=lambda _, tokens: tokens.dim,
        remark=models.without_cls,
    ),
    System("dense", "dense", "all features of the adapter, real weights: before the program", models.dense),
    System(
        "sldd",
        "SLDD",
        "features selected one by one, real weights, as many per class on average",
        models.sldd,
        FIFTY,
        settings=models.signed,
    ),
    System("qsenn", "Q-SENN", "as SLDD, but ternary weights, in rounds", models.qsenn, FIFTY, settings=models.signed),
    System("qpm", "QPM", "DINO-QPM: the program, then fine-tuning", models.qpm, FIFTY),
    System("random", "random", DRAWN, models.qpm, FIFTY, settings=models.drawn, control_of="qpm"),
    System(
        "compact",
        "QPM Compact",
        "DINO-QPM Compact, four features per class; how many in all is not published, 50 here",
        models.qpm,
        COMPACT,
    ),
    System("random_compact", "random", DRAWN, models.qpm, COMPACT, settings=models.drawn, control_of="compact"),
    System(
        "chiqpm",
        "CHiQPM",
        "half as many class pairs as classes share all features but one; positive evidence only; in rounds",
        models.qpm,
        FIFTY,
        settings=models.chiqpm,
    ),
    System(
        "qpm_held_out",
        "QPM held-out",
        "ours: as QPM, but the program rests on a fifth of train that the dense model was not trained on",
        models.qpm,
        FIFTY,
        settings=models.held_out,
    ),
    System(
        "resnet",
        "ResNet",
        "a ResNet trained end to end, with a linear head",
        resnet.baseline,
        remark=resnet.trained_as,
        features=resnet.channels,
        backbone=resnet.pixels,
    ),
    System(
        "resnet_qpm",
        "ResNet QPM",
        "QPM on the ResNet: its whole network is trained behind the binary head",
        resnet.behind_binary_head,
        FIFTY,
        settings=resnet.as_published,
        remark=resnet.tuned_as,
        features=resnet.channels,
        backbone=resnet.pixels,
    ),
)

SYSTEMS: dict[str, System] = {system.name: system for system in _TABLE}
"""All systems by name, in order."""

ON_FROZEN_FEATURES = tuple(name for name, system in SYSTEMS.items() if system.backbone is None)
"""The systems that are compared if none are named: those that need hours on a GPU are compared on demand."""

END_TO_END = tuple(name for name, system in SYSTEMS.items() if system.backbone is not None)
"""The systems whose whole network is trained, each with settings of its own."""

BESIDE_A_FRONT = ("probe", "qpm", "random")
"""The systems that a front is compared with if none are named; its own dense models and controls come on top."""


def chosen(names: Sequence[str], otherwise: Iterable[str]) -> list[System]:
    """The systems of these names, in the order of the table; those of `otherwise` if there are no names.

    Raises:
        UsageError: there is no such system.
    """
    for name in names:
        if name not in SYSTEMS:
            todo = did_you_mean(name, SYSTEMS)
            raise UsageError(f"no system {name!r}", f"some of {', '.join(SYSTEMS)}, or all", todo)
    wanted = set(names or otherwise)
    return [system for system in SYSTEMS.values() if system.name in wanted]
