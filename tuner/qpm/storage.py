"""Stores models and assignments as safetensors, JSON and Parquet, which cannot run code.

One folder per object; `name.safetensors`, `name.json` and, where there are curves, `curves.parquet`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from safetensors.torch import save
from torch import Tensor, nn

from tuner.base.untrusted import Shape, read_tensors
from tuner.qpm.array_files import write_about
from tuner.qpm.curves import CURVES

CODES = {torch.float32: "F32", torch.float64: "F64", torch.int64: "I64", torch.bool: "BOOL"}


def write_folder(
    folder: Path,
    name: str,
    tensors: Mapping[str, Tensor],
    about: dict[str, Any],
    curves: list[dict[str, float]],
) -> None:
    """Write one object into `folder`, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    write_tensors(folder / f"{name}.safetensors", tensors)
    write_about(folder / f"{name}.json", about)
    write_curves(folder, curves)


def write_curves(folder: Path, curves: Sequence[Mapping[str, float]]) -> None:
    """Write learning curves into a folder; no file for none."""
    if curves:
        columns = dict.fromkeys(name for row in curves for name in row)
        table = {name: [row.get(name) for row in curves] for name in columns}
        pq.write_table(pa.table(table), folder / CURVES)


def write_tensors(file: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """Write a safetensors file; unlike its own `save_file`, a full disk is an OSError and the umask is heeded."""
    file.write_bytes(save({key: value.contiguous().cpu() for key, value in tensors.items()}, metadata))


def table_of(module: nn.Module) -> dict[str, tuple[str, Shape]]:
    """What `read_tensors` expects of the file of a module's state; the module may be on the meta device."""
    return {name: (CODES[value.dtype], tuple(value.shape)) for name, value in module.state_dict().items()}


def read_state(file: Path, expected: Mapping[str, tuple[str, Shape]]) -> dict[str, Tensor]:
    """Exactly these tensors, as `untrusted.read_tensors` has them."""
    return {name: torch.from_numpy(values) for name, values in read_tensors(file, expected).items()}
