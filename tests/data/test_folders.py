"""Folders as people have them: split already, with leftovers of other programs, and files that are no images."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tuner.data.dataset import Dataset
from tuner.data.load import load_dataset
from tuner.data.settings import DataConfig
from tuner.errors import TunerError, UsageError

Write = Callable[..., Path]


@pytest.fixture
def fill(tmp_path: Path, write_image: Write) -> Callable[..., Path]:
    """Writes different images to `root`, or bytes that are no image."""
    written = iter(range(1797))

    def write(*names: str) -> Path:
        for name in names:
            write_image(tmp_path / "root" / name, next(written))
        return tmp_path / "root"

    return write


def _load(root: Path, **settings: object) -> Dataset:
    return load_dataset(DataConfig(name="folder", root=str(root), **settings))  # type: ignore[arg-type]


def _said(data: Dataset, word: str) -> str:
    (note,) = [note for note in data.notes if word in note]
    return note


def _classes(*folders: str, n: int = 3) -> list[str]:
    return [f"{folder}/{i}.png" for folder in folders for i in range(n)]


@pytest.mark.parametrize(
    ("train", "val", "test"),
    [
        ("train", "val", "test"),
        ("Training", "Validation", "Testing"),
        ("TRAIN", "valid", "TEST"),
        ("training_set", "dev", "test-set"),
        ("train_images", "eval", "testdata"),
        ("seg_train", "seg_val", "seg_test"),
        ("train (1)", "val (1)", "test (1)"),
        ("cars-train1", "cars-valid1", "cars-test1"),
    ],
)
def test_split_folders(fill: Callable[..., Path], train: str, val: str, test: str) -> None:
    root = fill(*_classes(f"{train}/cat", f"{train}/dog"), *_classes(f"{test}/cat", f"{test}/dog", n=2))
    data = _load(root)
    assert data.class_names == ("cat", "dog")
    assert [path.startswith(f"{train}/") for path in data.paths] == data.is_train.tolist()
    assert [("cat", "dog").index(path.split("/")[1]) for path in data.paths] == data.labels.tolist()
    assert f"{test}/ is held out as test" in _said(data, "read as a split")
    fill(*_classes(f"{val}/cat", f"{val}/dog", n=1))
    data = _load(root)
    assert (len(data), int(data.is_train.sum())) == (12, 8)
    assert [not path.startswith(f"{test}/") for path in data.paths] == data.is_train.tolist()
    assert f"{val}/ is trained on like {train}/" in _said(data, "read as a split")


def test_train_and_val_alone(fill: Callable[..., Path]) -> None:
    data = _load(fill(*_classes("train/a", "train/b"), *_classes("val/a", "val/b", n=1)))
    assert [path.startswith("train/") for path in data.paths] == data.is_train.tolist()
    assert "val/ is held out as test" in _said(data, "read as a split")


def test_a_split_file_overrules_split_folders(fill: Callable[..., Path], tmp_path: Path) -> None:
    root = fill(*_classes("train/a", "train/b", "test/a", "test/b", n=1))
    split = tmp_path / "split.csv"
    split.write_text("path,split\ntrain/a/0.png,test\ntrain/b/0.png,test\ntest/a/0.png,train\ntest/b/0.png,train\n")
    data = _load(root, split_file=str(split))
    assert data.class_names == ("a", "b")
    assert data.is_train.tolist() == [True, True, False, False]
    assert data.notes == ()


@pytest.mark.parametrize(
    "names", [("train", "bus", "car"), ("dev", "ops"), ("test", "rest"), ("bullet train", "crash test")]
)
def test_a_class_may_be_called_like_a_side(fill: Callable[..., Path], names: tuple[str, ...]) -> None:
    assert _load(fill(*_classes(*names))).class_names == tuple(sorted(names))


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (_classes("train/a", "train/b", "test/a", "test/b", "c"), "and beside them c/"),
        (_classes("seg_train/a", "seg_test/a", "seg_pred"), "seg_train/ and beside them seg_pred/"),
        (_classes("seg_train/seg_train/a", "seg_test/seg_test/a"), "seg_train/seg_train/, a folder in one of its own"),
        (_classes("train/train/a", "test/test/a"), "test/test/, train/train/, a folder in one of its own name"),
        (_classes("train", "test", "bus"), "and beside them bus/"),
        (_classes("train", "test"), r"outside class folders, such as test/0\.png"),
        (_classes("train/a", "train/b"), "train/ alone"),
        (_classes("test/a", "test/b", "val/a", "val/b"), "test/, val/ alone"),
        (_classes("train/a", "Training/a", "test/a"), "two of them of one side"),
        (_classes("a/train", "a/test", "b/train", "b/test"), "class folder a/ of .* contains a split itself"),
        (_classes("data/train/a", "data/train/b", "data/test/a"), r"set data\.root=.*/root/data$"),
        (_classes("train/a", "train/b", "test/a", "test/c"), "without a training image: c"),
        (_classes("images/a", "images/b", "masks/a", "masks/b"), "masks/ that looks like masks"),
        (_classes("Images/a", "Images/b", "GT/a", "GT/b"), "GT/ that looks like masks"),
        (_classes("JPEGImages", "SegmentationClass"), "SegmentationClass/ that looks like masks"),
        (_classes("train/images/a", "train/masks/a", "test/images/a"), "move the masks to a folder of their own"),
        (_classes("a", "b", "masks/a", "masks/b"), "masks/ that looks like masks"),
        (_classes("train/a", "train/b", "train/masks/a", "test/a", "test/b"), "train/masks/ that looks like masks"),
        (_classes("photos/a", "photos/b"), "has 1 class folder with images"),
        (["0.png", "1.png"], "has 0 class folders with images"),
    ],
)
def test_what_leaves_open_what_is_meant_is_refused(fill: Callable[..., Path], files: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        _load(fill(*files))


def test_a_mask_is_a_class_where_nothing_else_says_otherwise(fill: Callable[..., Path]) -> None:
    assert _load(fill(*_classes("mask", "no mask"))).class_names == ("mask", "no mask")


def test_a_class_without_test_images_is_named(fill: Callable[..., Path]) -> None:
    data = _load(fill(*_classes("train/a", "train/b", "test/a")))
    assert _said(data, "no test image") == "1 class has no test image: b"


@pytest.mark.parametrize(
    "leftover",
    [
        "a/.ipynb_checkpoints/0-checkpoint.png",
        ".ipynb_checkpoints/0.png",
        "a/._0.png",
        "__MACOSX/a/._0.png",
        "a/__MACOSX/0.png",
        "a/@eaDir/0.png/SYNOPHOTO_THUMB_M.png",
        "$RECYCLE.BIN/a/0.png",
        "lost+found/0.png",
        "System Volume Information/0.png",
        "a/.thumbnails/0.png",
        "train/.git/0.png",
    ],
)
def test_leftovers_are_skipped_at_every_level(fill: Callable[..., Path], leftover: str) -> None:
    split = leftover.startswith("train")
    root = fill(*(_classes("train/a", "train/b", "test/a", "test/b") if split else _classes("a", "b")))
    before = _load(root)
    (root / leftover).parent.mkdir(parents=True, exist_ok=True)
    (root / leftover).write_bytes((root / before.paths[0]).read_bytes())
    for name in (".DS_Store", "a/Thumbs.db", "b/desktop.ini"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(b"\0")
    after = _load(root)
    assert after.paths == before.paths
    assert after.is_train.tolist() == before.is_train.tolist()
    named = next(part for part in leftover.split("/") if part not in ("a", "train"))
    assert named in _said(after, "hidden or belongs")


def test_what_is_no_image_is_counted_and_named(fill: Callable[..., Path]) -> None:
    root = fill(*_classes("a", "b"), "loose.png")
    for name in ("a/1.heic", "a/2.HEIC", "a/3.dcm", "b/scan"):
        (root / name).write_bytes(b"\0\1")
    (root / "README.md").write_text("whatever is not read is counted")
    os.mkfifo(root / "a" / "pipe.png")  # reading it would never end
    (root / "zebra").mkdir()
    (root / "b" / "again").symlink_to(root / "b")
    data = _load(root)
    assert len(data) == 6
    told = _said(data, "no image can be read")
    assert told.startswith("6 files left out")
    assert "2 .heic" in told
    assert "1 .dcm" in told
    assert "1 without suffix" in told
    assert "a/1.heic" in told
    assert _said(data, "lie in no class folder").startswith("1 image left out")
    assert _said(data, "are not followed").endswith("b/again")
    assert _said(data, "empty").endswith("no class: zebra")


def test_a_class_of_unreadable_images_is_refused(fill: Callable[..., Path]) -> None:
    root = fill(*_classes("a", "b"))
    (root / "c").mkdir()
    (root / "c" / "0.heic").write_bytes(b"\0")
    with pytest.raises(UsageError, match=r"/c holds no image that can be read, but c/0\.heic"):
        _load(root)


def test_a_folder_of_text_is_no_class(fill: Callable[..., Path]) -> None:
    root = fill(*_classes("a", "b"))
    for name in ("Annotations/0.xml", "labels/a/0.TXT", "labels/classes.json"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("text")
    data = _load(root)
    assert data.class_names == ("a", "b")
    assert _said(data, "text only") == "2 folders hold text only and no class: Annotations, labels"
    (root / "labels" / "images.zip").write_bytes(b"PK")
    with pytest.raises(UsageError, match=r"/labels holds no image that can be read, but labels/images\.zip"):
        _load(root)


def test_suffixes_of_jpegs_and_folders_called_like_images(fill: Callable[..., Path]) -> None:
    root = fill(*_classes("a", "b"), "a/nested.jpg/0.png")
    for old, new in (("a/0.png", "a/9.jfif"), ("b/0.png", "b/9.JPE"), ("b/1.png", "b/8.jif")):
        (root / old).rename(root / new)
    data = _load(root)
    assert {"a/9.jfif", "b/9.JPE", "b/8.jif", "a/nested.jpg/0.png"} <= set(data.paths)
    assert "a/nested.jpg" in _said(data, "named like an image")


def test_links_to_folders_are_followed_and_broken_ones_named(fill: Callable[..., Path], tmp_path: Path) -> None:
    root = fill(*_classes("a", "b"))
    (root / "b").rename(tmp_path / "elsewhere")
    (root / "b").symlink_to(tmp_path / "elsewhere")
    assert _load(root).class_names == ("a", "b")
    (root / "a" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (root / "a" / "self.png").symlink_to(root / "a" / "self.png")
    data = _load(root)
    assert len(data) == 8
    with pytest.raises(TunerError, match=r"gone\.png.*self\.png"):
        data.pictures.digests()


def test_a_name_that_is_not_utf8_is_read_and_can_be_printed(fill: Callable[..., Path]) -> None:
    root = fill(*_classes("a", "b"))
    (root / "b").rename(root / os.fsdecode(b"caf\xe9"))
    data = _load(root)
    assert data.class_names == ("a", "caf\\xe9")
    assert data.pictures.image(5).size == (24, 20)
    assert all(name.encode() for name in data.class_names)


def test_composed_and_decomposed_letters_are_one_class(fill: Callable[..., Path]) -> None:
    data = _load(fill(*_classes("train/caf\u00e9", "train/b", "test/cafe\u0301", "test/b")))
    assert data.class_names == ("b", "caf\u00e9")
