"""Reads weights that other projects published, as .safetensors or .pth files."""

from collections.abc import Sequence
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from tuner.errors import TunerError


def read_weights(file: Path, todo: str, nested: Sequence[str] = ()) -> dict[str, Tensor]:
    """Finite float32 tensors of a file by name; nothing in it is executed.

    Args:
        file: .safetensors, or one that `torch.load` reads.
        todo: what to do where it fails.
        nested: where the tensors may lie in a checkpoint, the first that is there.

    Raises:
        TunerError: it is damaged, of another kind, or a weight is not finite; `todo` says what to do.
    """
    try:
        if file.suffix == ".safetensors":
            found = safetensors.torch.load_file(file)
        else:
            found = torch.load(file, map_location="cpu", weights_only=True)
            found = next((found[name] for name in nested if isinstance(found.get(name), dict)), found)
        state = {str(name): value.float() for name, value in found.items()}
        if not all(bool(torch.isfinite(value).all()) for value in state.values()):
            raise ValueError("some weights are not finite")
        return state
    except Exception as error:  # the two readers raise a dozen types for a damaged file
        raise TunerError(f"{file} cannot be read as weights: {error}", "a .safetensors or .pth file", todo) from error
