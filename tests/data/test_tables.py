"""Tables as people save them: read as they are meant, or refused by file and line; every cell stays text."""

import os
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import savemat

from tuner.data.dataset import Dataset
from tuner.data.load import load_dataset
from tuner.data.paths import clean_path
from tuner.data.settings import DataConfig
from tuner.data.tables import read_csv, read_listing
from tuner.errors import TunerError, UsageError

Write = Callable[..., Path]
ODD = ["NA", "None", "null", "nan", "1e5", "007", "true", "no", "Golden eagle", "a, b", 'the "best"', "50%", "#1", "é"]


def _cars(folder: Path, names: list[str], write_image: Write) -> Dataset:
    """Two images for each class, one for training, listed in a CSV."""
    lines = ["path,class,split"]
    for i, name in enumerate(name for name in names for _ in (0, 1)):
        write_image(folder / f"{i}.png", i)
        quoted = '"' + name.replace('"', '""') + '"' if set(name) & set(',"') else name
        lines.append(f"{i}.png,{quoted},{('train', 'test')[i % 2]}")
    (folder / "annotations.csv").write_text("\n".join(lines) + "\n")
    return load_dataset(DataConfig(name="cars", root=str(folder)))


def _cub(folder: Path, files: list[str], names: list[str], write_image: Write) -> None:
    """The listings of CUB: two files for each class, the first one for training."""
    for i, file in enumerate(files):
        write_image(folder / "images" / file, i)
    rows = list(enumerate(files, start=1))
    (folder / "images.txt").write_text("".join(f"{i} {file}\n" for i, file in rows))
    (folder / "image_class_labels.txt").write_text("".join(f"{i} {(i + 1) // 2}\n" for i, _ in rows))
    (folder / "train_test_split.txt").write_text("".join(f"{i} {i % 2}\n" for i, _ in rows))
    (folder / "classes.txt").write_text("".join(f"{i} {name}\n" for i, name in enumerate(names, start=1)))


def test_class_names_stay_text_in_a_csv(tmp_path: Path, write_image: Write) -> None:
    data = _cars(tmp_path, ODD, write_image)
    assert sorted(data.class_names) == sorted(ODD)
    labels = {path: data.class_names[label] for path, label in zip(data.paths, data.labels, strict=True)}
    assert labels == {f"{i}.png": ODD[i // 2] for i in range(2 * len(ODD))}


def test_class_and_file_names_stay_whole_in_listings(tmp_path: Path, write_image: Write) -> None:
    files = [f"{i // 2} of them/my file {i}.png" for i in range(2 * len(ODD))]
    _cub(tmp_path, files, ODD, write_image)
    data = load_dataset(DataConfig(name="cub", root=str(tmp_path)))
    assert data.class_names == tuple(ODD)
    assert data.paths == tuple(sorted(files))
    assert {data.paths[i]: data.class_names[label] for i, label in enumerate(data.labels)} == {
        file: ODD[i // 2] for i, file in enumerate(files)
    }


def test_class_names_stay_text_in_the_compact_copy(tmp_path: Path, write_image: Write) -> None:
    write_image(tmp_path / "images" / "0.png", 0)
    write_image(tmp_path / "images" / "1.png", 1)
    (tmp_path / "classes.csv").write_text("class,name\n1,NA\n0,1e5\n")
    (tmp_path / "metadata.csv").write_text("image_id,path,class,split\n1,0.png,0,train\n2,1.png,1,Train\n")
    (tmp_path / "class_attributes.csv").write_text("class,bill,wing\n1,10.5,0\n0,3,100\n")
    data = load_dataset(DataConfig(name="cub50", root=str(tmp_path)))
    assert data.class_names == ("1e5", "NA")
    assert data.class_attributes is not None
    assert data.class_attributes.tolist() == [[3, 100], [10.5, 0]]
    for file, text, said in (
        ("class_attributes.csv", "class,bill\n0,3\n", "lacks class 1"),
        ("class_attributes.csv", "class,bill\n0,3\n1,NA\n", r"line 3: bill 'NA'"),
        ("metadata.csv", "image_id,path,class,split\n1,0.png,5,train\n", r"line 2: class '5'"),
        ("metadata.csv", "image_id,path,class,split\n1.0,0.png,0,train\n", r"line 2: image_id '1\.0'"),
        ("metadata.csv", "image_id,path,class,split\n1,0.png,0,val\n", r"line 2: split 'val'"),
        ("classes.csv", "class,name\n0,a\n0,b\n", r"line 3: 0 has name 'b', but 'a' in line 2"),
    ):
        before = (tmp_path / file).read_text()
        (tmp_path / file).write_text(text)
        with pytest.raises(UsageError, match=said):
            load_dataset(DataConfig(name="cub50", root=str(tmp_path)))
        (tmp_path / file).write_text(before)


def test_a_table_that_is_a_folder_or_missing(tmp_path: Path) -> None:
    for file in (tmp_path, tmp_path / "none.csv"):
        with pytest.raises(TunerError, match="cannot be read") as caught:
            read_csv(file, ("path",), "check data.split_file")
        assert caught.value.todo == "check data.split_file"


def test_names_composed_and_decomposed_and_of_raw_bytes(tmp_path: Path, write_image: Write) -> None:
    raw = os.fsdecode(b"b/\xe9t\xe9.png")
    for i, name in enumerate(("a/e\u0301te\u0301.png", raw)):
        write_image(tmp_path / "root" / name, i)
    (tmp_path / "split.csv").write_bytes(
        "path,split\na/\u00e9t\u00e9.png,train\n".encode() + b"b/\xe9t\xe9.png,train\n"
    )
    config = DataConfig(name="folder", root=str(tmp_path / "root"), split_file=str(tmp_path / "split.csv"))
    assert load_dataset(config).is_train.tolist() == [True, True]
    _cub(tmp_path / "cub", ["0/x.png", "0/y.png", "1/e\u0301.png", "1/z.png"], ["a", "b"], write_image)
    listing = tmp_path / "cub" / "images.txt"
    listing.write_text(
        unicodedata.normalize("NFC", listing.read_text()).replace("0/x", ".\\0\\x"), encoding="utf-8-sig"
    )
    data = load_dataset(DataConfig(name="cub", root=str(tmp_path / "cub")))
    assert data.paths == ("0/x.png", "0/y.png", "1/e\u0301.png", "1/z.png")
    assert len(data.pictures.digests()) == 4


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("images.txt", "1 0/a.png\n2\n", r"images\.txt, line 2: '2'"),
        ("images.txt", "", r"images\.txt is empty"),
        ("images.txt", "one 0/a.png\n", "line 1: image 'one'"),
        ("images.txt", "1 0/a.png\n1 0/b.png\n", "line 2: 1 has path '0/b.png', but '0/a.png' in line 1"),
        ("images.txt", "1 0/a.png\n2 0/b.png\n3 0/a.png\n4 1/d.png\n", "image 0/a.png is listed twice"),
        ("images.txt", "1 0/a.png\n9 0/b.png\n", r"images\.txt, line 2: image 9 has no class"),
        ("image_class_labels.txt", "1 1\n2 1\n3 two\n4 2\n", "line 3: class 'two'"),
        ("image_class_labels.txt", "1 1\n2 1.5\n3 2\n4 2\n", r"line 2: class '1\.5'"),
        ("image_class_labels.txt", "1 1\n2 3\n3 2\n4 2\n", "line 2: class '3'"),
        ("image_class_labels.txt", "1 1\n2 1\n3 2\n4 2\n4 1\n", "line 5: 4 has class '1', but '2' in line 4"),
        ("train_test_split.txt", "1 1\n2 2\n3 1\n4 0\n", "line 2: is_train '2'"),
        ("train_test_split.txt", "1 train\n2 1\n3 1\n4 0\n", "line 1: is_train 'train'"),
        ("classes.txt", "1 a\n2 a\n", "two classes called a"),
        ("classes.txt", "1 a\n1 b\n", "line 2: 1 has name 'b', but 'a' in line 1"),
        ("attributes/class_attribute_labels_continuous.txt", "1 2\n3 x\n", "could not convert"),
        ("attributes/class_attribute_labels_continuous.txt", "1 2\n", "has 1 line"),
        ("attributes/image_attribute_labels.txt", "1 1 1 4\n2 0 1 4\n", "line 2: '2 0 1 4'"),
        ("attributes/image_attribute_labels.txt", "1 1 1 4\n2 1 yes 4\n", "line 2: '2 1 yes 4'"),
        ("attributes/image_attribute_labels.txt", "1 1\n", "line 1: '1 1"),
        ("attributes/image_attribute_labels.txt", "1 1 1 4\n1 0 1 4\n", "line 2: '1 0 1 4'"),
        ("attributes/image_attribute_labels.txt", "1 1 2 4\n", "line 1: '1 1 2 4'"),
        ("attributes/image_attribute_labels.txt", "", r"labels\.txt is empty"),
    ],
)
def test_a_wrong_listing_is_refused_by_line(
    tmp_path: Path, write_image: Write, file: str, text: str, said: str
) -> None:
    _cub(tmp_path, ["0/a.png", "0/b.png", "1/c.png", "1/d.png"], ["a", "b"], write_image)
    (tmp_path / "attributes").mkdir()
    (tmp_path / file).write_text(text)
    with pytest.raises(TunerError, match=said):
        load_dataset(DataConfig(name="cub", root=str(tmp_path)))


def test_lines_of_images_that_are_not_listed_are_counted(tmp_path: Path, write_image: Write) -> None:
    _cub(tmp_path, ["0/a.png", "0/b.png", "1/c.png", "1/d.png"], ["a", "b"], write_image)
    with (tmp_path / "image_class_labels.txt").open("a") as stream:
        stream.write("5 1\n6 2\n")
    data = load_dataset(DataConfig(name="cub", root=str(tmp_path)))
    assert data.notes == ("image_class_labels.txt has 2 lines for images that images.txt does not list",)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([("1.png", 3, 0)], "annotation 1: class 3"),
        ([("1.png", 1, 0), ("2.png", 1.5, 0)], r"annotation 2: class 1\.5"),
        ([("1.png", "NA", 0)], "annotation 1: class 'NA'"),
        ([("1.png", 1, 2)], "annotation 1: test 2"),
        ([("1.png", 1, 0), ("./1.png", 2, 1)], r"image 1\.png is listed twice"),
    ],
)
def test_wrong_matlab_annotations_are_refused(tmp_path: Path, rows: list[tuple[object, ...]], said: str) -> None:
    table = np.empty(len(rows), dtype=[(name, object) for name in ("relative_im_path", "class", "test")])
    table[:] = rows
    names = np.array(["NA", "None"], dtype=object)
    savemat(tmp_path / "cars_annos.mat", {"annotations": table, "class_names": names})
    with pytest.raises(UsageError, match=said):
        load_dataset(DataConfig(name="cars", root=str(tmp_path)))


def test_matlab_annotations_without_their_fields(tmp_path: Path) -> None:
    for table in (np.arange(3), np.zeros(2, dtype=[("fname", object)])):
        savemat(tmp_path / "cars_annos.mat", {"annotations": table, "class_names": np.array(["a"], dtype=object)})
        with pytest.raises(UsageError, match="lack relative_im_path"):
            load_dataset(DataConfig(name="cars", root=str(tmp_path)))


@pytest.mark.slow
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), min_size=1), min_size=1, max_size=5))
def test_a_listing_gives_back_what_was_written(names: list[str]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "classes.txt"
        wanted = [name.strip() for name in names if name.strip()]
        file.write_text("".join(f"{i} {name}\n" for i, name in enumerate(wanted, start=1)), encoding="utf-8")
        if wanted:
            rows = read_listing(file, ("class", "name"), "")
            assert [(row.integer("class"), row["name"]) for row in rows] == list(enumerate(wanted, start=1))


def test_paths_in_their_plain_form() -> None:
    for path in ("a/b.png", "./a/b.png", ".\\a\\b.png", "a//b.png", "a/./b.png"):
        assert clean_path(path) == "a/b.png"
    assert clean_path("../b.png") == "../b.png"  # refused later: it leaves the folder
