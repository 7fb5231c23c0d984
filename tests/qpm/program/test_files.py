"""A problem in a file is the same problem; any other file is refused in three parts, soon and without running it."""

import io
import pickle
import time
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.qpm.program.brute import KINDS, random_problem
from tuner.base.untrusted import MalformedError
from tuner.errors import UsageError
from tuner.qpm.program import Problem, load, save, solve
from tuner.qpm.program.instance import files


def assert_same(a: Problem, b: Problem) -> None:
    assert np.array_equal(a.relevance, b.relevance)
    assert all(map(np.array_equal, a.pairs, b.pairs))
    assert (a.bias is None) == (b.bias is None)
    assert np.array_equal(a.linear, b.linear)
    assert (a.n_features, a.features_per_class, a.weight) == (b.n_features, b.features_per_class, b.weight)
    assert (a.forced is None) == (b.forced is None)
    if a.forced is not None and b.forced is not None:
        assert all(map(np.array_equal, a.forced, b.forced))


@pytest.mark.parametrize("kind", KINDS)
def test_written_and_read_it_is_the_same(kind: str, tmp_path: Path) -> None:
    problem = random_problem(kind, 0)
    save(problem, tmp_path / "problem.npz")
    again = load(str(tmp_path / "problem.npz"))
    assert_same(problem, again)
    assert solve(problem).objective == solve(again).objective
    assert [path.name for path in tmp_path.iterdir()] == ["problem.npz"]


def test_all_parts_are_kept(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    problem = Problem(rng.random((9, 4)), ([0], [1], [2.0]), rng.random(9), 5, 2, ([0, 1], [2, 3]), 3.5)
    for name in ("plain", "again.npz"):  # as named, whatever the ending; and over what is there
        save(random_problem("plain", 1), tmp_path / name)
        save(problem, tmp_path / name)
        assert_same(problem, load(tmp_path / name))


class Harmful:
    """Says so when it is unpickled."""

    ran = False

    def __reduce__(self) -> Any:
        return setattr, (Harmful, "ran", True)


def write(path: Path, change: dict[str, Any]) -> None:
    """A file whose arrays are those of a small problem, but for some; None leaves one out."""
    save(random_problem("plain", 0), path)
    with np.load(path) as data:
        arrays = {name: data[name] for name in data.files} | change
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})


CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "an array is missing": ({"relevance": None}, "no relevance"),
    "another format": ({"format": np.int64(2)}, "format 2"),
    "an unknown array": ({"other": np.zeros(3)}, "other.npy"),
    "another shape": ({"relevance": np.zeros(3)}, "(3,)"),
    "not finite": ({"relevance": np.full((6, 2), np.nan)}, "nan"),
    "complex": ({"relevance": np.zeros((6, 2), dtype=complex)}, "complex"),
    "objects": ({"relevance": np.array([[Harmful()]])}, "object"),
    "impossible sizes": ({"n_features": np.int64(10**9)}, "candidates"),
    "no whole number": ({"n_features": np.float64(3.0)}, "float64"),
    "an index outside": ({"pair_i": np.array([10**9]), "pair_j": np.array([1]), "pair_penalty": np.ones(1)}, "index"),
    "half a pair": ({"forced_c": np.array([0])}, "one side"),
    "a weight below 0": ({"weight": np.float64(-1.0)}, "weight"),
    "a short bias": ({"bias": np.zeros(1)}, "bias"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_arrays_that_are_no_problem_are_refused(change: str, tmp_path: Path) -> None:
    arrays, words = CHANGES[change]
    write(tmp_path / "file.npz", arrays)
    refused(tmp_path / "file.npz", words)
    assert not Harmful.ran


def refused(path: Path, words: str = "") -> None:
    with pytest.raises(MalformedError) as caught:
        load(path)
    assert words in str(caught.value)
    assert str(path) in caught.value.what
    assert all(caught.value.args)


def test_other_files_are_refused(tmp_path: Path) -> None:
    refused(tmp_path / "missing.npz", "missing")
    refused(tmp_path)
    path = tmp_path / "file.npz"
    for content in (b"", b"PK", b"hello", pickle.dumps(Harmful()), np.arange(3).tobytes()):
        path.write_bytes(content)
        refused(path)
    np.save(tmp_path / "array.npy", np.zeros(3))
    refused(tmp_path / "array.npy")
    assert not Harmful.ran


def npz(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def members(path: Path) -> dict[str, bytes]:
    save(random_problem("plain", 0), path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def header(shape: tuple[int, ...]) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return stream.getvalue()


def test_what_would_fill_the_memory_is_refused_before_it_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, whole = tmp_path / "file.npz", members(tmp_path / "good.npz")
    path.write_bytes(npz(whole | {"relevance.npy": header((10**7, 10**7))}))
    refused(path, "0 bytes")
    path.write_bytes(npz(whole | {"relevance.npy": header((6, 2)) + b"\0" * 10**6}))
    refused(path, "bytes")
    monkeypatch.setattr(files, "LARGEST_BYTES", 10**6)
    path.write_bytes(npz(whole | {"relevance.npy": header((200_000, 1)) + b"\0" * 1_600_000}))
    begin = time.process_time()
    refused(path, "unpacks to")
    assert time.process_time() - begin < 1
    with pytest.raises(UsageError, match="bytes"):
        save(Problem(np.random.default_rng(0).random((1000, 130)), NO_PAIRS, None, 20, 5), tmp_path / "large.npz")
    assert not (tmp_path / "large.npz").exists()


NO_PAIRS = (np.zeros(0, int), np.zeros(0, int), np.zeros(0))


def test_a_file_with_a_broken_byte_is_refused_or_the_same(tmp_path: Path) -> None:
    path, draw = tmp_path / "file.npz", np.random.default_rng(0)
    save(random_problem("plain", 0), path)
    good, problem = path.read_bytes(), load(path)
    for _ in range(300):
        broken = bytearray(good)
        broken[int(draw.integers(len(good)))] ^= 1 << int(draw.integers(8))
        if draw.random() < 0.2:
            broken = broken[: int(draw.integers(len(good)))]
        path.write_bytes(bytes(broken))
        try:
            again = load(path)
        except MalformedError as error:
            assert all(error.args)  # noqa: PT017  both outcomes are right
        else:
            assert_same(problem, again)


def test_no_file_is_left_behind_when_writing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(random_problem("plain", 0), tmp_path / "file.npz")
    before = (tmp_path / "file.npz").read_bytes()

    def full(*args: Any, **arrays: Any) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(OSError, match="no space"):
        save(replace(random_problem("plain", 0), weight=2.0), tmp_path / "file.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["file.npz"]
    assert (tmp_path / "file.npz").read_bytes() == before
