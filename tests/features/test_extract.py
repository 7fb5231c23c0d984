"""Extraction: what is in the bank, what its key depends on, and what happens when things break."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.packages import optional
from tuner.data.load import load_dataset
from tuner.data.settings import DataConfig
from tuner.errors import TunerError, UsageError
from tuner.features import plan, register_backbone
from tuner.features.backbone import Pretrained, Tokens
from tuner.features.bank import load_bank
from tuner.features.device import choose_device
from tuner.features.extract import JOURNAL, Alone, BankSource, bank_key, extract_bank
from tuner.features.kinds import BACKBONES
from tuner.features.pieces import Extractor
from tuner.features.settings import BackboneConfig, BackboneSettings
from tuner.features.sharded_rows import ShardedRows
from tuner.features.shelf import FolderShelf

SMALL = BackboneConfig(n_atoms=12, patch_size=8, grid=4, image_size=16, batch_size=64)


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def _patches(folder: Path) -> Path:
    """The tokens of the first shard."""
    return sorted(folder.glob("shards/*/patches.npy"))[0]


def test_the_bank_holds_what_the_backbone_says(photos: DataConfig, tmp_path: Path) -> None:
    config = replace(SMALL, batch_size=6)
    seen: list[tuple[int, int]] = []
    bank = extract_bank(photos, config, tmp_path / "bank", progress=lambda done, n: seen.append((done, n)))
    data = load_dataset(photos)
    assert seen == [(6, 24), (12, 24), (18, 24), (24, 24)]
    assert bank.patches.shape == (24, 16, 12)
    assert isinstance(bank.patches, np.memmap)
    assert bank.patches.dtype == np.float16
    assert bank.cls is None
    assert bank.masks is not None
    assert bank.masks.shape == (24, 4, 4)
    assert bank.has_mask.sum() == 12
    assert not bank.masks[~bank.has_mask].any()
    assert bank.paths == data.paths
    assert bank.class_names == ("china", "flower")
    assert np.array_equal(bank.labels, data.labels)
    assert np.array_equal(bank.is_train, data.is_train)
    assert bank.key == bank_key(photos, config)
    assert (len(bank), bank.dim, bank.grid) == (24, 12, (4, 4))
    assert len(np.unique(bank.patches.reshape(24, -1), axis=0)) == 24


def test_what_was_seen_of_the_data_is_told_once_and_kept(photos: DataConfig, tmp_path: Path) -> None:
    said: list[str] = []
    bank = extract_bank(photos, SMALL, tmp_path / "bank", note=said.append)
    assert any(sentence.startswith("12 of 24 images have a mask, mean share ") for sentence in said)
    kept = json.loads((bank.folder / "bank.json").read_text())
    assert (kept["notes"], kept["format"]) == (said, 2)
    extract_bank(photos, SMALL, tmp_path / "bank", note=said.append)
    assert kept["notes"] == said


def test_samples_of_a_bank(photos: DataConfig, tmp_path: Path) -> None:
    bank = extract_bank(photos, SMALL, tmp_path / "bank")
    by_mask, by_index = bank.samples(bank.is_train), bank.samples(np.array([4, 2]))
    assert len(by_mask) == bank.is_train.sum()
    assert by_index.labels.tolist() == bank.labels[[4, 2]].tolist()
    assert torch.equal(by_index.patches, torch.from_numpy(bank.patches[[4, 2]]))
    assert by_index.has_mask is not None
    assert by_index.n_classes == 2
    by_index.patches.zero_()  # a copy: the bank stays as it was
    assert bank.patches[4].any()
    plain = extract_bank(replace(photos, masks=""), SMALL, tmp_path / "plain")
    assert plain.masks is None
    assert plain.samples(plain.is_train).has_mask is None


def test_only_training_images_shape_the_dictionary(photos: DataConfig, tmp_path: Path) -> None:
    data = load_dataset(photos)
    before = extract_bank(photos, SMALL, tmp_path / "before")
    held_out = data.paths[int(np.flatnonzero(~data.is_train)[0])]
    other = data.paths[int(np.flatnonzero(data.is_train)[0])]
    with Image.open(Path(photos.root) / other) as image:  # not a copy, which would move to the other side
        image.rotate(180).save(Path(photos.root) / held_out)
    after = extract_bank(photos, SMALL, tmp_path / "after")
    fitted = [(bank.folder / "backbone.safetensors").read_bytes() for bank in (before, after)]
    assert fitted[0] == fitted[1]
    assert before.key != after.key


def test_cls_and_attributes_reach_the_bank(tmp_path: Path, photos: DataConfig) -> None:
    """A random DINOv2 on the compact CUB layout."""
    transformers = optional("transformers", "dino")
    torch.manual_seed(0)
    config = transformers.Dinov2WithRegistersConfig(
        hidden_size=64, num_hidden_layers=1, num_attention_heads=1, image_size=56, patch_size=14
    )
    transformers.Dinov2WithRegistersModel(config).save_pretrained(tmp_path / "weights")
    data = load_dataset(photos)
    rows = [
        f"{i},{path},{label},{'train' if side else 'test'}"
        for i, (path, label, side) in enumerate(zip(data.paths, data.labels, data.is_train, strict=True))
    ]
    root = tmp_path
    (root / "metadata.csv").write_text("\n".join(["image_id,path,class,split", *rows]))
    (root / "classes.csv").write_text("class,name\n0,china\n1,flower\n")
    (root / "class_attributes.csv").write_text("class,red,tall\n1,100,0\n0,12.5,80\n")
    backbone = BackboneConfig(name="dinov2", weights=str(tmp_path / "weights"), image_size=28)
    key = bank_key(DataConfig(name="cub50", root=str(root)), backbone)
    (root / "parts.csv").write_text("image_id,part_id,part,x,y\n0,1,petal,30,20\n2,2,leaf,60,40\n")
    bank = extract_bank(DataConfig(name="cub50", root=str(root)), backbone, tmp_path / "bank")
    assert bank.cls is not None
    assert bank.cls.shape == (24, 64)
    assert bank.patches.shape == (24, 4, 64)
    assert bank.class_attributes is not None
    assert bank.class_attributes.tolist() == [[12.5, 80], [100, 0]]
    assert bank.key == key, "as before parts were read"
    samples = bank.samples(np.arange(3))
    assert samples.cls is not None
    assert samples.class_attributes is not None
    assert samples.parts is not None  # of images of 60 x 40 pixels, on a grid of 2 x 2
    assert samples.parts.tolist() == [[[1, 1, 1], [0, 0, 0]], [[0, 0, 0]] * 2, [[0, 0, 0], [2, 2, 1]]]


def test_the_key_depends_on_all_that_matters(photos: DataConfig, tmp_path: Path) -> None:
    keys = {bank_key(photos, SMALL)}
    for change in ({"n_atoms": 13}, {"patch_size": 7}, {"grid": 8}, {"seed": 1}, {"image_size": 32}):
        keys.add(bank_key(photos, replace(SMALL, **change)))
    keys.add(bank_key(replace(photos, masks=""), SMALL))
    keys.add(bank_key(replace(photos, split_seed=1), SMALL))
    data = load_dataset(photos)
    image = Path(photos.root) / data.paths[0]
    image.write_bytes((Path(photos.root) / data.paths[1]).read_bytes())
    keys.add(bank_key(photos, SMALL))
    mask = next(Path(photos.masks).rglob("*.png"))
    mask.write_bytes(mask.read_bytes() + b" ")
    keys.add(bank_key(photos, SMALL))
    assert len(keys) == 10
    moved = tmp_path / "moved"
    shutil.copytree(photos.root, moved)
    assert bank_key(replace(photos, root=str(moved)), SMALL) in keys
    assert bank_key(photos, replace(SMALL, batch_size=7, layer=-2)) in keys


def test_batch_size_and_threads_do_not_matter(photos: DataConfig, tmp_path: Path) -> None:
    one = extract_bank(photos, replace(SMALL, batch_size=4), tmp_path / "one")
    n_threads = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        two = extract_bank(photos, replace(SMALL, batch_size=10), tmp_path / "two")
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(n_threads)
    assert _contents(one.folder) == _contents(two.folder)


def test_a_finished_bank_is_not_computed_again(photos: DataConfig, tmp_path: Path) -> None:
    extract_bank(photos, SMALL, tmp_path / "bank")

    def fail(done: int, n: int) -> None:
        raise AssertionError("computed again")

    extract_bank(photos, SMALL, tmp_path / "bank", progress=fail)
    with pytest.raises(UsageError, match="holds the feature bank"):
        extract_bank(photos, replace(SMALL, seed=5), tmp_path / "bank")


def _flip(folder: Path) -> None:
    with _patches(folder).open("r+b") as file:
        file.seek(500)
        byte = file.read(1)
        file.seek(500)
        file.write(bytes([byte[0] ^ 1]))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_flip, r"patches\.npy \(content changed\)"),
        (lambda folder: os.truncate(_patches(folder), 1000), r"patches\.npy \(1000 bytes instead of"),
        (lambda folder: (folder / "labels.npy").unlink(), r"labels\.npy \(missing\)"),
        (lambda folder: (folder / "manifest.json").unlink(), "not a complete feature bank"),
        (lambda folder: (folder / "manifest.json").write_text('{"files'), "not a complete feature bank"),
        (lambda folder: (folder / "manifest.json").write_text('{"files": {}}'), "not in the manifest"),
    ],
)
def test_damage_is_named_and_repaired(
    photos: DataConfig, tmp_path: Path, damage: Callable[[Path], object], said: str
) -> None:
    folder = tmp_path / "bank"
    extract_bank(photos, SMALL, folder)
    whole = _contents(folder)
    damage(folder)
    with pytest.raises(TunerError, match=said):
        load_bank(folder)
    extract_bank(photos, SMALL, folder)
    assert _contents(folder) == whole


def test_sizes_alone_can_be_checked(photos: DataConfig, tmp_path: Path) -> None:
    folder = extract_bank(photos, SMALL, tmp_path / "bank").folder
    _flip(folder)
    load_bank(folder, contents=False)
    (folder / "labels.npy").write_bytes(b"")
    with pytest.raises(TunerError, match="labels"):
        load_bank(folder, contents=False)


def test_what_an_earlier_version_left_half_done_is_cleared(photos: DataConfig, tmp_path: Path) -> None:
    whole = _contents(extract_bank(photos, SMALL, tmp_path / "whole").folder)
    folder = tmp_path / "left"
    folder.mkdir()
    (folder / JOURNAL).write_text(f'{{"key": "{bank_key(photos, SMALL)}", "done": 24}}')
    (folder / "patches.npy").write_bytes(b"half of it")
    assert _contents(extract_bank(photos, SMALL, folder).folder) == whole


EXTRACT = """
import sys
from pathlib import Path
from tuner.data.settings import DataConfig
from tuner.features.extract import extract_bank
from tuner.features import plan, register_backbone
from tuner.features.backbone import Pretrained, Tokens
from tuner.features.settings import BackboneConfig

plan.SHARD_IMAGES = 256

def progress(done, n):
    print(done, flush=True)
    if done >= int(sys.argv[2]):
        sys.stdin.read()  # wait here for the end

config = BackboneConfig(n_atoms=12, patch_size=8, grid=4, image_size=16, batch_size=64)
extract_bank(DataConfig(), config, Path(sys.argv[1]), progress=progress)
"""


def _killed_at(folder: Path, images: int) -> list[int]:
    """Runs an extraction in a process of its own and kills it with SIGKILL; returns the progress it told."""
    command = [sys.executable, "-c", EXTRACT, str(folder), str(images)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = []
        for line in process.stdout:
            told.append(int(line))
            if told[-1] >= images:
                os.kill(process.pid, signal.SIGKILL)
                break
        assert process.wait(timeout=60) == -signal.SIGKILL
    return told


@pytest.mark.chaos
def test_killed_twice_and_still_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "killed"
    assert _killed_at(folder, 128)[0] == 64  # before the first shard is sealed: starts over, with the fit it made
    (fitted,) = folder.glob("fits/*/backbone.safetensors")
    written_ns = fitted.stat().st_mtime_ns
    assert _killed_at(folder, 1024)[0] == 64
    with pytest.raises(TunerError, match="not a complete feature bank"):
        load_bank(folder)
    assert fitted.stat().st_mtime_ns == written_ns
    monkeypatch.setattr(plan, "SHARD_IMAGES", 256)
    told: list[int] = []
    extract_bank(DataConfig(), SMALL, folder, progress=lambda done, n: told.append(done))
    assert told[0] > 256
    extract_bank(DataConfig(), SMALL, tmp_path / "whole")
    assert _contents(folder) == _contents(tmp_path / "whole")


def test_sealed_shards_are_kept_by_ctrl_c(photos: DataConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "SHARD_IMAGES", 6)
    small = replace(SMALL, batch_size=4)

    def stop(done: int, n: int) -> None:
        if done == 16:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract_bank(photos, small, tmp_path / "stopped", progress=stop)
    sealed = list((tmp_path / "stopped" / "shards").iterdir())
    assert len(sealed) == 2
    told: list[int] = []
    said: list[str] = []
    bank = extract_bank(
        photos, small, tmp_path / "stopped", progress=lambda done, n: told.append(done), say=said.append
    )
    assert told == [16, 18, 22, 24]
    assert said == ["extracting features"]
    extract_bank(photos, small, tmp_path / "whole")
    assert _contents(tmp_path / "stopped") == _contents(tmp_path / "whole")
    assert len(list((bank.folder / "shards").iterdir())) == 4


def test_the_division_into_shards_changes_no_token(
    photos: DataConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = extract_bank(photos, SMALL, tmp_path / "one")
    monkeypatch.setattr(plan, "SHARD_IMAGES", 10)
    three = extract_bank(photos, SMALL, tmp_path / "three")
    assert isinstance(three.patches, ShardedRows)
    assert [len(part) for part in three.patches.parts] == [10, 10, 4]
    assert np.array_equal(np.asarray(three.patches), one.patches)
    assert three.masks is not None
    assert one.masks is not None
    assert np.array_equal(three.masks, one.masks)
    assert (three.key, three.paths) == (one.key, one.paths)
    index = np.array([23, 0, 11, 11, 9])
    assert torch.equal(three.samples(index).patches, one.samples(index).patches)


class Means(Pretrained):
    """Mean colours on a grid: a backbone that learns nothing."""

    dim, has_cls, image_size, grid = 3, True, 16, (4, 4)

    def key_material(self) -> dict[str, Any]:
        return {"name": "means"}

    def load(self, device: torch.device) -> None:
        pass

    def tokens(self, images: torch.Tensor) -> Tokens:
        means = torch.nn.functional.adaptive_avg_pool2d(images.float() / 255, self.grid).flatten(2).transpose(1, 2)
        return means, means.mean(1)


@pytest.fixture
def means() -> Iterator[BackboneSettings]:
    register_backbone("means", lambda config, **_: Means())
    yield BackboneSettings(name="means")
    BACKBONES.remove("means")


def test_new_labels_take_the_same_shards(photos: DataConfig, tmp_path: Path, means: BackboneSettings) -> None:
    """Tokens do not depend on labels or split, so a bank with others takes the shards that are there."""
    config = means
    store = FolderShelf(tmp_path / "shelf")
    told: list[int] = []

    def shards(data: DataConfig, name: str) -> list[str]:
        (tmp_path / name).mkdir()
        worker = Extractor(config, data.name, tmp_path / "drafts")
        team = Alone(worker, store, lambda done, n: told.append(done), lambda _: None)
        return [piece.key for piece in BankSource(data, config).build(tmp_path / name, store, team)]

    first = shards(photos, "first")
    n_told = len(told)
    assert shards(replace(photos, split_seed=3), "second") == first
    assert n_told == len(told) > 0
    masked = shards(replace(photos, masks=""), "third")
    assert not set(masked) & set(first)


def test_two_at_once_share_the_work(photos: DataConfig, tmp_path: Path) -> None:
    told: list[int] = []
    threads = [
        threading.Thread(
            target=extract_bank,
            args=(photos, SMALL, tmp_path / "bank"),
            kwargs={"progress": lambda done, n: told.append(done)},
        )
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told == [24]
    load_bank(tmp_path / "bank")


def test_a_full_disk_and_a_forbidden_folder(photos: DataConfig, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (6000, hard))  # the kernel refuses to let any file grow beyond
    try:
        with pytest.raises(TunerError, match="cannot be written") as caught:
            extract_bank(photos, replace(SMALL, n_atoms=2), tmp_path / "full")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "make room" in caught.value.todo
    extract_bank(photos, replace(SMALL, n_atoms=2), tmp_path / "full")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(TunerError, match="cannot be written"):
        extract_bank(photos, SMALL, tmp_path / "file" / "bank")


def test_broken_images_are_all_named_and_their_shards_are_not_sealed(
    photos: DataConfig, tmp_path: Path, means: BackboneSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "SHARD_IMAGES", 6)
    photos = replace(photos, masks="")
    paths = load_dataset(photos).paths
    kept = {i: (Path(photos.root) / paths[i]).read_bytes() for i in (1, 3, 20)}
    for i in kept:
        (Path(photos.root) / paths[i]).write_bytes(f"broken {i}".encode())
    with pytest.raises(TunerError, match="3 of 24 images") as caught:
        extract_bank(photos, means, tmp_path / "bank")
    assert all(paths[i] in caught.value.what for i in kept)
    assert len(list((tmp_path / "bank" / "shards").iterdir())) == 2
    for i, image in kept.items():
        (Path(photos.root) / paths[i]).write_bytes(image)
    extract_bank(photos, means, tmp_path / "bank")
    extract_bank(photos, means, tmp_path / "whole")
    assert _contents(tmp_path / "bank") == _contents(tmp_path / "whole")


def test_all_broken_images_are_named_where_masks_or_the_fit_meet_one_first(photos: DataConfig, tmp_path: Path) -> None:
    data = load_dataset(photos)
    broken = [Path(photos.root) / data.paths[int(np.flatnonzero(data.is_train)[2])], Path(photos.root) / data.paths[23]]
    masks = sorted(Path(photos.masks).rglob("*.png"))[:1]
    for file in (*broken, *masks):
        file.write_bytes(f"broken {file.name}".encode())
    for config in (photos, replace(photos, masks="")):
        with pytest.raises(TunerError, match=f"{3 if config.masks else 2} of 24 images") as caught:
            extract_bank(config, SMALL, tmp_path / "bank")
        assert all(str(file) in caught.value.what for file in broken)
    assert not list((tmp_path / "bank").glob("shards/*"))


def test_tokens_beyond_float16_are_refused(photos: DataConfig, tmp_path: Path) -> None:
    import safetensors.torch

    folder = tmp_path / "bank"

    def stop(done: int, n: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract_bank(photos, SMALL, folder, progress=stop)
    (file,) = folder.glob("fits/*/backbone.safetensors")
    state = safetensors.torch.load_file(file)
    state["atoms"][0] = 1e9  # far from every patch, so that the others seem close beyond measure
    safetensors.torch.save_file(state, file)
    with pytest.raises(TunerError, match=r"range of float16 .* china/00\.png"):
        extract_bank(photos, SMALL, folder)


def test_devices() -> None:
    assert choose_device("cpu").type == "cpu"
    assert choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(UsageError, match="auto, cpu"):
        choose_device("abacus")
    with pytest.raises(UsageError, match="GPUs"):
        choose_device("cuda:99")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU on this machine")
def test_a_gpu_gives_the_same_bank(photos: DataConfig, tmp_path: Path) -> None:
    cpu = extract_bank(photos, SMALL, tmp_path / "cpu", device="cpu")
    gpu = extract_bank(photos, SMALL, tmp_path / "gpu", device="cuda")
    assert gpu.key == cpu.key
    assert np.abs(gpu.patches.astype(np.float32) - cpu.patches).max() < 1e-2


def test_cub50_tokens(shared_data: Path, tmp_path: Path) -> None:
    """A few real birds through the real network: the bird's tokens differ from the background's."""
    pytest.importorskip("efficientnet_lite_pytorch", reason="the extra `cnn` is not installed")
    root, small = shared_data / "cub50", tmp_path / "birds"
    for species in ("001.Black_footed_Albatross", "012.Yellow_headed_Blackbird"):
        (small / species).mkdir(parents=True)
        for file in sorted((root / "images" / species).iterdir())[:4]:
            (small / species / file.name).symlink_to(file)
    backbone = BackboneConfig(name="efficientnet_lite2", image_size=128)
    bank = extract_bank(DataConfig(name="folder", root=str(small), test_fraction=0.5), backbone, tmp_path / "bank")
    assert bank.patches.shape == (8, 16, 1280)
    pooled = torch.from_numpy(np.array(bank.patches, dtype=np.float32)).mean(1)
    similarity = torch.nn.functional.normalize(pooled) @ torch.nn.functional.normalize(pooled).T
    same = torch.from_numpy(bank.labels[:, None] == bank.labels)
    assert similarity[same & ~torch.eye(8, dtype=torch.bool)].mean() > similarity[~same].mean() + 0.05


def test_a_folder_of_something_else_is_left_alone(photos: DataConfig, tmp_path: Path) -> None:
    """Such as the folder of a store that holds a bank's artifact: its manifest is not that of a bank."""
    folder = tmp_path / "banks" / "key"
    (folder / "whole").mkdir(parents=True)
    (folder / "manifest.json").write_text("{}")
    with pytest.raises(UsageError, match=r"holds other things than a feature bank: whole"):
        extract_bank(photos, SMALL, folder)
    assert (folder / "manifest.json").read_text() == "{}"
