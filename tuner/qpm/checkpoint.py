"""A training run on disk after each epoch: one safetensors file, replaced atomically, for bit-exact resumption.

Weights are saved as training has them (at y), with the optimiser's z and second moments and its counters.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.optim import Optimizer

from tuner.base.untrusted import MalformedError, Shape, parse_json, tensor_table
from tuner.errors import UsageError
from tuner.qpm.storage import CODES, read_state, table_of, write_tensors

Curves = list[dict[str, float]]
OF_MODEL = "model."


class CheckpointError(UsageError):
    """A file that does not belong to the run, or is damaged; without it, the run starts afresh."""


def fingerprint(model: nn.Module) -> str:
    """A hash of all weights and buffers: tells whether two runs began from the very same model."""
    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


@dataclass(frozen=True)
class Checkpoint:
    """The saved state of one training run.

    Args:
        path: the file.
        origin: what run it is: stage, seed, settings, fingerprint of the starting weights; JSON.
        moments: what the optimiser keeps of each parameter; the default is that of schedule-free AdamW.
        counters: what it counts.
    """

    path: Path
    origin: dict[str, Any]
    moments: tuple[str, ...] = ("z", "exp_avg_sq")
    counters: tuple[str, ...] = ("k", "weight_sum", "lr_max", "scheduled_lr", "train_mode")

    def save(self, model: nn.Module, optimizer: Optimizer, curves: Curves) -> None:
        """Write the state after `len(curves)` epochs."""
        group = optimizer.param_groups[0]
        tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
        for i, parameter in enumerate(group["params"]):
            state = optimizer.state[parameter]
            tensors |= {f"{name}.{i}": state[name] for name in self.moments if name in state}
        counters = {name: group[name] for name in self.counters}
        about = json.dumps({"origin": self.origin, "curves": curves, "counters": counters})
        self.path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.path.with_name(f"{self.path.name}.{os.getpid()}.tmp")
        write_tensors(unfinished, tensors, {"about": about})
        unfinished.replace(self.path)

    def resume(self, model: nn.Module, optimizer: Optimizer) -> Curves:
        """Put model and optimiser back to where the file left them; its curves tell the epoch.

        Returns no curves, and changes nothing, where there is no file yet.

        Raises:
            CheckpointError: the file is of another run, or cannot be read.
        """
        if not self.path.is_file():
            return []
        about = self._about()
        if about["origin"] != self.origin:
            differing = [key for key in self.origin if about["origin"].get(key) != self.origin[key]]
            raise CheckpointError(
                f"{self.path} is the checkpoint of another run: {', '.join(differing)} differ",
                "the same stage, settings, seed, data and starting weights",
                "use another checkpoint file, or delete this one to start afresh",
            )
        group = optimizer.param_groups[0]
        expected = {f"{OF_MODEL}{name}": entry for name, entry in table_of(model).items()}
        for i, parameter in enumerate(group["params"]):
            moment = (CODES[parameter.dtype], tuple(parameter.shape))
            expected |= {f"{name}.{i}": moment for name in self.moments}
        tensors = self._tensors(expected)
        model.load_state_dict({k.removeprefix(OF_MODEL): v for k, v in tensors.items() if k.startswith(OF_MODEL)})
        for i, parameter in enumerate(group["params"]):
            for name in self.moments:
                optimizer.state[parameter][name] = tensors[f"{name}.{i}"].to(parameter.device)
        group.update(about["counters"])
        curves: Curves = about["curves"]
        return curves

    def _about(self) -> dict[str, Any]:
        try:
            tensor_table(self.path)
            with safe_open(self.path, framework="pt") as file:
                about = parse_json(file.metadata()["about"], self.path)
            counters, curves = about["counters"], about["curves"]
            numbers = [value for row in curves for value in row.values()] + list(counters.values())
            sound = isinstance(about["origin"], dict) and counters.keys() == set(self.counters) and len(curves) > 0
            if not (sound and all(isinstance(value, int | float) for value in numbers)):
                raise ValueError("its counters or curves are not those of a run")
            return about
        except (MalformedError, OSError, SafetensorError, AttributeError, KeyError, TypeError, ValueError) as error:
            raise self._unusable(error) from error

    def _tensors(self, expected: Mapping[str, tuple[str, Shape]]) -> dict[str, Tensor]:
        """Those of the file; an epoch without a step has left no moments."""
        try:
            return read_state(self.path, expected)
        except MalformedError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> CheckpointError:
        reason = (
            error.what.removeprefix(f"{self.path} cannot be used: ")
            if isinstance(error, MalformedError)
            else str(error)
        )
        return CheckpointError(
            f"{self.path} cannot be read: {reason}", "a checkpoint written by this stage", "delete it to start afresh"
        )
