"""Everything that can be wrong with a folder of JSON, safetensors, NumPy and Parquet files, one change at a time."""

import json
import os
import random
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

SECONDS = 30.0  # no file, however odd, may keep a reader longer; generous, since other tests run beside
ODD: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    2**31,
    10**18,
    10**400,
    0.5,
    float("nan"),
    float("-inf"),
    "",
    "x",
    "../../../../etc/passwd",
    "/dev/zero",
    "facebook/dinov2-base",
    "hf_hub:evil/model",
    "http://127.0.0.1:9/model",
    "\x1b[31m\u202e<script>alert(1)</script>",
    "n" * 100_000,
    [],
    {},
    [[[]]],
    {"a": {"a": 1}},
)


@dataclass(frozen=True)
class Mutation:
    """One change to a folder."""

    label: str
    apply: Callable[[Path], object]


def mutations(folder: Path, seed: int = 0) -> Iterator[Mutation]:
    """Changes to each file of a folder, as bytes, as a place on the disk, and by what it holds."""
    draw = random.Random(seed)
    files = sorted(path for path in folder.iterdir() if path.is_file())
    for path in files:
        yield from _of_bytes(path, draw)
        yield from _of_place(path.name)
        others = [other for other in files if other != path]
        for other in others:
            yield Mutation(f"{path.name}: is {other.name}", _copied(other.name, path.name))
        if path.suffix == ".json":
            yield from _of_json(path)
        if path.suffix == ".safetensors":
            yield from _of_tensors(path)
        if path.suffix == ".npy":
            yield from _of_array(path)


def _of_bytes(path: Path, draw: random.Random) -> Iterator[Mutation]:
    name, data = path.name, path.read_bytes()
    contents = {
        "empty": b"",
        "one byte": data[:1],
        "half": data[: len(data) // 2],
        "all but a byte": data[:-1],
        "twice": data * 2,
        "a byte too many": data + b"\0",
        "zeros": bytes(len(data)),
        "zip": b"PK\x03\x04" + data,
        "pickle": b"\x80\x04cos\nsystem\n(S'false'\ntR.",
        "endless header": (2**62).to_bytes(8, "little") + data[8:],
        "deep list": b"[" * 200_000,
        "deep object": b'{"a":' * 200_000,
        "long number": b"1" * 100_000,
        "markup": b"<html><script>alert(1)</script>",
    }
    for what, content in contents.items():
        yield Mutation(f"{name}: {what}", _written(name, content))
    for _ in range(6):
        at, bit = draw.randrange(min(len(data), 2000)), draw.randrange(8)
        flipped = data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]
        yield Mutation(f"{name}: bit {bit} of byte {at}", _written(name, flipped))
    for _ in range(2):
        at, bit = draw.randrange(len(data)), draw.randrange(8)
        flipped = data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]
        yield Mutation(f"{name}: bit {bit} of byte {at}", _written(name, flipped))


def _of_place(name: str) -> Iterator[Mutation]:
    def without(make: Callable[[Path], object]) -> Callable[[Path], object]:
        def change(folder: Path) -> None:
            (folder / name).unlink()
            make(folder / name)

        return change

    def link_out(path: Path) -> None:
        outside = path.parent.parent / f"outside-{name}"
        outside.write_bytes(b"secret")
        path.symlink_to(outside)

    def moved_out(folder: Path) -> None:
        outside = folder.parent / f"outside-{name}"
        (folder / name).replace(outside)
        (folder / name).symlink_to(outside)

    yield Mutation(f"{name}: missing", lambda folder: (folder / name).unlink())
    yield Mutation(f"{name}: a folder", without(lambda path: path.mkdir()))
    yield Mutation(f"{name}: a pipe", without(os.mkfifo))
    yield Mutation(f"{name}: a link to /dev/zero", without(lambda path: path.symlink_to("/dev/zero")))
    yield Mutation(f"{name}: a link to itself", without(lambda path: path.symlink_to(path)))
    yield Mutation(f"{name}: a link to nothing", without(lambda path: path.symlink_to("nothing")))
    yield Mutation(f"{name}: a link out", without(link_out))
    yield Mutation(f"{name}: itself, by a link out", moved_out)


def _of_json(path: Path) -> Iterator[Mutation]:
    name, document = path.name, json.loads(path.read_text())
    for where, value in _nodes(document):
        at = "/".join(map(str, where))
        for odd in ODD:
            if repr(odd) != repr(value) and (where or not isinstance(odd, type(document))):
                yield Mutation(f"{name}: {at} = {repr(odd)[:40]}", _dumped(name, document, where, odd))
        if isinstance(value, int | float) and not isinstance(value, bool):
            for other in (value + 1, value * 1000, -value - 1):
                yield Mutation(f"{name}: {at} = {other}", _dumped(name, document, where, other))
        if isinstance(value, list) and value:
            for what, odd in {"a shorter": value[:-1], "a longer": [*value, value[-1]], "a nested": [value]}.items():
                yield Mutation(f"{name}: {at}, {what} list", _dumped(name, document, where, odd))
        if isinstance(value, dict):
            for key in value:
                odd = {k: v for k, v in value.items() if k != key}
                yield Mutation(f"{name}: {at} without {key}", _dumped(name, document, where, odd))
            yield Mutation(f"{name}: {at} with more", _dumped(name, document, where, value | {"of_no_use": 1}))
    text = path.read_text()
    for key in document if isinstance(document, dict) else ():
        doubled = text.replace("{", f'{{"{key}": 0,', 1)
        yield Mutation(f"{name}: {key} twice", _written(name, doubled.encode()))
    yield Mutation(f"{name}: UTF-16", _written(name, text.encode("utf-16")))


def _of_tensors(path: Path) -> Iterator[Mutation]:
    name, tensors = path.name, safetensors.numpy.load_file(path)
    for key, values in tensors.items():
        for what, changed in _odd_arrays(values):
            kept = {k: v for k, v in tensors.items() if k != key}
            kept |= {} if changed is None else {key: np.ascontiguousarray(changed)}
            yield Mutation(f"{name}: {key} {what}", _written(name, safetensors.numpy.save(kept)))
        renamed = {f"{k}_" if k == key else k: v for k, v in tensors.items()}
        yield Mutation(f"{name}: {key} by another name", _written(name, safetensors.numpy.save(renamed)))
    more = tensors | {"of_no_use": np.zeros(3, np.float32)}
    yield Mutation(f"{name}: one tensor more", _written(name, safetensors.numpy.save(more)))
    header = {key: {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]} for key in tensors}
    for what, said in {"huge": header, "deep": {"__metadata__": {"a": "b" * 10}}, "none": {}}.items():
        text = json.dumps(said).encode()
        yield Mutation(f"{name}: {what} header", _written(name, len(text).to_bytes(8, "little") + text))


def _of_array(path: Path) -> Iterator[Mutation]:
    values = np.load(path, allow_pickle=False)

    def saved(changed: np.ndarray) -> Callable[[Path], object]:
        return lambda folder: np.save(folder / path.name, changed, allow_pickle=True)

    for what, changed in _odd_arrays(values):
        if changed is not None:
            yield Mutation(f"{path.name}: {what}", saved(changed))
    yield Mutation(f"{path.name}: objects", saved(np.array([{"a": 1}] * len(values), dtype=object)))


def _odd_arrays(values: np.ndarray) -> Iterator[tuple[str, np.ndarray | None]]:
    yield "missing", None
    yield "of no length", values[:0] if values.ndim else np.zeros(0, values.dtype)
    yield "as text", np.full(values.shape, 7, dtype=np.uint8)
    yield "doubled in width", values.astype(np.float64) if values.dtype != np.float64 else values.astype(np.float32)
    yield "in another shape", values.reshape(-1, 1) if values.ndim != 2 else values.reshape(-1)
    if values.ndim:
        yield "longer", np.concatenate([values, values[-1:]])
        yield "shorter", values[:-1]
        if values.ndim > 1:
            yield "turned", np.swapaxes(values, 0, 1)
    if values.dtype.kind == "f":
        odd = {"nan": np.nan, "inf": np.inf, "huge": np.finfo(values.dtype).max / 2, "negative": -1.0, "zero": 0.0}
    elif values.dtype.kind == "b":
        odd = {"all": True, "none": False}
        yield "no truth", np.full(values.shape, 255, np.uint8).view(np.bool_)
    else:
        least = int(np.iinfo(values.dtype).min)
        odd = {"negative": max(least, -1), "large": np.iinfo(values.dtype).max, "the same": 0}
    for what, value in odd.items():
        yield what, np.full_like(values, value)
        one = values.copy()
        one.reshape(-1)[-1:] = value
        yield f"{what} at one place", one


def _nodes(document: Any, where: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every part of a document with its place; of long lists the first three."""
    yield where, document
    items = (
        document.items()
        if isinstance(document, dict)
        else enumerate(document[:3])
        if isinstance(document, list)
        else ()
    )
    for key, value in items:
        yield from _nodes(value, (*where, key))


def _dumped(name: str, document: Any, where: tuple[Any, ...], value: Any) -> Callable[[Path], object]:
    def put(part: Any, rest: tuple[Any, ...]) -> Any:
        if not rest:
            return value
        changed = dict(part) if isinstance(part, dict) else list(part)
        changed[rest[0]] = put(changed[rest[0]], rest[1:])
        return changed

    return lambda folder: (folder / name).write_bytes(json.dumps(put(document, where)).encode())


def _written(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(content)


def _copied(source: str, name: str) -> Callable[[Path], object]:
    return lambda folder: shutil.copyfile(folder / source, folder / name)


def changed(folder: Path, mutation: Mutation, root: Path) -> Path:
    """A copy of the folder in `root`, with the change."""
    copy = root / "copy"
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(folder, copy)
    mutation.apply(copy)
    return copy


def attempt(work: Callable[[], Any], seconds: float = SECONDS) -> Any:
    """What work returns, or the error it raised; a `TimeoutError` for work that does not end."""
    ended: list[Any] = []

    def run() -> None:
        try:
            ended.append(work())
        except BaseException as error:
            ended.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    return ended[0] if ended else TimeoutError(f"not ended after {seconds} s")
