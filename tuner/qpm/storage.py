"""How models and assignments lie on disk: safetensors, JSON and Parquet, nothing that can run code.

One folder an object; `name.safetensors`, `name.json` and, where there are curves, `curves.parquet`.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from tuner.errors import TunerError


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
    (folder / f"{name}.json").write_text(json.dumps(about, indent=1, sort_keys=True) + "\n")
    if curves:
        pq.write_table(pa.Table.from_pylist(curves), folder / "curves.parquet")


def write_tensors(file: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """Write a safetensors file; unlike its own `save_file`, a full disk is an OSError and the umask is heeded."""
    file.write_bytes(save({key: value.contiguous().cpu() for key, value in tensors.items()}, metadata))


def read_folder(folder: Path, name: str) -> tuple[dict[str, Tensor], dict[str, Any], list[dict[str, float]]]:
    """Tensors, JSON and curves as `write_folder` left them.

    Raises:
        TunerError: a file is missing or damaged.
    """
    missing = [f for f in (f"{name}.safetensors", f"{name}.json") if not (folder / f).is_file()]
    if missing:
        raise TunerError(
            f"{folder} has no {' and no '.join(missing)}",
            f"a folder written by save, with {name}.safetensors and {name}.json",
            "check the path, or make the artifact again",
        )
    curves = folder / "curves.parquet"
    with whole(folder, name):
        rows = pq.read_table(curves).to_pylist() if curves.is_file() else []
        return load_file(folder / f"{name}.safetensors"), json.loads((folder / f"{name}.json").read_text()), rows


@contextmanager
def whole(folder: Path, name: str) -> Iterator[None]:
    """Whatever goes wrong inside means that files of `folder` are damaged, or of something else.

    Raises:
        TunerError: in place of the error, which it names.
    """
    try:
        yield
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError, SafetensorError) as error:
        said = " ".join(str(error).split())
        raise TunerError(
            f"{folder} holds no {name} that can be used ({type(error).__name__}: {said[:200]})",
            f"the files of one {name}, complete and as they were written",
            "check the path, or make the artifact again",
        ) from error
