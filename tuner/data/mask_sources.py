"""What `data.masks` names: a folder of masks, a place in a bucket, or a COCO file of annotations."""

from collections.abc import Sequence

from tuner.data.coco import coco_masks
from tuner.data.mask_files import masks_like
from tuner.data.mask_values import Mask
from tuner.data.place import need_folder, place_of


def masks_at(setting: str, paths: Sequence[str]) -> tuple[list[Mask | None], list[str]]:
    """For each image its mask, and notes.

    Args:
        setting: the value of `data.masks`, not empty.
        paths: as in `Dataset.paths`.

    Raises:
        UsageError: no mask matches, or several match one image.
        TunerError: there is no such folder or file.
    """
    place = place_of(setting, "data.masks")
    if setting.casefold().endswith(".json"):
        drawn, notes = coco_masks(place, paths)
        return [*drawn], notes
    need_folder(place, "masks at the images' relative paths", "check data.masks, or leave it empty")
    masks, notes = masks_like(place, paths)
    return [*masks], notes
