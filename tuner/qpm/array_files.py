"""Writes arrays and their description as safetensors and JSON, without torch.

What the program reads and writes goes by here, so that a machine that only solves needs no torch.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save


def write_arrays(file: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write a safetensors file; its folder is made if need be."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(save({name: np.asarray(values, order="C") for name, values in arrays.items()}))


def write_about(file: Path, about: dict[str, Any]) -> None:
    """Write a JSON object, its keys sorted; its folder is made if need be."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(about, indent=1, sort_keys=True) + "\n")
