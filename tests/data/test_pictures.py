"""Pictures are taken in parts, and masks of a part mean what they mean in the whole."""

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tuner.data.dataset import Dataset
from tuner.data.duplicates import joined
from tuner.data.group_split import groups_by_class
from tuner.data.load import load_dataset
from tuner.data.manifest import list_manifest
from tuner.data.masks import examine_mask
from tuner.data.pictures import FilePictures
from tuner.data.registry import DATASETS, register_dataset
from tuner.data.settings import DataConfig, ManifestConfig

Write = Callable[..., Path]


@pytest.fixture
def masked(tmp_path: Path, write_image: Write) -> FilePictures:
    """Four images; 255 is void, as the masks together tell, but not that of the last image alone."""
    masks = []
    for i in range(4):
        write_image(tmp_path / f"{i}.png", i)
        values = np.zeros((20, 24), np.uint8)
        values[5:10] = 7 if i < 3 else 255
        values[10:12] = 255
        Image.fromarray(values).save(tmp_path / f"mask{i}.png")
        masks.append(tmp_path / f"mask{i}.png")
    return FilePictures([tmp_path / f"{i}.png" for i in range(4)], masks)


def test_a_part_reads_its_masks_as_the_whole(masked: FilePictures) -> None:
    last = masked.part(np.array([3]))
    with pytest.raises(ValueError, match="ask the whole data set first"):
        last.mask(0)
    facts = [examine_mask(mask) for mask in masked.masks if mask is not None]
    last.reading(np.stack([fact.counts for fact in facts]))
    assert not np.asarray(last.mask(0)).any()
    masked.reading()
    assert not np.asarray(masked.part(np.array([3])).mask(0)).any()
    assert np.asarray(FilePictures(masked.images[3:], masked.masks[3:]).mask(0)).any()


def test_a_part_is_small(tmp_path: Path) -> None:
    rows = [f"some/long/folder/of/images/{i:07d}.png,{i % 2}" for i in range(5000)]
    (tmp_path / "list.csv").write_text("\n".join(["path,label", *rows]))
    config = ManifestConfig(name="manifest", manifest=str(tmp_path / "list.csv"), test_fraction=0.5)
    listing, root, names, _ = list_manifest(config)
    digests = [f"{i:064d}" for i in range(5000)]
    data = listing.dataset(config, root, names, digests=digests)  # no file exists, and none is read
    part = pickle.loads(pickle.dumps(data.pictures.part(np.arange(10, 20))))
    assert len(pickle.dumps(part)) < 5000
    assert part.digests() == [[digest, ""] for digest in digests[10:20]]


def test_a_source_without_parts_travels_whole() -> None:
    class Plain:
        def image(self, i: int) -> Image.Image:
            return Image.new("RGB", (8, 8), (i, 0, 0))

        def mask(self, i: int) -> None:
            return None

        def digests(self) -> list[list[str]]:
            return [[str(i), ""] for i in range(8)]

    def load(config: DataConfig) -> Dataset:
        paths, half = tuple("abcdefgh"), np.arange(8) < 4
        return Dataset("plain", paths, np.arange(8) % 2, half, ("x", "y"), np.zeros(8, np.bool_), Plain())  # type: ignore[arg-type]

    register_dataset("plain_source", load, needs_root=False)
    try:
        pictures = load_dataset(DataConfig(name="plain_source")).pictures
    finally:
        DATASETS.remove("plain_source")
    part = pictures.part(np.array([6, 2, 4])).part(np.array([2, 0]))
    assert [part.image(i).getpixel((0, 0)) for i in range(2)] == [(4, 0, 0), (6, 0, 0)]
    assert part.digests() == [["4", ""], ["6", ""]]
    assert part.mask(0) is None


def test_groups_of_unequal_classes_give_each_its_share() -> None:
    generator = np.random.default_rng(0)
    group = np.repeat(np.arange(300), generator.integers(1, 20, 300))
    liking = generator.integers(0, 8, 300)  # most images of a group are of one class
    labels = np.where(generator.random(len(group)) < 0.8, liking[group], generator.integers(0, 8, len(group)))
    held_out = groups_by_class(labels, group, 0.25, generator.permutation(300))[group]
    shares = [held_out[labels == label].mean() for label in range(8)]
    assert min(shares) > 0.2
    assert max(shares) < 0.3


def test_groupings_are_joined_by_way_of_others() -> None:
    assert joined(np.array([0, 1, 1, 3, 4, 3]), np.array([0, 1, 2, 0, 4, 4])).tolist() == [0, 1, 1, 0, 0, 0]
