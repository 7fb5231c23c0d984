"""Tokens on the disk: they train the model that tokens in memory train, within a memory limit that they exceed."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tuner.base.untrusted import MalformedError
from tuner.features import samples as samples_module
from tuner.features.bank import FeatureBank
from tuner.features.feeding import gathered, in_order
from tuner.features.reading import FileRows, ReadsInto
from tuner.features.sharded_rows import ShardedRows, direct
from tuner.features.stored_tokens import StoredTokens
from tuner.qpm import AdapterConfig, DenseConfig, dense_features, evaluate, train_dense, train_linear_probe

GRID, DIM, N, N_CLASSES = (3, 4), 6, 60, 4


class Watched:
    """Rows that cannot be read otherwise than by indexing; the most images that were asked for at once are counted."""

    def __init__(self, values: np.ndarray) -> None:
        self.values, self.dtype, self.shape, self.nbytes = values, values.dtype, values.shape, values.nbytes
        self.most = 0

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index) -> np.ndarray:
        rows = np.arange(len(self))[index]
        self.most = max(self.most, len(rows))
        return self.values[rows]


def _mapped(file: Path, values: np.ndarray) -> np.ndarray:
    np.save(file, values)
    return np.lib.format.open_memmap(file, "r")


def write_patches(folder: Path, n: int, n_patches: int, dim: int) -> np.ndarray:
    """Each class lights up its own pattern."""
    draw = np.random.default_rng(0)
    noise = draw.standard_normal((1000, n_patches, dim), np.float32)
    patches = np.lib.format.open_memmap(folder / "patches.npy", "w+", np.float16, (n, n_patches, dim))
    patterns = draw.normal(size=(N_CLASSES, 1, dim)).astype(np.float32)
    for start in range(0, n, 1000):
        part = slice(start, min(start + 1000, n))
        own = noise[draw.permutation(1000)[: part.stop - start]]
        patches[part] = 0.5 * own + patterns[np.arange(n)[part] * N_CLASSES // n]
    patches.flush()
    return np.asarray(patches)


def open_tokens(folder: Path, grid: tuple[int, int] = GRID) -> FeatureBank:
    """A bank of the patches in a folder."""
    patches = np.lib.format.open_memmap(folder / "patches.npy", "r")
    n = len(patches)
    return FeatureBank(
        patches=patches,
        cls=np.array(patches[:, 0]),
        labels=np.arange(n) * N_CLASSES // n,
        is_train=np.arange(n) % 5 > 0,
        masks=np.full((n, *grid), 255, np.uint8),
        has_mask=np.ones(n, np.bool_),
        grid=grid,
        class_names=tuple("abcd"),
        paths=tuple(map(str, range(n))),
        class_attributes=None,
        image_attributes=None,
        key="",
        folder=folder,
    )


@pytest.fixture
def bank(tmp_path: Path) -> FeatureBank:
    write_patches(tmp_path, N, GRID[0] * GRID[1], DIM)
    return open_tokens(tmp_path)


@pytest.mark.parametrize("kind", ["file", "files", "arrays", "other", "map"])
def test_what_is_read_is_what_is_there(bank: FeatureBank, kind: str) -> None:
    whole = np.asarray(bank.patches)
    shards = [whole[:7], whole[7:40], whole[40:]]
    files = [_mapped(bank.folder / f"{i}.npy", shard) for i, shard in enumerate(shards)]
    rows = {
        "file": bank.patches,
        "files": ShardedRows(files),
        "arrays": ShardedRows(shards),
        "other": Watched(whole),
        "map": bank.patches[3:],
    }[kind]
    tokens = StoredTokens.of(rows, np.array([5, 6, 7, 50, 8, 5, 0]), "here")
    parts = getattr(tokens.rows, "parts", [tokens.rows])
    assert all(isinstance(part, FileRows) for part in parts) == kind.startswith("file")
    assert (isinstance(tokens.rows, ReadsInto) and tokens.rows.by_token() is not None) == kind.startswith("file")
    expected = torch.from_numpy(np.array(rows[:]))[tokens.index]
    assert torch.equal(tokens.to("cpu"), expected)
    assert torch.equal(tokens[1:5], expected[1:5])
    assert torch.equal(tokens[-1], expected[-1])
    assert torch.equal(tokens[torch.tensor([3, 0])], expected[[3, 0]])
    assert torch.equal(tokens[torch.tensor([3, 0]), torch.tensor([2, 11])], expected[[3, 0], [2, 11]])
    pairs = torch.tensor([[3, 0], [6, 6]]), torch.tensor([[2, 11], [0, 1]])
    assert torch.equal(tokens[pairs], expected[pairs])
    assert torch.equal(tokens.only(torch.tensor([True, *[False] * 5, True])).to("cpu"), expected[[0, 6]])
    assert (tokens.shape, tokens.nbytes, tokens.dtype) == (expected.shape, expected.nbytes, torch.float16)


def test_a_file_that_is_removed_or_shortened(bank: FeatureBank) -> None:
    rows = direct(bank.patches)
    expected = np.array(bank.patches)
    file = bank.folder / "patches.npy"
    os.truncate(file, file.stat().st_size - 10)
    with pytest.raises(MalformedError, match="shorter"):
        rows[:]
    np.save(bank.folder / "other.npy", 1 - expected)
    (bank.folder / "other.npy").replace(file)
    assert np.array_equal(rows[:-1], expected[:-1])
    file.unlink()
    assert np.array_equal(rows[:-1], expected[:-1])
    assert np.array_equal(rows.by_token()[5:50], expected.reshape(-1, DIM)[5:50])


def test_a_token_that_is_no_number_is_refused_where_it_is_read(bank: FeatureBank) -> None:
    whole = np.array(bank.patches)
    whole[33, 2, 1] = np.nan
    np.save(bank.folder / "patches.npy", whole)
    broken = open_tokens(bank.folder)
    everything = np.arange(N)
    on_disk = broken.samples(everything, room_bytes=0)
    assert torch.isfinite(on_disk.patches[:33]).all()
    for read in (
        lambda: on_disk.patches[30:40],
        lambda: broken.samples(everything),
        lambda: list(in_order(on_disk, 9)),
    ):
        with pytest.raises(MalformedError, match="not finite"):
            read()
    cls = np.array(bank.cls)
    cls[5, 3] = np.inf
    for room in (0, None):
        with pytest.raises(MalformedError, match="not finite"):
            replace(bank, cls=cls).samples(everything, room_bytes=room)


def test_where_there_is_no_room_tokens_stay_on_the_disk(bank: FeatureBank, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = np.arange(N)
    assert isinstance(bank.samples(everything).patches, torch.Tensor)
    monkeypatch.setattr(samples_module, "available_bytes", lambda: 3.9 * bank.patches.nbytes)
    on_disk = bank.samples(everything)
    assert isinstance(on_disk.patches, StoredTokens)
    assert on_disk.streamed
    assert on_disk.near(torch.device("cpu")).patches is on_disk.patches
    far = torch.device("meta")
    monkeypatch.setattr(samples_module, "room_bytes", lambda device: 0)
    assert on_disk.near(far).patches is on_disk.patches
    monkeypatch.setattr(samples_module, "room_bytes", lambda device: on_disk.token_bytes)
    assert on_disk.near(far).patches.device == far
    monkeypatch.setattr(samples_module, "available_bytes", lambda: 4.1 * bank.patches.nbytes)
    assert isinstance(bank.samples(everything).patches, torch.Tensor)


@pytest.mark.parametrize("block_bytes", [1, 2000, 10**9])
def test_batches_off_the_disk_are_the_resident_ones(bank: FeatureBank, block_bytes: int) -> None:
    on_disk, resident = (bank.samples(bank.is_train, room_bytes=room) for room in (0, 10**9))
    watched = Watched(np.asarray(bank.patches))
    of_watched = replace(bank, patches=watched).samples(bank.is_train, room_bytes=0)
    index = torch.randperm(48, generator=torch.Generator().manual_seed(1))[:40]
    for samples in (on_disk, of_watched):
        found, expected = gathered(samples, index, 7, block_bytes), gathered(resident, index, 7)
        for batch, same in zip(found, expected, strict=True):
            assert all(torch.equal(part, other) for part, other in zip(batch, same, strict=True))
    assert watched.most < 48 or block_bytes == 10**9


@pytest.mark.slow
def test_a_model_of_tokens_on_the_disk_is_the_same_model_and_reads_no_more_than_a_block_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuner.features.feeding.BLOCK_BYTES", 1500)
    write_patches(tmp_path, 600, GRID[0] * GRID[1], DIM)
    bank = open_tokens(tmp_path)
    watched = Watched(np.asarray(bank.patches))
    config = DenseConfig(epochs=2, batch_size=10, precision="float32", held_out=0.2)
    found = []
    for room, rows in ((0, watched), (10**9, bank.patches)):
        train, held_out = (
            replace(bank, patches=rows).samples(side, room_bytes=room) for side in (bank.is_train, ~bank.is_train)
        )
        model = train_dense(train, AdapterConfig(width=8, hidden=8, n_layers=2), config, seed=1, device="cpu")
        probe = train_linear_probe(train, seed=1, device="cpu")
        values = [evaluate(of, train, held_out, device="cpu") for of in (model, probe)]
        found.append((model.curves, dense_features(model, train, device="cpu").pooled.tobytes(), values))
    assert found[0] == found[1]
    assert "consistency" in found[0][2][0]
    assert watched.most <= 256  # images of 480: one batch of the probe's, or of what a metric looks at


# What a child does: train on a bank with a quarter of its bytes to spare, off the disk and then in memory; and without
# a limit.
CHILD = """
import json, resource, sys
from pathlib import Path
import numpy as np
import torch
from tests.features.test_stored_tokens import open_tokens
from tuner.qpm import AdapterConfig, DenseConfig, train_dense

torch.set_num_threads(1)
bank = open_tokens(Path(sys.argv[1]), (8, 8))
config = DenseConfig(epochs=2, batch_size=64, precision="float32")

def curves(index, room=None):
    samples = bank.samples(index, room_bytes=room)
    return train_dense(samples, AdapterConfig(width=4, hidden=4, n_layers=1), config, seed=1, device="cpu").curves

curves(bank.is_train & (np.arange(len(bank)) % 20 == 1), 0)  # libraries take what they need
lines = Path("/proc/self/status").read_text().splitlines()
(data,) = (int(line.split()[1]) * 1024 for line in lines if line.startswith("VmData"))
_, hard = resource.getrlimit(resource.RLIMIT_DATA)
resource.setrlimit(resource.RLIMIT_DATA, (data + bank.patches.nbytes // 4, hard))
limited = curves(bank.is_train)
try:
    forced = curves(bank.is_train, 10**12)
except (MemoryError, RuntimeError) as error:
    forced = str(error)
resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))
print(json.dumps([limited, forced, curves(bank.is_train, 10**12)]))
"""


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.skipif(sys.platform != "linux", reason="ulimit -d counts as it is read here on Linux only")
def test_a_bank_four_times_the_memory_limit_trains_to_the_same_curve(tmp_path: Path) -> None:
    write_patches(tmp_path, 16_000, 64, 128)  # 262 MB; the limit leaves 66 MB
    command, one = [sys.executable, "-c", CHILD, str(tmp_path)], {"MALLOC_ARENA_MAX": "1"}
    told = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False, env=os.environ | one)
    (tmp_path / "patches.npy").unlink()
    assert told.returncode == 0, told.stderr
    limited, forced, free = json.loads(told.stdout)
    assert len(free) == 2
    assert limited == free
    assert "memory" in forced, "the limit does not bind"
