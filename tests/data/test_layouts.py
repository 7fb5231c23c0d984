"""Every layout is read from files as its publisher lays them out, made small."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from tests.looked import check_images
from tuner.data.dataset import Entry, assemble
from tuner.data.load import load_dataset
from tuner.data.settings import DataConfig
from tuner.errors import TunerError, UsageError
from tuner.recipe import load_recipe

Write = Callable[..., Path]


@pytest.fixture
def cub(tmp_path: Path, write_image: Write) -> Path:
    """The official layout: 2 classes, 5 images not in the order of their paths, one without a mask."""
    root = tmp_path / "CUB_200_2011"
    names = ["001.B/z.jpg", "001.B/a.jpg", "002.A/k.jpg", "002.A/c.jpg", "001.B/m.jpg"]
    for i, name in enumerate(names):
        write_image(root / "images" / name, i)
        if i != 2:
            write_image((tmp_path / "segmentations" / name).with_suffix(".png"), i, mask=True)
    rows = list(enumerate(names, start=1))
    (root / "images.txt").write_text("".join(f"{i} {name}\n" for i, name in rows))
    (root / "image_class_labels.txt").write_text("".join(f"{i} {int(name[2])}\n" for i, name in rows))
    (root / "train_test_split.txt").write_text("".join(f"{i} {i % 2}\n" for i, _ in rows))
    (root / "classes.txt").write_text("1 001.B\n2 002.A\n")
    (root / "parts").mkdir()
    (root / "parts" / "part_locs.txt").write_text("1 1 3.5 4.0 1\n1 2 0.0 0.0 0\n3 2 12.0 20.5 1\n9 1 1.0 1.0 1\n")
    (root / "parts" / "parts.txt").write_text("1 left wing\n2 tail\n")
    (tmp_path / "attributes.txt").write_text("1 has_bill_shape::dagger\n2 has_size::small\n3 has_size::large\n")
    (root / "attributes").mkdir()
    (root / "attributes" / "class_attribute_labels_continuous.txt").write_text("0.0 12.5 100.0\n50 0 25\n")
    (root / "attributes" / "image_attribute_labels.txt").write_text(
        "1 1 1 4 2.7\n1 2 0 3 1.5\n1 3 1 2 1.5\n3 2 1 3 0 0 1.2\n4 1 0 1 1.0\n"
    )
    return root


def test_cub(cub: Path) -> None:
    data = load_dataset(DataConfig(name="cub", root=str(cub)))
    assert data.paths == ("001.B/a.jpg", "001.B/m.jpg", "001.B/z.jpg", "002.A/c.jpg", "002.A/k.jpg")
    assert data.labels.tolist() == [0, 0, 0, 1, 1]
    assert data.is_train.tolist() == [False, True, True, False, True]
    assert data.has_mask.tolist() == [True, True, True, True, False]
    assert data.class_names == ("001.B", "002.A")
    assert data.class_attributes is not None
    assert data.class_attributes.tolist() == [[0, 12.5, 100], [50, 0, 25]]
    assert data.image_attributes is not None
    assert data.image_attributes[2].tolist() == [1, 0, -1]  # z.jpg: certainty 4, 3 and 2
    assert data.image_attributes[4].tolist() == [-1, 1, -1]  # k.jpg, a row with stray columns
    assert data.image_attributes[3].tolist() == [-1, -1, -1]  # c.jpg: certainty 1
    assert data.part_names == ("left wing", "tail")
    assert data.attribute_names == ("has_bill_shape::dagger", "has_size::small", "has_size::large")
    assert data.parts is not None
    assert data.parts.shape == (5, 2, 3)
    assert data.parts[2].tolist() == [[3.5, 4, 1], [0, 0, 0]]  # z.jpg: its second part is hidden
    assert data.parts[4].tolist() == [[0, 0, 0], [12, 20.5, 1]]
    assert data.parts[:, :, 2].sum() == 2, "image 9 is not listed"
    check_images(data)
    assert data.pictures.image(0).mode == "RGB"
    mask = data.pictures.mask(0)
    assert mask is not None
    assert mask.mode == "L"
    assert data.pictures.mask(4) is None


def test_cub_from_the_folder_above_and_without_extras(cub: Path) -> None:
    for file in (*(cub / "attributes").iterdir(), *(cub / "parts").iterdir()):
        file.unlink()
    (cub.parent / "segmentations").rename(cub.parent / "elsewhere")
    data = load_dataset(DataConfig(name="cub", root=str(cub.parent)))
    assert not data.has_mask.any()
    assert data.class_attributes is None
    assert data.image_attributes is None
    assert data.parts is None


@pytest.fixture
def third_class(cub: Path, write_image: Write) -> Path:
    """The same with a third class, `003.C`, of two images that are listed before the others."""
    for i, (number, path) in enumerate({7: "003.C/a.jpg", 8: "003.C/b.jpg"}.items()):
        write_image(cub / "images" / path, 5 + i)
        for file, line in (
            ("images.txt", f"{number} {path}"),
            ("image_class_labels.txt", f"{number} 3"),
            ("train_test_split.txt", f"{number} {i}"),
        ):
            (cub / file).write_text(f"{line}\n{(cub / file).read_text()}")
    (cub / "classes.txt").write_text("3 003.C\n1 001.B\n2 002.A\n")
    attributes = cub / "attributes" / "class_attribute_labels_continuous.txt"
    attributes.write_text(attributes.read_text() + "1 2 3\n")
    return cub


def test_the_first_classes_are_what_a_listing_of_them_alone_is(cub: Path, third_class: Path) -> None:
    whole = load_dataset(DataConfig(name="cub", root=str(third_class)))
    assert (len(whole), len(whole.class_names)) == (7, 3)
    first = load_dataset(DataConfig(name="cub", root=str(third_class), classes=2))
    assert first.paths == whole.paths[:5]
    assert first.class_names == ("001.B", "002.A")
    assert first.is_train.tolist() == [False, True, True, False, True]
    for name in ("labels", "has_mask", "image_attributes", "parts"):
        assert np.array_equal(getattr(first, name), getattr(whole, name)[:5]), name
    assert first.class_attributes is not None
    assert first.class_attributes.tolist() == [[0, 12.5, 100], [50, 0, 25]]
    assert first.pictures.digests() == whole.pictures.digests()[:5]
    assert "the first 2 of 3 classes (data.classes)" in first.notes


def test_a_split_file_of_all_classes_serves_the_first_ones(third_class: Path, tmp_path: Path) -> None:
    whole = load_dataset(DataConfig(name="cub", root=str(third_class)))
    split = tmp_path / "split.csv"
    sides = ["test" if side else "train" for side in whole.is_train]
    split.write_text("path,split\n" + "".join(f"{p},{s}\n" for p, s in zip(whole.paths, sides, strict=True)))
    first = load_dataset(DataConfig(name="cub", root=str(third_class), classes=2, split_file=str(split)))
    assert first.is_train.tolist() == [True, False, False, True, False]
    split.write_text("".join(split.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(UsageError, match="1 image not in it"):
        load_dataset(DataConfig(name="cub", root=str(third_class), classes=2, split_file=str(split)))


def test_more_classes_than_there_are_and_classes_of_what_has_none_to_choose(cub: Path) -> None:
    with pytest.raises(UsageError, match=r"data\.classes=3, but .* has 2 classes"):
        load_dataset(DataConfig(name="cub", root=str(cub), classes=3))
    with pytest.raises(UsageError, match=r"data\.classes=5 with data\.name=digits, which has all its 10 classes"):
        load_dataset(DataConfig(classes=5))
    with pytest.raises(UsageError, match=r"data\.classes=51, but .* has 2 classes"):
        load_dataset(DataConfig(name="cub50", root=str(cub), classes=51))


def test_the_recipe_of_fifty_classes_reads_the_official_folder_and_a_compact_copy(
    tmp_path: Path, write_image: Write
) -> None:
    official, compact = tmp_path / "CUB_200_2011", tmp_path / "compact"
    lines: dict[str, list[str]] = {name: [] for name in ("images", "image_class_labels", "train_test_split", "classes")}
    table = []
    for number in range(1, 105):
        label, folder = (number + 1) // 2, f"{(number + 1) // 2:03d}.Bird"
        path = write_image(official / "images" / folder / f"{number}.png", number)
        for name, value in (("images", f"{folder}/{path.name}"), ("image_class_labels", label)):
            lines[name].append(f"{number} {value}\n")
        lines["train_test_split"].append(f"{number} {number % 2}\n")
        if number % 2:
            lines["classes"].append(f"{label} {folder}\n")
        if label <= 50:
            table.append(f"{number},{folder}/{path.name},{label - 1},{'train' if number % 2 else 'test'}\n")
            write_image(compact / "images" / folder / path.name, number)
    for name, found in lines.items():
        (official / f"{name}.txt").write_text("".join(found))
    (compact / "metadata.csv").write_text("image_id,path,class,split\n" + "".join(table))
    (compact / "classes.csv").write_text("class,name\n" + "".join(f"{i},{i + 1:03d}.Bird\n" for i in range(50)))
    recipe = load_recipe("cub50")
    assert (recipe.data.name, recipe.data.classes) == ("cub", 50)
    loaded = [
        load_dataset(replace(recipe.data, root=str(root), **changed))
        for root in (official, official.parent, compact)
        for changed in ({}, {"name": "cub50"}, {"name": "cub50", "classes": 0})
    ]
    assert {len(data) for data in loaded} == {100}
    for data in loaded:
        assert data.paths == loaded[0].paths
        assert data.class_names == loaded[0].class_names
        assert np.array_equal(data.is_train, loaded[0].is_train)
        assert data.pictures.digests() == loaded[0].pictures.digests()
    with pytest.raises(UsageError, match="is a compact copy") as caught:
        load_dataset(DataConfig(name="cub", root=str(compact)))
    assert "data.classes=50" in caught.value.todo


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        ("1 1 3 4\n", "4 columns"),
        ("1 1 3 x 1\n", "cannot be read"),
        ("1 1 3 4 1\n1 1 5 6 1\n", "part 1 of image 1 twice"),
        ("1 1.5 3 4 1\n", "no number of one"),
        ("1 0 3 4 1\n", "no number of one"),
        ("1 1 nan 4 1\n", "no number"),
        ("1 1 3 4 0\n", "no visible part"),
        ("8 1 3 4 1\n", "no visible part"),
    ],
)
def test_odd_parts_are_refused(cub: Path, lines: str, what: str) -> None:
    (cub / "parts" / "part_locs.txt").write_text(lines)
    with pytest.raises(UsageError, match=what):
        load_dataset(DataConfig(name="cub", root=str(cub)))


def test_cub_incomplete(cub: Path) -> None:
    listing = cub / "image_class_labels.txt"
    listing.write_text(listing.read_text().replace("4 2\n", ""))
    with pytest.raises(TunerError, match="image 4 has no class"):
        load_dataset(DataConfig(name="cub", root=str(cub)))
    listing.unlink()
    with pytest.raises(TunerError, match=r"image_class_labels\.txt cannot be read"):
        load_dataset(DataConfig(name="cub", root=str(cub)))


@pytest.mark.parametrize("name", ["cub", "cub50", "cars", "folder"])
def test_a_missing_data_set_says_what_to_do(name: str, tmp_path: Path) -> None:
    with pytest.raises(TunerError, match="there is no folder") as caught:
        load_dataset(DataConfig(name=name, root=str(tmp_path / "nowhere")))
    assert "data.root" in caught.value.todo
    with pytest.raises(UsageError, match=r"without data\.root"):
        load_dataset(DataConfig(name=name))


def test_an_unknown_data_set() -> None:
    with pytest.raises(UsageError, match="birds"):
        load_dataset(DataConfig(name="birds", root="."))


@pytest.mark.slow
def test_cub50_real(shared_data: Path) -> None:
    data = load_dataset(DataConfig(name="cub50", root=str(shared_data / "cub50")))
    assert (len(data), data.is_train.sum(), data.has_mask.sum()) == (2889, 1500, 2887)
    assert list(data.paths) == sorted(data.paths)
    assert np.bincount(data.labels).min() >= 41
    assert data.class_names[0] == "001.Black_footed_Albatross"
    assert all(path.startswith(data.class_names[label]) for path, label in zip(data.paths, data.labels, strict=True))
    assert data.class_attributes is not None
    assert data.class_attributes.shape == (50, 312)
    assert data.parts is not None
    assert data.parts.shape == (2889, 15, 3)
    inside = [data.parts[i][data.parts[i, :, 2] > 0, :2] <= data.pictures.image(i).size for i in range(0, 2889, 300)]
    assert all(part.all() for part in inside)
    mask = data.pictures.mask(0)
    assert mask is not None
    assert mask.size == data.pictures.image(0).size


def test_cub50_without_its_listing(tmp_path: Path) -> None:
    with pytest.raises(TunerError, match=r"metadata\.csv cannot be read"):
        load_dataset(DataConfig(name="cub50", root=str(tmp_path)))


@pytest.mark.slow
def test_folder_equals_cub50(shared_data: Path, tmp_path: Path) -> None:
    """The same images through the general door: same order, labels, split, masks and contents."""
    import csv

    root = shared_data / "cub50"
    split = tmp_path / "split.csv"
    with (root / "metadata.csv").open() as source, split.open("w") as target:
        target.write("path,split\n")
        for row in csv.DictReader(source):
            target.write(f"{row['path']},{row['split']}\n")
            mask = root / "masks" / f"{int(row['image_id']):05d}.png"
            if mask.exists():
                link = (tmp_path / "masks" / row["path"]).with_suffix(".png")
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(mask)
    official = load_dataset(DataConfig(name="cub50", root=str(root)))
    general = load_dataset(
        DataConfig(name="folder", root=str(root / "images"), masks=str(tmp_path / "masks"), split_file=str(split))
    )
    assert general.paths == official.paths
    assert general.class_names == official.class_names
    for name in ("labels", "is_train", "has_mask"):
        assert np.array_equal(getattr(general, name), getattr(official, name)), name
    assert general.pictures.digests() == official.pictures.digests()


def test_folder_with_a_cut(tmp_path: Path, write_image: Write) -> None:
    for i in range(12):
        write_image(tmp_path / "root" / "ab"[i % 2] / "deep" / f"{i:02d}.png", i)
    (tmp_path / "root" / "a" / "notes.txt").write_text("not an image")
    data = load_dataset(DataConfig(name="folder", root=str(tmp_path / "root"), test_fraction=0.5))
    assert data.paths[0] == "a/deep/00.png"
    assert [data.is_train[data.labels == label].sum() for label in (0, 1)] == [3, 3]
    assert not data.has_mask.any()
    (tmp_path / "masks").mkdir()
    with pytest.raises(UsageError, match=r"for example a/deep/00\.png"):
        load_dataset(DataConfig(name="folder", root=str(tmp_path / "root"), masks=str(tmp_path / "masks")))
    (tmp_path / "root" / "empty").mkdir()
    with pytest.raises(UsageError, match="0 class folders"):
        load_dataset(DataConfig(name="folder", root=str(tmp_path / "root" / "empty")))


def test_every_class_needs_a_training_image(tmp_path: Path, write_image: Write) -> None:
    for name in ("a/0.png", "a/1.png", "b/0.png"):
        write_image(tmp_path / "root" / name, 0)
    (tmp_path / "split.csv").write_text("path,split\na/0.png,train\na/1.png,test\nb/0.png,test\n")
    with pytest.raises(UsageError, match="1 class of folder without a training image: b"):
        load_dataset(DataConfig(name="folder", root=str(tmp_path / "root"), split_file=str(tmp_path / "split.csv")))


def _cars_table(fields: tuple[str, ...], rows: list[tuple[object, ...]]) -> np.ndarray:
    table = np.empty(len(rows), dtype=[(field, object) for field in fields])
    table[:] = rows
    return table


def test_cars_in_three_layouts(tmp_path: Path) -> None:
    names = np.array(["Acura RL", "BMW M3"], dtype=object)
    single, devkit, csv = tmp_path / "single", tmp_path / "devkit-layout", tmp_path / "csv"
    for folder in (single, devkit / "devkit", csv):
        folder.mkdir(parents=True)
    rows = [("car_ims/2.jpg", 9, 2, 1), ("car_ims/1.jpg", 9, 1, 0), ("car_ims/3.jpg", 9, 2, 0)]
    table = _cars_table(("relative_im_path", "bbox_x1", "class", "test"), rows)
    savemat(single / "cars_annos.mat", {"annotations": table, "class_names": names})
    data = load_dataset(DataConfig(name="cars", root=str(single)))
    assert data.paths == ("car_ims/1.jpg", "car_ims/2.jpg", "car_ims/3.jpg")
    assert data.labels.tolist() == [0, 1, 1]
    assert data.is_train.tolist() == [True, False, True]
    assert data.class_names == ("Acura RL", "BMW M3")

    fields = ("bbox_x1", "class", "fname")
    savemat(devkit / "devkit" / "cars_meta.mat", {"class_names": names})
    train = _cars_table(fields, [(9, 2, "00002.jpg"), (9, 1, "00001.jpg")])
    savemat(devkit / "devkit" / "cars_train_annos.mat", {"annotations": train})
    with pytest.raises(TunerError, match="withlabels"):
        load_dataset(DataConfig(name="cars", root=str(devkit)))
    test = _cars_table(fields, [(9, 2, "00001.jpg")])
    savemat(devkit / "cars_test_annos_withlabels.mat", {"annotations": test})
    data = load_dataset(DataConfig(name="cars", root=str(devkit)))
    assert data.paths == ("cars_test/00001.jpg", "cars_train/00001.jpg", "cars_train/00002.jpg")
    assert data.labels.tolist() == [1, 0, 1]
    assert data.is_train.tolist() == [False, True, True]

    (csv / "annotations.csv").write_text(
        "path,class,split\nx/2.jpg,BMW M3,test\nx/1.jpg,Acura RL,train\nx/3.jpg,BMW M3,train\n"
    )
    data = load_dataset(DataConfig(name="cars", root=str(csv)))
    assert data.paths == ("x/1.jpg", "x/2.jpg", "x/3.jpg")
    assert (data.labels.tolist(), data.is_train.tolist()) == ([0, 1, 1], [True, False, True])


def test_cars_malformed(tmp_path: Path) -> None:
    with pytest.raises(TunerError, match="no annotation"):
        load_dataset(DataConfig(name="cars", root=str(tmp_path)))
    savemat(tmp_path / "cars_annos.mat", {"class_names": np.array(["a"], dtype=object)})
    with pytest.raises(TunerError, match="lacks annotations"):
        load_dataset(DataConfig(name="cars", root=str(tmp_path)))
    (tmp_path / "cars_annos.mat").write_bytes(b"MATLAB? no" * 30)
    with pytest.raises(TunerError, match="cannot be read"):
        load_dataset(DataConfig(name="cars", root=str(tmp_path)))
    (tmp_path / "annotations.csv").write_text("file,class\n1.jpg,a\n")
    with pytest.raises(UsageError, match="lacks columns"):
        load_dataset(DataConfig(name="cars", root=str(tmp_path)))


def test_a_listing_cannot_leave_its_folder(tmp_path: Path) -> None:
    for path in ("../../etc/passwd", "/etc/passwd", "s3://bucket/secret.png"):
        with pytest.raises(UsageError, match="leaves"):
            assemble(DataConfig(name="cub"), tmp_path, [Entry(path, 0, True)], ["a"])
    with pytest.raises(TunerError, match="lists no images"):
        assemble(DataConfig(name="cub"), tmp_path, [], [])


def test_digits() -> None:
    data = load_dataset(DataConfig())
    assert len(data) == 1797
    assert list(data.paths) == sorted(data.paths)
    assert data.is_train.sum() == pytest.approx(0.75 * 1797, abs=5)
    assert all(path.startswith("train/") == side for path, side in zip(data.paths, data.is_train, strict=True))
    image, mask = data.pictures.image(0), data.pictures.mask(0)
    assert mask is not None
    assert (image.mode, image.size, mask.size) == ("RGB", (8, 8), (8, 8))
    ink = np.asarray(mask) > 0
    assert np.asarray(image)[ink].min() >= 128 > np.asarray(image)[~ink].max()
    other = load_dataset(DataConfig(split_seed=1))
    assert set(other.paths) != set(data.paths)
    with pytest.raises(UsageError, match="digits"):
        load_dataset(DataConfig(root="somewhere"))
