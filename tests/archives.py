"""Miniatures of the official archives of public data sets, with the folders, files and oddities of the true ones."""

import gzip
import hashlib
import io
import tarfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat

from tests.cub import write_cub
from tuner.data.official.sources import SOURCES, Source

Files = dict[str, bytes]


def picture(number: int, size: tuple[int, int] = (40, 30), kind: str = "JPEG") -> bytes:
    """An image file of noise, another one for each number."""
    noise = np.random.default_rng(number).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    return saved(noise, kind)


def saved(pixels: np.ndarray, kind: str) -> bytes:
    """The bytes of an image file."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


def mat(**variables: np.ndarray) -> bytes:
    """The bytes of a MATLAB file."""
    stream = io.BytesIO()
    savemat(stream, variables)
    return stream.getvalue()


def cells(texts: Iterable[str]) -> np.ndarray:
    """A column of MATLAB cells."""
    listed = list(texts)
    column = np.empty((len(listed), 1), dtype=object)
    column[:, 0] = listed
    return column


def tar(files: Files, *, packed: bool = True) -> bytes:
    """The bytes of a tar archive, the same on each call."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return gzip.compress(stream.getvalue(), mtime=0) if packed else stream.getvalue()


def below(folder: Path) -> Files:
    """All files in a folder, by their paths from there."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def cub(scratch: Path) -> Files:
    write_cub(scratch)
    files = below(scratch)
    birds = {name: content for name, content in files.items() if name.startswith("CUB_200_2011/")}
    masks = {name: content for name, content in files.items() if name.startswith("segmentations/")}
    names = "".join(f"{i} has_wing::{i}\n" for i in range(1, 9)).encode()
    return {"CUB_200_2011.tgz": tar({"attributes.txt": names, **birds}), "segmentations.tgz": tar(masks)}


def cars(_: Path) -> Files:
    rows = [(f"{i:05d}.jpg", 1 + i % 2) for i in range(1, 5)]
    table = np.empty(len(rows), dtype=[("bbox_x1", object), ("class", object), ("fname", object)])
    table[:] = [(9, label, name) for name, label in rows]
    devkit = {
        "devkit/cars_meta.mat": mat(class_names=np.array([["Acura RL", "BMW M3"]], dtype=object)),
        "devkit/cars_train_annos.mat": mat(annotations=table),
        "devkit/README.txt": b"...",
    }
    return {
        "cars_train.tgz": tar({f"cars_train/{name}": picture(i) for i, (name, _) in enumerate(rows)}),
        "cars_test.tgz": tar({f"cars_test/{name}": picture(10 + i) for i, (name, _) in enumerate(rows)}),
        "car_devkit.tgz": tar(devkit),
        "cars_test_annos_withlabels.mat": mat(annotations=table),
    }


def flowers(_: Path) -> Files:
    """Twelve images of two classes; flowers are squares on blue."""
    images, segmentations = {}, {}
    for i in range(1, 13):
        images[f"jpg/image_{i:05d}.jpg"] = picture(i)
        pixels = np.full((30, 40, 3), (0, 0, 254), np.uint8)
        pixels[8:24, 8:24] = (200, 180, 20)
        segmentations[f"segmim/segmim_{i:05d}.jpg"] = saved(pixels, "JPEG")
    return {
        "102flowers.tgz": tar(images),
        "imagelabels.mat": mat(labels=np.array([[77, 7] * 6], np.uint8)),
        "setid.mat": mat(
            trnid=np.array([[1, 2, 3, 4]], np.uint16),
            valid=np.array([[6, 5]], np.uint16),
            tstid=np.arange(7, 13, dtype=np.uint16)[None],
        ),
        "102segmentations.tgz": tar(segmentations),
    }


def pets(_: Path) -> Files:
    names = [f"{breed}_{i}" for breed in ("Abyssinian", "american_bulldog") for i in range(1, 5)]
    trimap = np.full((30, 40), 2, np.uint8)
    trimap[7:25, 7:25] = 3
    trimap[8:24, 8:24] = 1
    images = {f"images/{name}.jpg": picture(i) for i, name in enumerate(names)}
    lines = [f"{name} {1 + i // 4} {1 + i // 4} 1\n" for i, name in enumerate(names)]
    annotations = {
        "annotations/README": b"...",
        "annotations/list.txt": ("#Image CLASS-ID SPECIES BREED ID\n" + "".join(lines)).encode(),
        "annotations/trainval.txt": "".join(lines[::2]).encode(),
        "annotations/test.txt": "".join(lines[1::2]).encode(),
        **{f"annotations/trimaps/{name}.png": saved(trimap, "PNG") for name in names},
        "annotations/trimaps/._Abyssinian_1.png": b"Mac OS X",
        "annotations/xmls/Abyssinian_1.xml": b"<annotation/>",
    }
    return {
        "images.tar.gz": tar({**images, "images/Abyssinian_100.mat": b"stray"}),
        "annotations.tar.gz": tar(annotations),
    }


def aircraft(_: Path) -> Files:
    """Nine photographs of 40 x 50 pixels, the lowest 20 rows a banner."""
    data = "fgvc-aircraft-2013b/data"
    labels = {"variant": ("707-320", "F/A-18", "MD 11"), "family": ("Boeing 707", "F/A-18", "MD 11")}
    labels["manufacturer"] = ("Boeing", "McDonnell Douglas", "McDonnell Douglas")
    numbers = [f"{34309 + i:07d}" for i in range(9)]
    files = {f"{data}/images/{number}.jpg": picture(i, (40, 50)) for i, number in enumerate(numbers)}
    files[f"{data}/images_box.txt"] = "".join(f"{number} 3 5 38 41\n" for number in numbers).encode()
    for kind, names in labels.items():
        for i, split in enumerate(("train", "val", "test")):
            rows = [f"{number} {names[j % 3]}\n" for j, number in enumerate(numbers) if j // 3 == i]
            files[f"{data}/images_{kind}_{split}.txt"] = "".join(rows).encode()
    return {"fgvc-aircraft-2013b.tar.gz": tar({**files, "fgvc-aircraft-2013b/evaluation.m": b"%"})}


def dogs(_: Path) -> Files:
    folders = {"n02085620-Chihuahua": 1, "n02086240-Shih-Tzu": 2}
    paths = [f"{folder}/{folder.partition('-')[0]}_{i}.jpg" for folder in folders for i in range(1, 5)]
    corners = ("xmin", "ymin", "xmax", "ymax")
    boxes = [(3, 5, 20, 25), (10, 2, 41, 20)]
    xml = "<annotation><size><width>40</width></size>{}</annotation>".format(
        "".join(
            "<object><name>dog</name><bndbox>"
            + "".join(f"<{name}>{value}</{name}>" for name, value in zip(corners, box, strict=True))
            + "</bndbox></object>"
            for box in boxes
        )
    ).encode()
    lists = {}
    for name, listed in (("train_list", paths[::2]), ("test_list", paths[1::2]), ("file_list", paths)):
        labels = np.array([[folders[path.partition("/")[0]]] for path in listed], np.uint8)
        annotations = cells(path.removesuffix(".jpg") for path in listed)
        lists[f"{name}.mat"] = mat(file_list=cells(listed), annotation_list=annotations, labels=labels)
    return {
        "images.tar": tar({f"Images/{path}": picture(i) for i, path in enumerate(paths)}, packed=False),
        "lists.tar": tar(lists, packed=False),
        "annotation.tar": tar({f"Annotation/{path.removesuffix('.jpg')}": xml for path in paths}, packed=False),
    }


MINIATURES: dict[str, Callable[[Path], Files]] = {
    "cub": cub,
    "cars": cars,
    "flowers": flowers,
    "pets": pets,
    "aircraft": aircraft,
    "dogs": dogs,
}


def miniature(name: str, scratch: Path) -> tuple[Source, Files]:
    """A data set whose checksums are those of its miniature archives, and these."""
    source, files = SOURCES[name], MINIATURES[name](scratch)
    assert files.keys() == {archive.name for archive in source.archives}
    known = tuple(replace(a, md5=hashlib.md5(files[a.name]).hexdigest()) for a in source.archives)
    return replace(source, archives=known), files


def written(files: Files, folder: Path) -> Path:
    """The folder with these files in it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder
