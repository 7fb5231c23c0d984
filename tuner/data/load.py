"""Loads a data set from the recipe's settings; examines its images as they are read, and says what is odd or wrong."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tuner.base.folders import at_home
from tuner.base.pulse import beat
from tuner.base.registry import kind_of
from tuner.base.secrets import hide
from tuner.data.dataset import Dataset
from tuner.data.duplicates import refuse_two_labels
from tuner.data.first_classes import refuse_other_classes
from tuner.data.kinds import DATASETS
from tuner.data.masks import MaskFacts, misfit
from tuner.data.pictures import Chosen, FilePictures
from tuner.data.pixels import Facts, ImageError, examine
from tuner.data.place import in_bucket
from tuner.data.settings import DataConfig
from tuner.data.words import count, some
from tuner.errors import TunerError, UsageError

NAMED_AT_MOST = 20
FAINT = 2**14  # images of more than 8 bits with all values below this do not use their two highest bits


def load_dataset(config: DataConfig) -> Dataset:
    """List a data set's images, labels, split and masks; images are hashed but not decoded.

    Raises:
        TunerError: it is malformed or missing; the message says where to get it and where to put it.
        UsageError: settings and data do not match.
    """
    config = replace(
        config,
        root=at_home(config.root, "data.root"),
        masks=at_home(config.masks, "data.masks"),
        split_file=at_home(config.split_file, "data.split_file"),
    )
    kind = kind_of(config, DATASETS, "data")
    if not config.root and kind.needs_root:
        raise UsageError(f"data.name={config.name} without data.root", "the data set's folder", "set data.root")
    if in_bucket(config.root) and not kind.reads_buckets:
        raise UsageError(
            f"data.name={config.name} with data.root={hide(config.root)}",
            "a folder on this machine: only folder and manifest read images from a bucket",
            "copy the data set to a folder, or list its images in a manifest",
        )
    dataset: Dataset = kind.load(config)
    refuse_other_classes(config, len(dataset.class_names))
    if not hasattr(dataset.pictures, "part"):  # of a package that knows an earlier protocol
        dataset = replace(dataset, pictures=Chosen(dataset.pictures))
    trained = set(dataset.labels[dataset.is_train].tolist())
    if untrained := [name for label, name in enumerate(dataset.class_names) if label not in trained]:
        raise UsageError(
            f"{count(len(untrained), 'class', 'classes')} of {config.name} without a training image: {some(untrained)}",
            "at least one training image per class",
            "correct the split or remove the class",
        )
    tested = set(dataset.labels[~dataset.is_train].tolist())
    if untested := [name for label, name in enumerate(dataset.class_names) if label not in tested]:
        note = f"{count(len(untested), 'class has', 'classes have')} no test image: {some(untested)}"
        dataset = replace(dataset, notes=(*dataset.notes, note))
    return dataset


def refuse_faulty(faults: Sequence[TunerError], dataset: Dataset) -> None:
    """Name the images that cannot be used: how many there are, and the first ones.

    Raises:
        TunerError: there are any.
    """
    if faults:
        more = f" and {len(faults) - NAMED_AT_MOST} more" if len(faults) > NAMED_AT_MOST else ""
        raise TunerError(
            f"{len(faults)} of {len(dataset)} images of {dataset.name} cannot be used:\n    "
            + "\n    ".join(fault.what for fault in faults[:NAMED_AT_MOST])
            + more,
            "readable images of the kinds in docs/reference/images.md, and masks as large as their image",
            "; ".join(dict.fromkeys(fault.todo for fault in faults)) + "; then start again",
        )


def check_labels(dataset: Dataset) -> None:
    """Refuse one image under two labels; no image is decoded.

    Raises:
        UsageError: the same image, byte for byte, has two labels.
    """
    if dataset.content is not None:
        refuse_two_labels(dataset.content, dataset.labels, dataset.paths, dataset.class_names)


def look(pictures: FilePictures, i: int) -> tuple[Facts, MaskFacts | None] | ImageError:
    """Facts about an image and its mask, or the error that they cause."""
    beat()
    try:
        facts = examine(pictures.images[i], pictures.box(i))
        if pictures.masks[i] is None:
            return facts, None
        mask_facts = pictures.mask_facts(i)
    except ImageError as error:
        return error
    return misfit(pictures.masks[i], mask_facts.size, facts) or (facts, mask_facts)


@dataclass(frozen=True)
class ImageCounts:
    """What is unusual in some images, as counts.

    Args:
        images: how many there are.
        several: of them with several frames or pages.
        turned: of them stored rotated or mirrored (EXIF).
        deep: of them with more than 8 bits.
        peak: the largest value of these, as 16 bits; 0 where there are none.
    """

    images: int = 0
    several: int = 0
    turned: int = 0
    deep: int = 0
    peak: int = 0

    @classmethod
    def of(cls, facts: Sequence[Facts]) -> "ImageCounts":
        """Of these images."""
        peaks = [fact.peak for fact in facts if fact.peak is not None]
        several, turned = sum(fact.several for fact in facts), sum(fact.turned for fact in facts)
        return cls(len(facts), several, turned, len(peaks), max(peaks, default=0))

    def __add__(self, other: "ImageCounts") -> "ImageCounts":
        """Of both together."""
        peak = max(self.peak, other.peak)
        sums = (self.several + other.several, self.turned + other.turned, self.deep + other.deep)
        return ImageCounts(self.images + other.images, *sums, peak)


def image_notes(counts: ImageCounts, masked: bool) -> list[str]:
    """Notes on the images, one sentence each.

    Args:
        counts: of all of them.
        masked: whether any has a mask.
    """
    notes = []
    if counts.several:
        notes.append(f"{counts.several:,} of {counts.images:,} images have several frames or pages: the first is read")
    if masked and counts.turned:
        notes.append(
            f"{counts.turned:,} of {counts.images:,} images are stored rotated (EXIF): their masks are expected upright"
        )
    if counts.deep and counts.peak < FAINT:
        notes.append(
            f"{counts.deep:,} images of more than 8 bits have no value above {counts.peak:,} of 65,535 and appear "
            "dark: if this is not intended, multiply all by the same factor"
        )
    return notes
