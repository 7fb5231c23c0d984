"""The estimator's flat parameters: their mapping to the settings of the stages, and their validation.

One rule names them: a field of the adapter or of the program has its own name, a field of a training has the stage
in front (`dense_lr`, `finetune_epochs`). The two trainings share `precision`, `reestimate_batch_norm` and `shuffle`.
Every field that may vary is a parameter.
"""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, TypeVar

import numpy as np
import torch
from sklearn.utils import check_random_state

from tuner.estimator.errors import InputError, named_as_parameters, three_parts
from tuner.features.device import choose_device
from tuner.qpm.round_lengths import round_lengths
from tuner.qpm.settings import AdapterConfig, AssignConfig, DenseConfig, FinetuneConfig

AUTO = "auto"
LARGEST_SEED = 2**31 - 1
SHARED = ("precision", "reestimate_batch_norm", "shuffle")
STAGES: dict[str, type[Any]] = {
    "adapter": AdapterConfig,
    "dense": DenseConfig,
    "assign": AssignConfig,
    "finetune": FinetuneConfig,
}
SPECIAL = {"adapter.dropout": "adapter_dropout", "assign.on": "assign_on"}  # not understood without the stage
PUBLISHED_FEATURES = AssignConfig().n_features  # what `n_features="auto"` chooses where there are as many

Settings = TypeVar("Settings", AdapterConfig, AssignConfig, DenseConfig, FinetuneConfig)


@dataclass(frozen=True)
class StageSettings:
    """The checked settings of the three stages.

    Attributes:
        adapter: the adapter's shape.
        dense: of the dense training.
        program: of the assignment; its `n_features` is a placeholder where `auto_features` is set.
        finetune: of the fine-tuning.
        auto_features: whether the number of features is chosen once the dense model is there.
    """

    adapter: AdapterConfig
    dense: DenseConfig
    program: AssignConfig
    finetune: FinetuneConfig
    auto_features: bool


def parameter_name(config: type[Any], field: str) -> str:
    """The estimator's name of a stage's field, such as `dense_lr` for `lr` of DenseConfig."""
    stage = next(name for name, known in STAGES.items() if known is config)
    if special := SPECIAL.get(f"{stage}.{field}"):
        return special
    return field if field in SHARED or config in (AdapterConfig, AssignConfig) else f"{stage}_{field}"


def parameter_names() -> dict[str, str]:
    """The estimator's name of every field that may vary, by its name in a recipe, such as `dense.lr`."""
    return {
        f"{stage}.{field.name}": parameter_name(config, field.name)
        for stage, config in STAGES.items()
        for field in dataclasses.fields(config)
        if field.metadata["low"] is None or field.metadata["low"] != field.metadata["high"]
    }


def stage_settings(parameters: Mapping[str, Any]) -> StageSettings:
    """Check the estimator's parameters and sort them into the settings of the stages.

    Args:
        parameters: as `get_params` gives them.

    Raises:
        InputError: naming the first parameter that is of a wrong type, out of bounds or at odds with another.
    """
    auto = isinstance(parameters["n_features"], str) and parameters["n_features"] == AUTO
    adapter = _settings(AdapterConfig, parameters)
    sizes = {**parameters, "n_features": adapter.width} if auto else parameters
    program = _settings(AssignConfig, sizes)
    _check_sizes(adapter, program, auto)
    dense, finetune = _settings(DenseConfig, parameters), _settings(FinetuneConfig, parameters)
    _check_program(dense, program)
    with named_as_parameters(parameter_names()):
        round_lengths(finetune.epochs, finetune.rounds, finetune.round_epochs, "finetune")
    return StageSettings(adapter, dense, program, finetune, auto)


def seed_of(random_state: Any) -> int:
    """The seed of all stages: a whole number itself, or one drawn from a RandomState, or afresh for None.

    Raises:
        InputError: it is none of these.
    """
    if isinstance(random_state, bool | np.bool_):
        raise InputError(
            f"random_state={random_state}", "a whole number, a RandomState or None", "correct random_state"
        )
    if not isinstance(random_state, Integral):
        with three_parts("a whole number, a RandomState or None", "correct random_state"):
            return int(check_random_state(random_state).randint(LARGEST_SEED))
    seed = int(random_state)
    if not 0 <= seed <= LARGEST_SEED:
        raise InputError(f"random_state={seed}", f"from 0 to {LARGEST_SEED}", "give another seed")
    return seed


def usable_device(device: Any) -> torch.device:
    """The device of that name.

    Raises:
        InputError: it is no name of a device.
        UsageError: there is no such device.
    """
    if not isinstance(device, str | torch.device):
        raise InputError(f"device={device!r}", "auto, cpu, cuda or cuda:<number>", "choose one of them")
    return choose_device(str(device))


def _settings(config: type[Settings], parameters: Mapping[str, Any]) -> Settings:
    values: dict[str, Any] = {}
    for field in dataclasses.fields(config):
        name = parameter_name(config, field.name)
        if name in parameters:
            values[field.name] = _checked(name, parameters[name], field)
    return config(**values)


def _checked(name: str, value: Any, field: dataclasses.Field[Any]) -> Any:
    """The value as plain int, float, bool or str, once it is known to be one that the field allows."""
    about = field.metadata
    if about["choices"] is not None:
        if not (isinstance(value, str) and value in about["choices"]):
            raise InputError(f"{name}={value!r}", f"one of {', '.join(about['choices'])}", "choose one of them")
        return str(value)
    kind: Any = type(field.default)
    if kind is bool:
        if not isinstance(value, bool | np.bool_ | Integral) or value not in (0, 1):
            raise InputError(f"{name}={value!r}", "True or False", f"{about['help']}: choose one")
        return bool(value)
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if kind is int and not whole:
        raise InputError(f"{name}={value!r}", "a whole number", f"{about['help']}: give one")
    if not (whole or (isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value))):
        raise InputError(f"{name}={value!r}", "a finite number", f"{about['help']}: give one")
    low, high = about["low"], about["high"]
    if low is not None and value < low:
        raise InputError(f"{name}={value}", f"at least {low:g}", f"{about['help']}: raise it")
    if high is not None and value > high:
        raise InputError(f"{name}={value}", f"at most {high:g}", f"{about['help']}: lower it")
    return kind(value)


def _check_sizes(adapter: AdapterConfig, program: AssignConfig, auto: bool) -> None:
    """Refuse what no data could make feasible."""
    if adapter.n_layers < 1:
        raise InputError(f"n_layers={adapter.n_layers}", "at least 1", "give the adapter a layer to select from")
    if program.n_features > adapter.width:
        raise InputError(
            f"n_features={program.n_features} is above width={adapter.width}",
            "n_features <= width, since the features are selected from the adapter's outputs",
            'raise width, lower n_features, or set n_features="auto"',
        )
    if program.features_per_class > program.n_features:
        most = f"width={adapter.width}" if auto else f"n_features={program.n_features}"
        raise InputError(
            f"features_per_class={program.features_per_class} is above {most}",
            "features_per_class <= n_features <= width",
            f"lower features_per_class or raise {most.partition('=')[0]}",
        )


def _check_program(dense: DenseConfig, program: AssignConfig) -> None:
    """Refuse a program on images that are not there, and pairs that a random assignment has not."""
    if program.on == "held_out" and dense.held_out == 0.0:
        raise InputError(
            "assign_on='held_out' with dense_held_out=0",
            "images that the dense stage is not trained on",
            "set dense_held_out, for example to 0.2, or assign_on='train'",
        )
    if program.forced_pairs and program.control == "random":
        raise InputError(
            f"forced_pairs={program.forced_pairs} with control='random'",
            "class pairs forced by the program: a random assignment has none",
            "set forced_pairs=0, or control='none'",
        )
