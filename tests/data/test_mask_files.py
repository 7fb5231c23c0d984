"""Masks find their image by name, and what finds none is counted."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tuner.data.dataset import Dataset
from tuner.data.load import load_dataset
from tuner.data.settings import DataConfig
from tuner.errors import UsageError

Write = Callable[..., Path]


@pytest.fixture
def root(tmp_path: Path, write_image: Write) -> Path:
    for i in range(8):
        write_image(tmp_path / "root" / ("benign", "malignant")[i % 2] / f"x ({i}).png", i)
    return tmp_path / "root"


def _load(root: Path, **settings: str) -> Dataset:
    return load_dataset(DataConfig(name="folder", root=str(root), **settings))  # type: ignore[arg-type]


def _notes(data: Dataset) -> str:
    return "\n".join(data.notes)


@pytest.mark.parametrize(
    "mask",
    ["x (0)_mask.png", "x (0)-Mask.bmp", "x (0)_mask_1.png", "x (0) mask (1).png", "x (0)_seg.png", "masks/x (0).png",
     "Masks/x (0)_mask.png", "x (0)_Segmentation.png", "x (0)_GT.png", "x (0)-ground_truth.png", "x (0)_trimap.png",
     "mask_x (0).png", "Seg-x (0).bmp", "GT/x (0).png", "labels/x (0).png"],
)  # fmt: skip
def test_a_mask_beside_its_image(root: Path, write_image: Write, mask: str) -> None:
    file = write_image(root / "benign" / mask, 0, mask=True)
    data = _load(root)
    assert len(data) == 8
    assert data.has_mask.tolist() == [True] + [False] * 7
    assert data.pictures.masks == (file, *[None] * 7)  # type: ignore[attr-defined]
    assert "1 file among the images: taken for their masks" in _notes(data)


def test_images_and_masks_in_folders_of_each_class(root: Path, write_image: Write) -> None:
    for name in ("benign", "malignant"):
        for file in sorted((root / name).iterdir()):
            (root / name / "images").mkdir(exist_ok=True)
            write_image(root / name / "masks" / file.name, 0, mask=True)
            file.rename(root / name / "images" / file.name)
    write_image(root / "benign" / "masks" / "lost.png", 0, mask=True)
    data = _load(root)
    assert (len(data), int(data.has_mask.sum())) == (8, 8)
    assert "1 mask file matches no image, such as benign/masks/lost.png" in _notes(data)


def test_several_masks_of_an_image_are_not_used(root: Path, write_image: Write) -> None:
    write_image(root / "benign" / "x (0)_mask.png", 0, mask=True)
    write_image(root / "benign" / "x (0)_mask_1.png", 1, mask=True)
    data = _load(root)
    assert (len(data), int(data.has_mask.sum())) == (8, 0)
    assert "1 image has several masks, such as benign/x (0)_mask.png" in _notes(data)


def test_a_mask_without_its_image_is_no_image_among_masks(root: Path, write_image: Write) -> None:
    write_image(root / "benign" / "x (0)_mask.png", 0, mask=True)
    write_image(root / "benign" / "x (77)_mask.png", 2, mask=True)
    data = _load(root)
    assert len(data) == 8
    assert "1 mask file matches no image, such as benign/x (77)_mask.png" in _notes(data)


def test_names_alone_make_no_mask(tmp_path: Path, write_image: Write) -> None:
    """People with a mask: no image lies beside, so these are the images."""
    for i in range(6):
        write_image(tmp_path / ("with_mask", "without_mask")[i % 2] / f"person_{i}_mask.png", i)
    data = _load(tmp_path)
    assert (len(data), int(data.has_mask.sum()), data.notes) == (6, 0, ())


def test_a_class_called_mask_in_split_folders_may_have_masks(tmp_path: Path, write_image: Write) -> None:
    for i, folder in enumerate(("train/mask", "train/none", "test/mask", "test/none")):
        write_image(tmp_path / folder / "x.png", i)
    write_image(tmp_path / "train" / "mask" / "x_mask.png", 0, mask=True)
    data = _load(tmp_path)
    assert data.class_names == ("mask", "none")
    assert data.paths == ("test/mask/x.png", "test/none/x.png", "train/mask/x.png", "train/none/x.png")
    assert data.has_mask.tolist() == [False, False, True, False]


def test_mask_files_that_match_nothing_are_counted(root: Path, write_image: Write, tmp_path: Path) -> None:
    masks = tmp_path / "masks"
    write_image(masks / "benign" / "x (0).png", 0, mask=True)
    for i in range(1, 8):
        write_image(masks / ("benign", "malignant")[i % 2] / f"y ({i})_mask.png", i, mask=True)
    (masks / "benign" / "x (2).npy").write_bytes(b"\0")
    write_image(masks / "benign" / "._x (4).png", 0, mask=True)
    data = _load(root, masks=str(masks))
    assert int(data.has_mask.sum()) == 1
    assert "7 mask files match no image, such as benign/y (2)_mask.png" in _notes(data)
    assert "1 image of 8 found a mask" in _notes(data)
    assert "1 file in" in _notes(data)
    assert "x (2).npy" in _notes(data)


@pytest.mark.parametrize("pattern", ["{}.PNG", "{}_mask.png", "{}_segmentation.bmp", "mask_{}.png", "{}_gt.tif"])
def test_masks_in_a_folder_of_their_own_by_any_of_these_names(
    root: Path, write_image: Write, tmp_path: Path, pattern: str
) -> None:
    wanted = [
        write_image(tmp_path / "masks" / ("benign", "malignant")[i % 2] / pattern.format(f"x ({i})"), i, mask=True)
        for i in (0, 2, 4, 6, 1, 3, 5, 7)
    ]
    data = _load(root, masks=str(tmp_path / "masks"))
    assert data.pictures.masks == tuple(wanted)  # type: ignore[attr-defined]
    assert data.notes == ()


def test_two_masks_of_one_image_are_refused(root: Path, write_image: Write, tmp_path: Path) -> None:
    for name in ("x (0).png", "x (0).bmp"):
        write_image(tmp_path / "masks" / "benign" / name, 0, mask=True)
    with pytest.raises(UsageError, match=r"benign/x \(0\)\.bmp, benign/x \(0\)\.png .* are masks of the same image"):
        _load(root, masks=str(tmp_path / "masks"))


def test_images_of_one_name_share_a_mask_and_that_is_said(root: Path, write_image: Write, tmp_path: Path) -> None:
    write_image(root / "benign" / "x (0).jpg", 9)
    write_image(tmp_path / "masks" / "benign" / "x (0).png", 0, mask=True)
    data = _load(root, masks=str(tmp_path / "masks"))
    assert int(data.has_mask.sum()) == 2
    assert "1 mask is shared by images of the same name, such as benign/x (0).jpg, benign/x (0).png" in _notes(data)


def test_a_folder_of_masks_overrules_masks_beside(root: Path, write_image: Write, tmp_path: Path) -> None:
    write_image(root / "benign" / "x (0)_mask.png", 0, mask=True)
    wanted = write_image(tmp_path / "masks" / "benign" / "x (2).png", 2, mask=True)
    data = _load(root, masks=str(tmp_path / "masks"))
    assert data.pictures.masks == (None, wanted, *[None] * 6)  # type: ignore[attr-defined]
    assert data.notes == ("1 file left out as masks, not those of data.masks: benign/x (0)_mask.png",)


def test_a_folder_of_masks_below_the_images_is_no_class(root: Path, write_image: Write) -> None:
    for i in range(8):
        write_image(root / "outlines" / ("benign", "malignant")[i % 2] / f"x ({i}).png", i, mask=True)
    data = _load(root, masks=str(root / "outlines"))
    assert data.class_names == ("benign", "malignant")
    assert data.has_mask.all()
