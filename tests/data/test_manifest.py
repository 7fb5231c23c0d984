"""A manifest is read as it is meant, in every spelling of a table, and what is wrong in it is counted and named."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from tests.looked import check_images
from tuner.data.dataset import Dataset
from tuner.data.load import load_dataset
from tuner.data.settings import ManifestConfig
from tuner.errors import TunerError, UsageError

Write = Callable[..., Path]


@pytest.fixture
def images(tmp_path: Path, write_image: Write) -> Path:
    for i in range(12):
        write_image(tmp_path / f"{i:02d}.png", i)
    return tmp_path


def _table(**columns: Any) -> dict[str, Any]:
    return {"path": [f"{i:02d}.png" for i in range(12)], "label": ["07", "8"] * 6} | columns


def _csv(images: Path, table: dict[str, Any], separator: str = ",", encoding: str = "utf-8") -> str:
    rows = [list(table), *zip(*table.values(), strict=True)]
    quoted = [separator.join(f'"{cell}"' if separator in str(cell) else str(cell) for cell in row) for row in rows]
    (images / "list.csv").write_text("\n".join(quoted) + "\n", encoding=encoding)
    return str(images / "list.csv")


def _load(file: str, **settings: Any) -> Dataset:
    return load_dataset(ManifestConfig(name="manifest", manifest=file, **settings))


def _refused(file: str, **settings: Any) -> TunerError:
    with pytest.raises(TunerError) as caught:
        _load(file, **settings)
    assert caught.value.expected
    assert caught.value.todo
    return caught.value


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_spellings_of_a_table_are_one(images: Path, separator: str, encoding: str) -> None:
    split = ["train", "Train", " TEST", "test"] * 3
    data = _load(_csv(images, _table(split=split, camera=["x"] * 12), separator, encoding))
    assert data.class_names == ("07", "8")
    assert data.labels.tolist() == [0, 1] * 6
    assert data.is_train.tolist() == [True, True, False, False] * 3
    assert data.groups is None
    assert [note for note in data.notes if "not read" in note] == [
        f"columns of {images}/list.csv that are not read: camera"
    ]


def test_parquet_labels_stay_text(images: Path) -> None:
    file = images / "list.parquet"
    for labels, names in (
        (pa.array(["07", "8"] * 6).dictionary_encode(), ("07", "8")),
        (pa.array([7, 8] * 6), ("7", "8")),
        (pa.array([7.0, 8.0] * 6), ("7", "8")),
        (pa.array([True, False] * 6), ("false", "true")),
    ):
        parquet.write_table(pa.table({"Path": _table()["path"], "LABEL": labels}), file)
        assert _load(str(file)).class_names == names
    parquet.write_table(pa.table({"path": _table()["path"], "label": [["a"], ["a", "b"]] * 6}), file)
    assert "several labels" in _refused(str(file)).what
    parquet.write_table(pa.table({"path": _table()["path"], "label": [1.0, float("nan")] * 6}), file)
    assert _refused(str(file)).what.startswith(f"6 rows of {file} without label: row 2 (01.png), row 4 (03.png)")


def test_paths_in_every_form_are_the_same_images(images: Path) -> None:
    forms = ["./00.png", f"{images}/01.png", r".\02.png", ".//03.png", *_table()["path"][4:]]
    data = _load(_csv(images, _table(path=forms)))
    assert data.paths == tuple(_table()["path"])
    elsewhere = images / "below"
    elsewhere.mkdir()
    absolute = [f"{images}/{path}" for path in _table()["path"]]
    far = _load(_csv(elsewhere, _table(path=absolute)))
    assert far.paths == tuple(absolute)
    assert far.pictures.digests() == data.pictures.digests()
    assert _load(str(elsewhere / "list.csv"), root=str(images)).paths == data.paths


def test_the_first_classes_of_a_manifest(images: Path) -> None:
    labels = ["c", "a", "b"] * 4
    file = _csv(images, _table(label=labels, group=["x", "y", "z", "x"] * 3, box=["0,0,4,4", "", ""] * 4))
    whole, first = _load(file), _load(file, classes=2)
    kept = [i for i, label in enumerate(labels) if label != "c"]
    assert first.class_names == ("a", "b")
    assert first.paths == tuple(whole.paths[i] for i in kept)
    assert first.labels.tolist() == whole.labels[kept].tolist()
    assert first.pictures.digests() == [whole.pictures.digests()[i] for i in kept]
    assert first.groups is not None
    assert len(first.groups) == len(kept)
    assert any("the first 2 of 3 classes" in note for note in first.notes)
    assert "data.classes=4" in _refused(file, classes=4).what


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"label": ["", "8"] * 6}, "6 rows of FILE without label: row 1 (00.png)"),
        ({"label": ["a|b", "8"] * 6}, "6 rows of FILE with several labels: row 1 (a|b)"),
        (
            {"path": ["00.png", *_table()["path"][:-1]]},
            "1 image has two labels in FILE: 00.png in rows 1 and 2",
        ),
        ({"split": ["train", "tset"] * 6}, "6 rows of FILE without a side of the split: row 2 (tset)"),
        ({"split": ["train", ""] * 6}, "6 rows of FILE without a side of the split: row 2"),
        ({"path": ["../x.png", *_table()["path"][1:]]}, "leaves"),
        ({"path": ["x.png", "y.png", *_table()["path"][2:]]}, "2 files cannot be read: ROOT/x.png (["),
        ({"box": ["1,1,1,5", "0,0,4,4"] * 6}, "box of 6 rows of FILE is empty or begins outside its image: row 1 ("),
        ({"box": ["-1,0,4,4", ""] * 6}, "box of 6 rows of FILE is empty or begins outside its image"),
        ({"box": ["1,2,3", ""] * 6}, "box of 6 rows of FILE is no box: row 1 (00.png, box 1,2,3)"),
        ({"x0": [0] * 12}, "FILE has columns x0 alone"),
        ({"label": ["one"] * 12}, "FILE has 1 class"),
    ],
)
def test_wrong_rows_are_counted_and_named(images: Path, changed: dict[str, Any], said: str) -> None:
    file = _csv(images, _table(**changed))
    assert said.replace("FILE", file).replace("ROOT", str(images)) in _refused(file).what


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "is empty"),
        (b"file,class\nx,y\n", "lacks columns"),
        (b"path,label\n", "has no row"),
        (b"path,label\na.png,x\nb.png,y,z\n", "1 line of"),
        (b"path,label\na.png,\xe9\n", "is not UTF-8"),
        (b"path,label\na\0.png,x\n", "zero bytes"),
        (b"PAR1 but not", "is not"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, text: bytes, said: str) -> None:
    (tmp_path / "list.csv").write_bytes(text)
    assert said in str(_refused(str(tmp_path / "list.csv")))


def test_a_manifest_that_is_not_there_is_said(tmp_path: Path) -> None:
    assert "without data.manifest" in _refused("").what
    assert "cannot be read: No such file" in _refused(str(tmp_path / "none.csv")).what


def test_rows_that_agree_are_read_once(images: Path) -> None:
    table = {name: [*values, values[0]] for name, values in _table().items()}
    data = _load(_csv(images, table))
    assert len(data) == 12
    assert data.notes == ("1 row that repeats an earlier one left out",)


def test_groups_stay_on_one_side(images: Path) -> None:
    groups = ["p", "p", "q", "q", "r", "r", "r", "s", "s", "t", "t", ""]
    data = _load(_csv(images, _table(group=groups)))
    assert data.groups is not None
    for name in "pqrst":
        inside = [i for i, group in enumerate(groups) if group == name]
        assert len(set(data.groups[inside])) == len(set(data.is_train[inside])) == 1
    assert len(set(data.groups.tolist())) == 6
    for label in (0, 1):
        assert set(data.is_train[data.labels == label]) == {True, False}
    assert data.notes == ()
    torn = _load(_csv(images, _table(group=groups, split=["train", "test", "test", *["train"] * 8, "test"])))
    assert torn.is_train.tolist()[:4] == [True, False, False, True]
    assert [note for note in torn.notes if note.startswith("2 groups are on both sides of the given split")]
    alone = _refused(_csv(images, _table(group=["p" if i % 2 else f"{i}" for i in range(12)])))
    assert "all images of 1 class belong to one group: 8" in alone.what


def test_copies_join_groups(images: Path, write_image: Write) -> None:
    write_image(images / "11.png", 0)
    data = _load(_csv(images, _table(group=[f"{i // 2}" for i in range(12)], label=["a", "b"] * 5 + ["b", "a"])))
    assert data.groups is not None
    assert len({data.groups[i] for i in (0, 1, 10, 11)}) == 1


def test_a_box_is_the_image(images: Path, write_image: Write) -> None:
    for i in range(12):
        write_image(images / "masks" / f"{i:02d}.png", i, mask=True)
    boxes = ["2,3,20.5,19", ""] * 6
    file = _csv(images, _table(box=boxes, mask=[f"masks/{i:02d}.png" for i in range(12)]))
    data = _load(file)
    check_images(data)
    with Image.open(images / "02.png") as whole, Image.open(images / "masks/02.png") as mask:
        np.testing.assert_array_equal(data.pictures.image(2), whole.crop((2, 3, 21, 19)))
        np.testing.assert_array_equal(data.pictures.mask(2), mask.convert("L").crop((2, 3, 21, 19)))  # type: ignore[arg-type]
        np.testing.assert_array_equal(data.pictures.image(1), Image.open(images / "01.png"))
    plain = _load(_csv(images, _table()))
    digests, whole_digests = data.pictures.digests(), plain.pictures.digests()
    assert digests[2][0] == f"{whole_digests[2][0]}@2,3,21,19"
    assert digests[1][0] == whole_digests[1][0]
    four = _load(_csv(images, _table(x0=[2] * 12, y0=[3] * 12, x1=["20.5"] * 12, y1=[19] * 12)))
    np.testing.assert_array_equal(four.pictures.image(2), data.pictures.image(2))


def test_a_box_beyond_its_image_is_named_with_all_others(images: Path) -> None:
    data = _load(_csv(images, _table(box=["0,0,25,20", "0,0,24,20"] * 6)))
    with pytest.raises(TunerError, match="6 of 12 images") as caught:
        check_images(data)
    assert f"{images}/00.png: box 0,0,25,20 in an image of 24x20" in caught.value.what
    with pytest.raises(TunerError, match="box 0,0,25,20"):
        data.pictures.image(0)


def test_a_turned_photo_is_boxed_upright(images: Path) -> None:
    pixels = np.zeros((20, 24, 3), np.uint8)
    pixels[:, :12] = 255
    exif = Image.Exif()
    exif[274] = 6  # a quarter turn clockwise
    Image.fromarray(pixels).save(images / "00.png", exif=exif)
    data = _load(_csv(images, _table(box=["0,0,20,12", *[""] * 11])))
    assert data.pictures.image(0).size == (20, 12)
    assert np.asarray(data.pictures.image(0)).min() == 255


def test_crops_of_one_file_under_two_names_stay_together(images: Path) -> None:
    (images / "01.png").write_bytes((images / "00.png").read_bytes())
    data = _load(_csv(images, _table(box=["0,0,9,9", "9,9,19,19"] * 6)))
    assert data.content is not None
    assert data.content.tolist() == list(range(12))  # different pictures, so two labels are no contradiction
    assert data.groups is not None
    assert data.groups[1] == 0
    assert data.is_train[0] == data.is_train[1]


def test_a_split_file_and_a_part_work_here_too(images: Path) -> None:
    (images / "split.csv").write_text(
        "path,split\n" + "".join(f"{i:02d}.png,{'test' if i < 4 else 'train'}\n" for i in range(12))
    )
    data = _load(_csv(images, _table(box=["1,1,9,9"] * 12)), split_file=str(images / "split.csv"))
    assert data.is_train.tolist() == [False] * 4 + [True] * 8
    part = data.pictures.part(np.array([5, 2]))
    np.testing.assert_array_equal(part.image(1), data.pictures.image(2))
    assert part.digests() == [data.pictures.digests()[i] for i in (5, 2)]
    assert replace(data, pictures=part).pictures is part


def test_a_bucket_is_refused_where_only_folders_are_read() -> None:
    with pytest.raises(UsageError, match=r"data\.name=cub with data\.root=s3://b/x"):
        load_dataset(ManifestConfig(name="cub", root="s3://b/x"))
