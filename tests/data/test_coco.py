"""COCO annotations become masks: polygons, plain and compressed run lengths, joined for each image."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.looked import check_images
from tuner.data.coco import decoded, drawn
from tuner.data.dataset import Dataset
from tuner.data.load import load_dataset
from tuner.data.settings import DataConfig
from tuner.errors import TunerError, UsageError

Write = Callable[..., Path]


def _encoded(runs: list[int]) -> str:
    """Run lengths as COCO's tools compress them: the other direction, written from the format's description."""
    text = ""
    for i, run in enumerate(runs):
        value = run - runs[i - 2] if i > 2 else run
        while True:
            bits, value = value & 31, value >> 5
            more = value != (-1 if bits & 16 else 0)
            text += chr(48 + bits + 32 * more)
            if not more:
                break
    return text


def _runs(mask: np.ndarray) -> list[int]:
    flat = mask.T.ravel()
    ends = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff([0, *ends, flat.size]).tolist()
    return [0, *runs] if flat[0] else runs


@pytest.mark.parametrize("seed", range(4))
def test_run_lengths_are_read_in_both_forms(seed: int) -> None:
    mask = np.random.default_rng(seed).random((37, 53)) < 0.4
    mask[:, 20:40] = seed % 2 == 0  # long runs, of several characters
    runs = _runs(mask)
    assert decoded(_encoded(runs)) == runs
    for counts in (runs, _encoded(runs)):
        np.testing.assert_array_equal(drawn({"size": [37, 53], "counts": counts}, (53, 37)), mask)


def test_a_polygon_fills_what_it_surrounds() -> None:
    mask = drawn([[2, 3, 9, 3, 9, 7, 2, 7], [20, 0, 23, 0, 23, 3]], (24, 20))
    assert mask[3:8, 2:10].all()
    assert mask.sum() - 40 in range(6, 11)  # the triangle with its edge
    assert not mask[10:].any()


@pytest.fixture
def photos(tmp_path: Path, write_image: Write) -> Path:
    for i in range(8):
        write_image(tmp_path / f"photos/{'ab'[i % 2]}/{i}.png", i)
    return tmp_path


def _file(folder: Path, shapes: dict[str, list[Any]], size: tuple[int, int] = (24, 20)) -> str:
    images = [{"id": i, "file_name": name, "width": size[0], "height": size[1]} for i, name in enumerate(shapes)]
    annotations = [
        {"image_id": i, "segmentation": shape, "category_id": 1}
        for i, found in enumerate(shapes.values())
        for shape in found
    ]
    (folder / "instances.json").write_text(json.dumps({"images": images, "annotations": annotations}))
    return str(folder / "instances.json")


def _load(folder: Path, masks: str) -> Dataset:
    return load_dataset(DataConfig(name="folder", root=str(folder / "photos"), masks=masks))


def test_annotations_of_an_image_are_joined(photos: Path) -> None:
    left, right = [[0, 0, 9, 0, 9, 19, 0, 19]], [[20, 0, 23, 0, 23, 19, 20, 19]]
    masks = _file(photos, {"a/0.png": [left, right], "3.png": [left], "a/2.png": [], "other/9.png": [left]})
    data = _load(photos, masks)
    notes = check_images(data)
    assert data.has_mask.tolist() == [True, False, False, False, False, True, False, False]
    assert notes[0].startswith("2 of 8 images have a mask, mean share 50 %")
    assert any("1 image of" in note and "other/9.png" in note for note in data.notes)
    mask = data.pictures.mask(0)
    assert isinstance(mask, Image.Image)
    assert np.asarray(mask)[0].tolist() == [255] * 10 + [0] * 10 + [255] * 4
    changed = _load(photos, _file(photos, {"a/0.png": [left], "3.png": [left]}))
    rows = [
        i
        for i, pair in enumerate(zip(data.pictures.digests(), changed.pictures.digests(), strict=True))
        if pair[0] != pair[1]
    ]
    assert rows == [0]


@pytest.mark.parametrize(
    ("shape", "size", "said"),
    [
        ([[1, 2, 3, 4]], (24, 20), "segmentation is malformed (a polygon of 4 numbers)"),
        ({"size": [20, 24], "counts": [5, 5]}, (24, 20), "RLE of 10 pixels"),
        ({"size": [9, 9], "counts": [81]}, (24, 20), "RLE of [9, 9]"),
        ([[0, 0, 5, 0, 5, 5]], (30, 20), "mask of 30x20 for an image of 24x20"),
    ],
)
def test_a_broken_segmentation_is_named_with_its_image(
    photos: Path, shape: Any, size: tuple[int, int], said: str
) -> None:
    data = _load(photos, _file(photos, {"a/0.png": [shape], "b/1.png": [shape]}, size))
    with pytest.raises(TunerError, match="2 of 8 images") as caught:
        check_images(data)
    assert said in caught.value.what
    assert "instances.json, a/0.png" in caught.value.what


def test_what_is_no_coco_file_is_refused(photos: Path) -> None:
    with pytest.raises(TunerError, match="cannot be read"):
        _load(photos, str(photos / "none.json"))
    for text in ("", "[]", "{}", '{"images": [{}], "annotations": []}'):
        (photos / "x.json").write_text(text)
        with pytest.raises(UsageError, match="is not such a file"):
            _load(photos, str(photos / "x.json"))
    with pytest.raises(UsageError, match="no image of"):
        _load(photos, _file(photos, {"z.png": [[[0, 0, 9, 0, 9, 9]]]}))
