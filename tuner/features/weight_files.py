"""Reads weights that other projects published, as .safetensors or .pth files."""

from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from tuner.errors import TunerError


def read_weights(file: Path, todo: str) -> dict[str, Tensor]:
    """Finite float32 tensors of a file by name; nothing in it is executed.

    Raises:
        TunerError: it is damaged, of another kind, or a weight is not finite; `todo` says what to do.
    """
    try:
        if file.suffix == ".safetensors":
            found = safetensors.torch.load_file(file)
        else:
            found = torch.load(file, map_location="cpu", weights_only=True)
        state = {str(name): value.float() for name, value in found.items()}
        if not all(bool(torch.isfinite(value).all()) for value in state.values()):
            raise ValueError("some weights are not finite")
        return state
    except Exception as error:  # the two readers raise a dozen types for a damaged file
        raise TunerError(f"{file} cannot be read as weights: {error}", "a .safetensors or .pth file", todo) from error
