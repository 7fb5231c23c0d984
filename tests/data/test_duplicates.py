"""Copies of an image are told by their content, kept on one side of a cut, named across a given one."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.data.duplicates import describe_copies, group_by_content
from tuner.data.load import check_labels, load_dataset
from tuner.data.settings import DataConfig
from tuner.data.splits import stratified_split
from tuner.errors import TunerError, UsageError
from tuner.features.extract import extract_bank
from tuner.features.settings import BackboneConfig
from tuner.recipe import load_recipe
from tuner.search.driver.split_check import refuse_unusable

Write = Callable[..., Path]


@pytest.fixture
def copied(tmp_path: Path, write_image: Write) -> Path:
    """Two classes of 10 images each; half of them have one copy, and one has two."""
    root = tmp_path / "root"
    for i in range(20):
        file = write_image(root / "ab"[i % 2] / f"{i:02d}.png", i)
        for n in range((i < 10) + (i == 4)):
            (root / "ab"[i % 2] / f"copy {n} of {i:02d}.png").write_bytes(file.read_bytes())
    return root


def _torn(data_content: np.ndarray, side: np.ndarray) -> set[int]:
    return set(data_content[side].tolist()) & set(data_content[~side].tolist())


def test_content_is_grouped_by_its_first_image() -> None:
    assert group_by_content(["x", "y", "x", "z", "y", "x"]).tolist() == [0, 1, 0, 3, 1, 0]
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert group_by_content([empty, empty, "", ""]).tolist() == [0, 1, 2, 3]  # broken files are no copies


@pytest.mark.parametrize("seed", range(6))
def test_copies_stay_on_one_side_of_the_test_cut(copied: Path, seed: int) -> None:
    data = load_dataset(DataConfig(name="folder", root=str(copied), test_fraction=0.3, split_seed=seed))
    assert len(data) == 31
    assert data.content is not None
    assert len(np.unique(data.content)) == 20
    assert _torn(data.content, data.is_train) == set()
    held_out = [int((~data.is_train[data.labels == label]).sum()) for label in (0, 1)]
    assert held_out == [5, 4]  # 0.3 of 16 and of 15, which every set of sizes 1 to 3 can give
    note = next(note for note in data.notes if "identical" in note)
    assert note.startswith("11 images are identical copies of another")
    assert "a/00.png = a/copy 0 of 00.png, " in note
    assert "and 5 more" in note


def test_copies_across_a_given_split_are_named_and_not_moved(copied: Path, tmp_path: Path) -> None:
    data = load_dataset(DataConfig(name="folder", root=str(copied)))
    side = {path: "test" if path in ("a/copy 0 of 00.png", "b/01.png", "b/03.png") else "train" for path in data.paths}
    split = tmp_path / "split.csv"
    split.write_text("path,split\n" + "".join(f"{path},{word}\n" for path, word in side.items()))
    data = load_dataset(DataConfig(name="folder", root=str(copied), split_file=str(split)))
    assert data.is_train.tolist() == [word == "train" for word in side.values()]
    note = next(note for note in data.notes if "both in train and in test" in note)
    assert note.startswith("3 images are both")
    assert "a/00.png (train) = a/copy 0 of 00.png (test), " in note
    assert "b/copy 0 of 01.png (train) = b/01.png (test)" in note


def test_one_image_in_two_classes_is_refused(copied: Path, tmp_path: Path) -> None:
    (copied / "b" / "also in a.png").write_bytes((copied / "a" / "02.png").read_bytes())
    config = DataConfig(name="folder", root=str(copied))
    data = load_dataset(config)
    with pytest.raises(UsageError) as caught:
        check_labels(data)
    assert "a/02.png and b/also in a.png are the same image" in caught.value.what
    assert "in two classes, a and b" in caught.value.what
    (copied / "a" / "broken.png").write_bytes(b"")
    backbone = BackboneConfig("patch_dictionary", image_size=24, grid=6, n_atoms=16)
    with pytest.raises(TunerError, match=r"broken\.png"):  # broken files come first
        extract_bank(config, backbone, tmp_path / "bank")
    (copied / "a" / "broken.png").unlink()
    with pytest.raises(UsageError, match="in two classes, a and b"):
        extract_bank(config, backbone, tmp_path / "bank")


def test_nothing_is_said_where_all_images_differ(tmp_path: Path, write_image: Write) -> None:
    for i in range(8):
        write_image(tmp_path / "ab"[i % 2] / f"{i}.png", i)
    assert load_dataset(DataConfig(name="folder", root=str(tmp_path))).notes == ()
    digits = load_dataset(DataConfig())
    assert digits.content is not None
    assert digits.notes == ()
    assert digits.content.tolist() == list(range(1797))


@given(
    sizes=st.lists(st.lists(st.integers(1, 6), min_size=2, max_size=9), min_size=1, max_size=4),
    fraction=st.floats(0.01, 0.99),
    seed=st.integers(0, 1000),
)
def test_no_other_set_of_groups_is_closer_to_the_share(sizes: list[list[int]], fraction: float, seed: int) -> None:
    labels = np.repeat(np.arange(len(sizes)), [sum(groups) for groups in sizes])
    content = np.repeat(np.arange(sum(map(len, sizes))), [size for groups in sizes for size in groups])
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    labels, content = labels[shuffled], content[shuffled]
    held_out = stratified_split(labels, fraction, seed, content=content)
    assert _torn(content, held_out) == set()
    for label, groups in enumerate(sizes):
        goal = min(max(round(fraction * sum(groups)), 1), sum(groups) - 1)
        sums = {0}
        for size in groups:
            sums |= {s + size for s in sums}
        best = min(abs(s - goal) for s in sums - {0, sum(groups)})
        assert abs(int(held_out[labels == label].sum()) - goal) == best
    assert np.array_equal(held_out, stratified_split(labels, fraction, seed, content=content))


def test_without_copies_the_cut_is_what_it_was() -> None:
    labels = np.random.default_rng(3).integers(0, 7, 200)
    for seed in range(5):
        before = np.zeros(200, dtype=np.bool_)
        generator = np.random.default_rng(seed)
        for label in range(7):
            members = np.flatnonzero(labels == label)
            before[generator.permutation(members)[: round(0.23 * len(members))]] = True
        assert np.array_equal(stratified_split(labels, 0.23, seed), before)
        assert np.array_equal(stratified_split(labels, 0.23, seed, content=np.arange(200)), before)


def test_a_class_of_copies_is_one_image() -> None:
    with pytest.raises(UsageError, match="only one image of wren, copies not counted"):
        stratified_split(np.array([0, 0, 1, 1, 1]), 0.5, 0, ["robin", "wren"], np.array([0, 1, 2, 2, 2]))


def test_a_class_of_copies_is_listed_and_trained_on(tmp_path: Path, write_image: Write) -> None:
    for i in range(4):
        write_image(tmp_path / "robin" / f"{i}.png", i)
        write_image(tmp_path / "wren" / f"{i}.png", 9)
    data = load_dataset(DataConfig("folder", root=str(tmp_path)))
    assert data.is_train[data.labels == 1].all()
    assert (~data.is_train[data.labels == 0]).sum() == 1
    assert any("no test image: wren" in note for note in data.notes)
    with pytest.raises(UsageError, match="fewer than 2 different training images: wren"):
        refuse_unusable(load_recipe("folder"), data)


def test_a_note_names_few_and_counts_all() -> None:
    content = np.array([0, 0, 2, 2, 4, 4, 6, 6, 8, 8, 10, 10, 12, 12] + [14] * 2000)
    paths = [f"{i:04d}" for i in range(len(content))]
    (note,) = describe_copies(content, np.ones(len(content), dtype=np.bool_), paths)
    assert note.startswith("2,006 images are identical copies of another, byte for byte, such as 0000 = 0001, ")
    assert "0008 = 0009 and 3 more" in note
