"""Split files as spreadsheets save them are read; what is wrong with one is said by line."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tuner.data.load import load_dataset
from tuner.data.settings import DataConfig
from tuner.data.split_file import read_split_file
from tuner.errors import TunerError, UsageError

Write = Callable[..., Path]
PLAIN = "path,split\na/0.png,train\na/1.png,test\nb/0.png,train\n"


@pytest.mark.parametrize(
    "content",
    [
        PLAIN.encode("utf-8-sig"),
        PLAIN.replace("\n", "\r\n").encode("utf-8-sig"),
        PLAIN.replace("\n", "\r").encode(),
        PLAIN.encode("utf-16"),
        PLAIN.replace(",", "\t").encode("utf-16"),
        PLAIN.replace(",", ";").encode(),
        ("sep=;\n" + PLAIN.replace(",", ";")).encode(),
        PLAIN.replace(",", ", ").replace("\n", " \n").encode(),
        PLAIN.replace("a/", "./a/").replace("b/", ".\\b\\").encode(),
        PLAIN.replace("train", "Train").replace("test", "TEST").encode(),
        PLAIN.replace("path,split", '"Path","Split"').encode(),
        PLAIN.replace("\n", ",,\n").encode(),
        (PLAIN + "\n,\n" + "a/0.png,train\n").encode(),  # blank lines, and a row that agrees with an earlier one
        PLAIN.replace("split\n", "split,note\n").replace("train\n", "train,x\n").replace("test\n", "test,\n").encode(),
    ],
)
def test_split_files_of_spreadsheets(tmp_path: Path, write_image: Write, content: bytes) -> None:
    for i, name in enumerate(("a/0.png", "a/1.png", "b/0.png")):
        write_image(tmp_path / "root" / name, i)
    (tmp_path / "split.csv").write_bytes(content)
    config = DataConfig(name="folder", root=str(tmp_path / "root"), split_file=str(tmp_path / "split.csv"))
    assert load_dataset(config).is_train.tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf\n \n", "is empty"),
        (b"path,split\n", "no line below its header"),
        (b"a/0.png,train\n", "first line is 'a/0.png,train', without path, split"),
        (b"path,side\na/0.png,train\n", "without split"),
        (b"path,split,split\na/0.png,train,test\n", "line 1 names split twice"),
        (b"path,split\na/0.png,train\n./a/0.png,test\n", "line 3: a/0.png has split 'test', but 'train' in line 2"),
        (b"path,split\na/0.png,\n", "line 2: no split"),
        (b"path,split\n\n,train\n", "line 3: no path"),
        (b"path,split\na/0.png\n", "line 2 has 1 cell"),
        (b"path,split\na/0, 1.png,train\n", "line 2 has 3 cells"),
        (b'path,split\n"a/0.png,train\n', "line 2: unexpected end of data"),
        (b"path,split\na/0.png,holdout\n", "line 2: split 'holdout'"),
        (b"path,split\na/0.png,tr\xe9n\n", r"line 2: split 'tr\\xe9n' is not UTF-8"),
        (b"PK\3\4\0\0\0\0", "is not a text file"),
        ("path,split\n".encode("utf-16-le"), "is not a text file"),
    ],
)
def test_what_is_refused_is_named_by_line(tmp_path: Path, write_image: Write, content: bytes, said: str) -> None:
    for i, name in enumerate(("a/0.png", "b/0.png")):
        write_image(tmp_path / "root" / name, i)
    split = tmp_path / "split.csv"
    split.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        load_dataset(DataConfig(name="folder", root=str(tmp_path / "root"), split_file=str(split)))
    assert said in caught.value.what
    assert str(split) in caught.value.what
    assert caught.value.expected
    assert caught.value.todo


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("path,side\na,train\n", "lacks columns"),
        ("", "is empty"),
        ("path,split\na,train\nb,dev\n", r"line 3: split 'dev'"),
        ("path,split\na,train\n", "differ in 1 path: 1 image not in it, such as b"),
        ("path,split\na,train\nb,test\nc,test\n", r"1 row without an image, such as c \(line 4\)"),
    ],
)
def test_a_wrong_split_file_is_explained(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "split.csv"
    file.write_text(text)
    with pytest.raises(UsageError, match=said):
        read_split_file(file, ["a", "b"])


def test_a_split_file_follows_the_order_of_the_paths(tmp_path: Path) -> None:
    file = tmp_path / "split.csv"
    file.write_text("path,split\nb,test\na,train\n")
    assert read_split_file(file, ["a", "b"]).tolist() == [True, False]
    with pytest.raises(TunerError, match="cannot be read"):
        read_split_file(tmp_path / "none.csv", ["a"])
