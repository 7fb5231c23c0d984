"""Manifests of public data sets, made from miniatures of their archives."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.archives import cells, mat, miniature, written
from tests.looked import check_images
from tuner.base.progress import Silent
from tuner.data.kinds import DATASETS
from tuner.data.load import load_dataset
from tuner.data.masks import examine_mask, reading_of
from tuner.data.official.fetch import fetch
from tuner.data.official.manifest import Line, Options, write_manifest
from tuner.data.official.manifests import BUILDERS, make_manifest
from tuner.data.official.sources import SOURCES
from tuner.errors import TunerError, UsageError
from tuner.recipe import load_recipe

Rows = list[dict[str, str]]
Unpacked = Callable[[str], Path]


@pytest.fixture
def unpacked(tmp_path: Path) -> Unpacked:
    """The folder of a data set after its miniature archives were fetched."""

    def made(name: str) -> Path:
        source, files = miniature(name, tmp_path / "scratch")
        fetch(source, tmp_path / name, [str(written(files, tmp_path / "archives"))], Silent())
        return tmp_path / name

    return made


def manifest(root: Path, name: str, **options: object) -> Rows:
    file, lines = make_manifest(SOURCES[name], root, Options(**options), Silent())  # type: ignore[arg-type]
    assert file == root / f"{name}.csv"
    with file.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == len(lines)
    assert [row["path"] for row in rows] == sorted({row["path"] for row in rows})
    assert all((root / row["path"]).is_file() for row in rows)
    assert all((root / row["mask"]).is_file() for row in rows if row.get("mask"))
    return rows


def split(rows: Rows, side: str) -> list[str]:
    return [row["path"] for row in rows if row["split"] == side]


def test_flowers(unpacked: Unpacked) -> None:
    root = unpacked("flowers")
    rows = manifest(root, "flowers")
    assert list(rows[0]) == ["path", "label", "split", "mask"]
    assert rows[0] == {
        "path": "jpg/image_00001.jpg", "label": "077", "split": "train", "mask": "masks/image_00001.png",
    }  # fmt: skip
    assert {row["label"] for row in rows} == {"007", "077"}
    assert split(rows, "val") == ["jpg/image_00005.jpg", "jpg/image_00006.jpg"]
    assert [len(split(rows, side)) for side in ("train", "val", "test")] == [4, 2, 6]
    facts = [examine_mask(root / row["mask"]) for row in rows]
    assert {fact.size for fact in facts} == {(40, 30)}
    reading = reading_of(np.stack([fact.counts for fact in facts]))
    shares = reading.shares(np.stack([fact.counts for fact in facts]))
    assert shares == pytest.approx(256 / 1200, abs=0.06), "the flower, and what JPEG blurs around it"
    mask = np.asarray(Image.open(root / "masks" / "image_00001.png"))
    assert (mask[10:22, 10:22] == 255).all()
    assert not mask[:, 32:].any()


def test_flowers_without_segmentations_and_masks_that_are_there_already(unpacked: Unpacked) -> None:
    root = unpacked("flowers")
    manifest(root, "flowers")
    (root / "masks" / "image_00002.png").write_bytes(b"made by hand")
    manifest(root, "flowers")
    assert (root / "masks" / "image_00002.png").read_bytes() == b"made by hand"
    for file in (root / "segmim").iterdir():
        file.unlink()
    assert list(manifest(root, "flowers")[0]) == ["path", "label", "split"]


def test_pets(unpacked: Unpacked) -> None:
    root = unpacked("pets")
    rows = manifest(root, "pets")
    assert rows[0] == {
        "path": "images/Abyssinian_1.jpg", "label": "Abyssinian", "split": "train",
        "mask": "annotations/trimaps/Abyssinian_1.png",
    }  # fmt: skip
    assert sorted({row["label"] for row in rows}) == ["Abyssinian", "american_bulldog"]
    assert [len(split(rows, side)) for side in ("train", "val", "test")] == [4, 0, 4]
    counts = np.stack([examine_mask(root / row["mask"]).counts for row in rows])
    reading = reading_of(counts)
    assert "trimaps: 1 is the object; 2, background, and 3, border, are not" in reading.says
    assert reading.shares(counts) == pytest.approx(16 * 16 / 1200)


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        ("", ["707-320", "F/A-18", "MD 11"]),
        ("family", ["Boeing 707", "F/A-18", "MD 11"]),
        ("manufacturer", ["Boeing", "McDonnell Douglas"]),
    ],
)
def test_aircraft(unpacked: Unpacked, labels: str, classes: list[str]) -> None:
    root = unpacked("aircraft")
    rows = manifest(root, "aircraft", labels=labels)
    assert sorted({row["label"] for row in rows}) == classes
    assert [len(split(rows, side)) for side in ("train", "val", "test")] == [3, 3, 3]
    assert {row["box"] for row in rows} == {"0,0,40,30"}, "50 rows less the banner's 20"
    cropped = manifest(root, "aircraft", labels=labels, crop=True)
    assert {row["box"] for row in cropped} == {"2,4,38,30"}, "from 3 5 38 41, counted from 1, above the banner"


def test_dogs(unpacked: Unpacked) -> None:
    root = unpacked("dogs")
    rows = manifest(root, "dogs")
    assert rows[0] == {
        "path": "Images/n02085620-Chihuahua/n02085620_1.jpg", "label": "Chihuahua", "split": "train",
    }  # fmt: skip
    assert sorted({row["label"] for row in rows}) == ["Chihuahua", "Shih-Tzu"]
    assert [len(split(rows, side)) for side in ("train", "test")] == [4, 4]
    assert {row["box"] for row in manifest(root, "dogs", crop=True)} == {"3,2,40,25"}, "both dogs, within the image"


@pytest.mark.skipif("manifest" not in DATASETS, reason="this version has no data.name=manifest")
@pytest.mark.parametrize(
    ("name", "classes", "n_train", "n_masks", "size"),
    [
        ("flowers", ("007", "077"), 6, 12, (40, 30)),
        ("pets", ("Abyssinian", "american_bulldog"), 4, 8, (40, 30)),
        ("aircraft", ("707-320", "F/A-18", "MD 11"), 6, 0, (36, 26)),
        ("dogs", ("Chihuahua", "Shih-Tzu"), 4, 0, (37, 23)),
    ],
)
def test_a_recipe_reads_it(
    unpacked: Unpacked, name: str, classes: tuple[str, ...], n_train: int, n_masks: int, size: tuple[int, int]
) -> None:
    root = unpacked(name)
    file, _ = make_manifest(SOURCES[name], root, Options(crop=SOURCES[name].crops), Silent())
    recipe = load_recipe("folder", ["data.name=manifest", f"data.root={root}", f"data.manifest={file}"])
    data = load_dataset(recipe.data)
    assert data.class_names == classes
    assert (data.is_train.sum(), data.has_mask.sum()) == (n_train, n_masks)
    assert data.pictures.image(0).size == size
    check_images(data)


@pytest.mark.parametrize("name", BUILDERS)
def test_a_folder_without_the_data_set_says_how_to_get_it(name: str, tmp_path: Path) -> None:
    with pytest.raises(TunerError, match=r"is missing|cannot be read") as caught:
        make_manifest(SOURCES[name], tmp_path, Options(), Silent())
    assert f"qpm-tuner data fetch {name} --root {tmp_path}" in caught.value.todo


MALFORMED = [
    ("flowers", "setid.mat", mat(trnid=np.array([13]), valid=np.array([1]), tstid=np.array([2])), "image 13"),
    ("flowers", "setid.mat", mat(trnid=np.array([0.5]), valid=np.array([1]), tstid=np.array([2])), r"image 0\.5"),
    ("flowers", "setid.mat", mat(trnid=np.array([3, 1]), valid=np.array([1]), tstid=np.array([2])), "listed twice"),
    ("flowers", "setid.mat", mat(trnid=np.array([1])), "lacks tstid, valid"),
    ("flowers", "imagelabels.mat", b"MATLAB 5.0 MAT-file" + bytes(200), "cannot be read"),
    ("flowers", "imagelabels.mat", mat(labels=np.array([1, 2])), "image 3"),
    ("flowers", "imagelabels.mat", mat(labels=cells(["rose"] * 12)), "label 'rose'"),
    ("pets", "annotations/test.txt", b"Abyssinian_2 1 1\n", "class"),
    ("pets", "annotations/test.txt", b"Abyssinian 1 1 1\n", "<breed>_<number>"),
    ("pets", "annotations/test.txt", b"Bengal_2 1 1 1\n", "a class of Abyssinian and Bengal"),
    ("pets", "annotations/test.txt", b"Abyssinian_9 1 1 1\n", "are missing, such as images/Abyssinian_9.jpg"),
    ("aircraft", "fgvc-aircraft-2013b/data/images_box.txt", b"0034309 1 2 3\n", "box '1 2 3'"),
    ("aircraft", "fgvc-aircraft-2013b/data/images_box.txt", b"0034309 1 2 3 4\n", "has no box"),
    ("aircraft", "fgvc-aircraft-2013b/data/images_box.txt", b"0034309 1 40 9 45\n", "nothing is left"),
    ("aircraft", "fgvc-aircraft-2013b/data/images_variant_val.txt", b"0034309\n", "'0034309'"),
    ("dogs", "train_list.mat", mat(file_list=cells(["a/b.jpg"]), labels=np.array([[1]])), "image a/b.jpg"),
    ("dogs", "train_list.mat", mat(file_list=cells(["n-a/../b"]), labels=np.array([[1]])), "image n-a/../b"),
    ("dogs", "train_list.mat", mat(file_list=cells(["n-a/b", "n-a/c"]), labels=np.array([[1]])), "2 files and 1"),
    ("dogs", "train_list.mat", mat(file_list=cells(["n-a/b.jpg"]), labels=np.array([[1]])), "cannot be read"),
    ("dogs", "Annotation/n02085620-Chihuahua/n02085620_1", b"<annotation>", "cannot be read"),
    ("dogs", "Annotation/n02085620-Chihuahua/n02085620_1", b"<annotation/>", "has no box within 40x30"),
]


@pytest.mark.parametrize(("name", "file", "content", "what"), MALFORMED, ids=range(len(MALFORMED)))
def test_malformed_lists_are_named(unpacked: Unpacked, name: str, file: str, content: bytes, what: str) -> None:
    root = unpacked(name)
    (root / file).write_bytes(content)
    with pytest.raises(TunerError, match=what) as caught:
        make_manifest(SOURCES[name], root, Options(crop=SOURCES[name].crops), Silent())
    assert all(caught.value.args)
    assert not (root / f"{name}.csv").exists()


def test_one_label_of_two_breeds_of_dogs(unpacked: Unpacked) -> None:
    root = unpacked("dogs")
    files = ["n02085620-Chihuahua/n02085620_1.jpg", "n02086240-Shih-Tzu/n02086240_1.jpg"]
    (root / "train_list.mat").write_bytes(mat(file_list=cells(files), labels=np.array([[1], [1]])))
    with pytest.raises(UsageError, match="label 1 of Chihuahua and Shih-Tzu"):
        make_manifest(SOURCES["dogs"], root, Options(), Silent())


@pytest.mark.parametrize(
    ("name", "options", "what"),
    [
        ("cub", Options(), "a manifest of cub, which has a reader of its own"),
        ("pets", Options(labels="family"), "labels family of pets"),
        ("aircraft", Options(labels="airline"), "labels airline of aircraft"),
        ("flowers", Options(crop=True), "crop of flowers"),
    ],
)
def test_what_a_data_set_does_not_have(name: str, options: Options, what: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=what):
        make_manifest(SOURCES[name], tmp_path, options, Silent())


def test_cells_that_hold_commas_quotes_and_lines(tmp_path: Path) -> None:
    labels = ['a, "b"', "c\nd", " e "]
    for i in range(3):
        (tmp_path / f"{i},.jpg").touch()
    lines = [Line(f"{i},.jpg", label, "train", box=(0, i, 4, 9)) for i, label in enumerate(labels)]
    write_manifest(tmp_path / "x.csv", tmp_path, lines, "")
    with (tmp_path / "x.csv").open(newline="") as stream:
        rows = list(csv.reader(stream))
    assert rows[1:] == [[f"{i},.jpg", label, "train", f"0,{i},4,9"] for i, label in enumerate(labels)]
    with pytest.raises(TunerError, match="lists no images"):
        write_manifest(tmp_path / "x.csv", tmp_path, [], "")
