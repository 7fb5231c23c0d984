"""One object, however its mask is encoded, is one object; what cannot be told is refused, what is odd is said."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_images

from tests.looked import check_images
from tuner.data.dataset import Dataset, FilePictures
from tuner.data.load import load_dataset
from tuner.data.settings import DataConfig
from tuner.errors import TunerError
from tuner.features.loading import batches

down, across = np.mgrid[:48, :64]
R = (down - 22) ** 2 + (across - 30) ** 2
OBJECT = R < 13**2
BORDER = (R < 16**2) & ~OBJECT
RING = (R < 13**2) & (R >= 9**2)  # the outer part of the object, for second labels
PLAIN = np.where(OBJECT, 255, 0).astype(np.uint8)

Images = list[Image.Image]


def _grey(*parts: tuple[np.ndarray, float], rest: float = 0, dtype: Any = np.uint8) -> Image.Image:
    """A picture with one value for each part, later ones on top."""
    values = np.full(OBJECT.shape, rest, dtype=dtype)
    for part, value in parts:
        values[part] = value
    return Image.fromarray(values)


def _palette(colours: list[tuple[int, int, int]], *parts: tuple[np.ndarray, int], rest: int = 0) -> Image.Image:
    image = Image.frombytes("P", (64, 48), _grey(*parts, rest=rest).tobytes())
    image.putpalette([level for colour in colours for level in colour])
    return image


def _colours(*parts: tuple[np.ndarray, tuple[int, ...]], rest: tuple[int, ...] = (0, 0, 0)) -> Image.Image:
    values = np.full((48, 64, len(rest)), rest, dtype=np.uint8)
    for part, colour in parts:
        values[part] = colour
    return Image.fromarray(values)


BLACK, WHITE, RED, TEAL, CREAM = (0, 0, 0), (255, 255, 255), (128, 0, 0), (0, 128, 128), (224, 224, 192)
ENCODINGS: dict[str, Callable[[], Image.Image]] = {
    "0/255": lambda: Image.fromarray(PLAIN),
    "0/1": lambda: _grey((OBJECT, 1)),
    "0/38": lambda: _grey((OBJECT, 38)),
    "1 bit": lambda: Image.fromarray(OBJECT),
    "16-bit 0/65535": lambda: _grey((OBJECT, 65535), dtype=np.uint16),
    "16-bit 0/1": lambda: _grey((OBJECT, 1), dtype=np.uint16),
    "16-bit 0/255": lambda: _grey((OBJECT, 255), dtype=np.uint16),
    "16-bit instances": lambda: _grey((OBJECT, 1001), (RING, 1002), dtype=np.uint16),
    "16-bit labels, void": lambda: _grey((OBJECT, 5), (RING, 7), (BORDER, 65535), dtype=np.uint16),
    "palette, dark": lambda: _palette([BLACK, (0, 0, 3)], (OBJECT, 1)),
    "palette, all black": lambda: _palette([BLACK, BLACK], (OBJECT, 1)),
    "palette, VOC": lambda: _palette([BLACK, RED, TEAL], (OBJECT, 1), (RING, 2)),
    "palette, grey": lambda: _palette([BLACK, WHITE], (OBJECT, 1)),
    "palette, white first": lambda: _palette([WHITE, BLACK], (OBJECT, 0), rest=1),
    "palette, unused first": lambda: _palette([BLACK, RED, BLACK], (OBJECT, 1), rest=2),
    "palette, coloured first": lambda: _palette([RED, BLACK], (OBJECT, 0), rest=1),
    "labels": lambda: _grey((OBJECT, 1), (RING, 2)),
    "many labels": lambda: _grey((OBJECT, 150), *((OBJECT & (across // 9 == i), 20 * i + 1) for i in range(7))),
    "labels, void 255": lambda: _grey((OBJECT, 1), (RING, 15), (BORDER, 255)),
    "label, void 255": lambda: _grey((OBJECT, 1), (BORDER, 255)),
    "rgb white": lambda: _colours((OBJECT, WHITE)),
    "rgb dark": lambda: _colours((OBJECT, (1, 0, 0))),
    "rgb labels": lambda: _colours((OBJECT, RED), (RING, TEAL)),
    "rgb labels, void": lambda: _colours((OBJECT, RED), (RING, TEAL), (BORDER, CREAM)),
    "rgba, opaque": lambda: _colours((OBJECT, (*RED, 255)), rest=(0, 0, 0, 255)),
    "rgba, cut out": lambda: _colours((OBJECT, (*RED, 255)), rest=(9, 9, 9, 0)),
    "rgba, black cut out": lambda: _colours((OBJECT, (0, 0, 0, 255)), rest=(0, 0, 0, 0)),
    "grey and alpha": lambda: _colours((OBJECT, (255, 255)), rest=(0, 255)),
    "trimap 1 2 3": lambda: _grey((OBJECT, 1), (BORDER, 3), rest=2),
    "trimap 0 128 255": lambda: _grey((OBJECT, 255), (BORDER, 128)),
    "float 0..1": lambda: _grey((OBJECT, 1.0), dtype=np.float32),
    "float labels": lambda: _grey((OBJECT, 1.0), (RING, 2.0), dtype=np.float32),
}


def _data(folder: Path, masks: Images, suffix: str = ".png", **options: Any) -> Dataset:
    """A data set whose images have these masks, in two classes."""
    for i, mask in enumerate(masks):
        name = f"{'ab'[i % 2]}/{i:02d}"
        for top in ("images", "masks"):
            (folder / top / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", mask.size, (90, 90, 90)).save(folder / "images" / f"{name}.png")
        mask.save(folder / "masks" / f"{name}{suffix}", **options)
    return load_dataset(DataConfig(name="folder", root=str(folder / "images"), masks=str(folder / "masks")))


def _read(data: Dataset, i: int = 0) -> np.ndarray:
    mask = data.pictures.mask(i)
    assert mask is not None
    assert mask.mode == "L"
    return np.asarray(mask)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("kind", ENCODINGS)
def test_one_object_in_every_encoding(tmp_path: Path, kind: str, suffix: str) -> None:
    if suffix == ".png" and kind.startswith("float"):
        suffix = ".tiff"
    data = _data(tmp_path, [ENCODINGS[kind]() for _ in range(4)], suffix)
    assert np.array_equal(_read(data), PLAIN)  # before the check, as a reader of a few images would
    again = load_dataset(DataConfig(name="folder", root=str(tmp_path / "images"), masks=str(tmp_path / "masks")))
    notes = check_images(again)
    assert notes[0].startswith(f"4 of 4 images have a mask, mean share {100 * OBJECT.mean():.3g} %; masks ")
    assert np.array_equal(_read(again), PLAIN)


@pytest.mark.parametrize(
    ("kind", "suffix", "options"),
    [
        ("0/255", ".jpg", {"quality": 60}),
        ("rgb white", ".jpg", {"quality": 60}),
        ("rgb labels", ".jpg", {"quality": 90, "subsampling": 0}),
        ("rgb white", ".webp", {"quality": 70}),
        ("rgb labels, void", ".webp", {"lossless": True}),
        ("0/255", ".gif", {}),
        ("palette, VOC", ".gif", {}),
        ("0/1", ".pgm", {}),
    ],
)
def test_lossy_and_other_files(tmp_path: Path, kind: str, suffix: str, options: dict[str, Any]) -> None:
    data = _data(tmp_path, [ENCODINGS[kind]() for _ in range(4)], suffix, **options)
    check_images(data)
    assert (_read(data) != PLAIN).mean() < (0.02 if suffix in (".jpg", ".webp") and "lossless" not in options else 1e-9)


def test_grey_masks_stay_grey(tmp_path: Path) -> None:
    """CUB's segmentations: the share of five people who drew a pixel as bird."""
    levels = np.clip(255 - 51 * np.maximum(np.sqrt(R) - 9, 0).astype(int), 0, 255).astype(np.uint8)
    assert np.unique(levels).tolist() == [0, 51, 102, 153, 204, 255]
    soft = 16.0 * np.sqrt(R)
    for name, values in (("votes", levels), ("edge", np.clip(300 - soft, 0, 255).astype(np.uint8))):
        data = _data(tmp_path / name, [Image.fromarray(values)] * 4)
        assert "masks are grey" in check_images(data)[0]
        assert np.array_equal(_read(data), values)
    deep = _data(tmp_path / "deep", [Image.fromarray(levels.astype(np.uint16) * 257)] * 4)
    floats = _data(tmp_path / "floats", [Image.fromarray(levels.astype(np.float32) / 255)] * 4, ".tif")
    for data in (deep, floats):
        assert np.array_equal(_read(data), levels)


def test_the_reading_is_one_for_all_masks(tmp_path: Path) -> None:
    """A mask without a void pixel, or without an object, is read as its neighbours are."""
    void = ENCODINGS["labels, void 255"]()
    plain, empty, only_void = _grey((OBJECT, 3)), _grey(), _grey((BORDER, 255))
    data = _data(tmp_path, [void, plain, empty, only_void])
    notes = check_images(data)
    order = {path: i for i, path in enumerate(data.paths)}
    assert "labels: 1, 3, 15 are the object; 0, and 255, void, are not" in notes[0]
    assert np.array_equal(_read(data, order["a/00.png"]), PLAIN)
    assert np.array_equal(_read(data, order["b/01.png"]), PLAIN)
    assert not _read(data, order["a/02.png"]).any()
    assert not _read(data, order["b/03.png"]).any()
    assert "2 of 4 masks are empty, such as that of a/02.png" in notes


def test_two_encodings_in_one_data_set(tmp_path: Path) -> None:
    data = _data(tmp_path, [_grey((OBJECT, 1)), _grey((OBJECT, 255)), _grey((OBJECT, 1)), Image.fromarray(OBJECT)])
    assert "two encodings, labels 1 and 255" in check_images(data)[0]
    for i in range(4):
        assert np.array_equal(_read(data, i), PLAIN)


def test_a_stray_pixel_does_not_turn_the_object_into_void(tmp_path: Path) -> None:
    stray = PLAIN.copy()
    stray[0, :3] = 1
    data = _data(tmp_path, [Image.fromarray(stray)] + [Image.fromarray(PLAIN)] * 3)
    check_images(data)
    assert np.array_equal(_read(data) >= 128, OBJECT)


@pytest.mark.parametrize(
    ("masks", "said"),
    [
        ([_grey((OBJECT, 2), rest=1)] * 4, r"background value is ambiguous \(1, 2\)"),
        ([_grey((OBJECT, 255), rest=7)] * 4, r"background value is ambiguous \(7, 255\)"),
        ([_grey((OBJECT, -1), dtype=np.int32)] * 4, r"mask of values from -1 to 0"),
        ([_grey((OBJECT, np.nan), dtype=np.float32)] * 4, r"mask of values from nan to nan"),
        ([_grey((OBJECT, 2.5), dtype=np.float32)] * 4, r"mask of fractions up to 2\.5"),
    ],
)
def test_masks_that_cannot_be_told_are_refused(tmp_path: Path, masks: Images, said: str) -> None:
    data = _data(tmp_path, masks, ".tif")
    with pytest.raises(TunerError, match=said):
        check_images(data)
    with pytest.raises(TunerError, match=said):
        data.pictures.mask(0)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_a_photograph_is_no_mask(tmp_path: Path, suffix: str) -> None:
    """What is called like a mask, or data.masks pointing at the images; the object cut out on black is one."""
    photo = np.asarray(Image.fromarray(load_sample_images().images[0]).resize((64, 48)))
    cut = np.where(OBJECT[..., None], photo, 0)
    data = _data(tmp_path / "photo", [Image.fromarray(photo)] * 4, suffix, quality=95)
    with pytest.raises(
        TunerError, match=r"(?s)4 of 4 images.* a photograph rather than a mask: more than 64 colours"
    ) as e:
        check_images(data)
    assert "rename an image whose name only looks like a mask" in e.value.todo
    data = _data(tmp_path / "cut", [Image.fromarray(cut)] * 4, suffix, quality=95)
    check_images(data)
    assert np.abs(_read(data) - PLAIN.astype(int)).mean() / 255 < (0.001 if suffix == ".png" else 0.05)


def test_a_mask_of_several_pages_is_refused(tmp_path: Path) -> None:
    data = _data(tmp_path, [Image.fromarray(PLAIN)] * 4, ".tif", save_all=True, append_images=[_grey()])
    with pytest.raises(TunerError, match="4 of 4 images") as caught:
        check_images(data)
    assert "several frames or pages" in caught.value.what


FULL, NONE = np.full_like(PLAIN, 255), np.zeros_like(PLAIN)


@pytest.mark.parametrize(
    ("masks", "said"),
    [
        ([PLAIN, np.roll(PLAIN, 1), PLAIN, PLAIN], []),
        ([PLAIN] * 4, ["all 4 masks are identical"]),
        ([np.where(across > i, 255, 0) for i in range(4)], ["masks cover nearly all"]),
        ([np.where((across < i) & (down < 1), 255, 0) for i in range(1, 5)], ["masks cover almost nothing"]),
        ([np.roll(255 - PLAIN, i) for i in range(4)], ["masks cover 100 % of the images' edges"]),
        ([NONE, FULL, PLAIN, PLAIN], ["1 of 4 masks are empty, such as that of a/00.png", "such as that of b/01.png"]),
        ([FULL] * 4, ["masks cover nearly all", "4 of 4 masks are all object", "identical"]),
        ([NONE] * 4, ["masks cover almost nothing", "4 of 4 masks are empty", "identical"]),
    ],
)
def test_odd_masks_are_said(tmp_path: Path, masks: list[np.ndarray], said: list[str]) -> None:
    notes = check_images(_data(tmp_path, [Image.fromarray(mask.astype(np.uint8)) for mask in masks]))
    assert len(notes) == 1 + len(said), notes
    assert all(part in note for part, note in zip(said, notes[1:], strict=True)), notes


def test_images_without_a_mask_are_counted(tmp_path: Path) -> None:
    _data(tmp_path, [Image.fromarray(np.roll(PLAIN, i)) for i in range(6)])
    for name in ("a/00.png", "b/03.png", "b/05.png"):
        (tmp_path / "masks" / name).unlink()
    data = load_dataset(DataConfig(name="folder", root=str(tmp_path / "images"), masks=str(tmp_path / "masks")))
    assert check_images(data)[0].startswith("3 of 6 images have a mask, mean share 16.8 %")


@pytest.mark.parametrize("tag", range(1, 9))
def test_masks_follow_their_own_tag_and_fit_the_upright_image(tmp_path: Path, tag: int) -> None:
    """A mask drawn on the upright photo fits; one stored lying with the same tag fits; one without it is refused."""
    exif = Image.Exif()
    exif[0x0112] = tag
    photo = np.stack([PLAIN] * 3, 2)
    names = [tmp_path / f"{name}.png" for name in ("photo", "upright", "tagged", "lying")]
    Image.fromarray(photo).save(names[0], exif=exif)
    Image.fromarray(PLAIN).save(names[2], exif=exif)
    Image.fromarray(PLAIN).save(names[3])
    upright = np.asarray(FilePictures(names[:1], [None]).image(0))[..., 0]
    Image.fromarray(np.ascontiguousarray(upright)).save(names[1])

    def data(mask: Path) -> Dataset:
        both = np.zeros(1, dtype=np.bool_)
        pictures = FilePictures(names[:1], [mask])
        return Dataset("folder", ("photo.png",), np.zeros(1, dtype=np.int64), ~both, ("a",), ~both, pictures)

    for mask in names[1:3]:
        notes = check_images(data(mask))
        assert any("their masks are expected upright" in note for note in notes) == (tag != 1)
        assert np.array_equal(_read(data(mask)), upright)
        loaded = next(batches(data(mask), [0], 16, (6, 8), 1))
        assert np.array_equal(loaded.masks[0] > 127, np.asarray(Image.fromarray(upright).resize((8, 6))) > 127)
    if tag >= 5:
        with pytest.raises(TunerError, match="mask of 64x48 for an image of 48x64, which is stored rotated") as caught:
            check_images(data(names[3]))
        assert "upright" in caught.value.todo
