"""Chooses the device of a computation: the named one, or a GPU if available."""

import torch

from tuner.errors import UsageError


def choose_device(name: str) -> torch.device:
    """The device of that name; `auto` is a GPU where there is one.

    Raises:
        UsageError: there is no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"device={name}", "auto, cpu, cuda or cuda:<number>", "choose one of them") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        n_gpus = torch.cuda.device_count()
        raise UsageError(f"device={name}, but this machine has {n_gpus} GPUs", "an existing device", "use auto")
    return device
