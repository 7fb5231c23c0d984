"""The public data sets that `qpm-tuner data` knows: their archives, checksums, terms and what is in them.

Checksums are MD5, as the publishers and the libraries that read these archives give them. Sizes are those of the
archives.
"""

from dataclasses import dataclass

from tuner.base.spelling import did_you_mean
from tuner.errors import UsageError


@dataclass(frozen=True)
class Archive:
    """One file that a publisher offers.

    Attributes:
        name: its file name.
        md5: of its content, in hexadecimal; "" where no sum is known for sure.
        url: where the publisher offers it; "" where nobody does any more.
        gives: paths below the root that are there after it was unpacked; a file that is no archive is its own.
        lacking: what the data set lacks without it; "" if it cannot be read without it.
    """

    name: str
    md5: str
    url: str
    gives: tuple[str, ...]
    lacking: str = ""


@dataclass(frozen=True)
class Source:
    """A public data set.

    Attributes:
        name: as in commands.
        title: its full name.
        archives: its files.
        size: of the archives together, in words.
        holds: images, classes, and what else there is, in words.
        terms: under which it is published, in words.
        page: of its publisher.
        folder: of the images as `data.root` names them, below the root; for a data set with a reader of its own.
        labels: kinds of labels that its manifest may have, the usual one first; () where there is one kind only.
        crops: whether its manifest may have boxes of the objects.
    """

    name: str
    title: str
    archives: tuple[Archive, ...]
    size: str
    holds: str
    terms: str
    page: str
    folder: str | None = None
    labels: tuple[str, ...] = ()
    crops: bool = False

    @property
    def has_manifest(self) -> bool:
        """Whether it is read by a manifest, since it has no reader of its own."""
        return self.folder is None


_CALTECH = "https://data.caltech.edu/records"
_VGG = "https://www.robots.ox.ac.uk/~vgg/data"
_DOGS = "http://vision.stanford.edu/aditya86/ImageNetDogs"
_RESEARCH = "non-commercial research; the photographs belong to their photographers"

SOURCES = {
    source.name: source
    for source in (
        Source(
            "cub",
            "Caltech-UCSD Birds-200-2011",
            (
                Archive(
                    "CUB_200_2011.tgz",
                    "97eceeb196236b17998738112f37df78",
                    f"{_CALTECH}/65de6-vp158/files/CUB_200_2011.tgz?download=1",
                    ("CUB_200_2011/images.txt", "CUB_200_2011/images"),
                ),
                Archive(
                    "segmentations.tgz",
                    "4d47ba1228eae64f2fa547c47bc65255",
                    f"{_CALTECH}/w9d68-gec53/files/segmentations.tgz?download=1",
                    ("segmentations",),
                    "object masks",
                ),
            ),
            "1.2 GB",
            "11,788 images, 200 classes, masks, parts, attributes",
            _RESEARCH,
            "https://www.vision.caltech.edu/datasets/cub_200_2011/",
            "CUB_200_2011",
        ),
        Source(
            "cars",
            "Stanford Cars",
            (
                Archive("cars_train.tgz", "065e5b463ae28d29e77c1b4b166cfe61", "", ("cars_train",)),
                Archive("cars_test.tgz", "4ce7ebf6a94d07f1952d94dd34c4d501", "", ("cars_test",)),
                Archive("car_devkit.tgz", "c3b158d763b6e2245038c8ad08e45376", "", ("devkit/cars_meta.mat",)),
                Archive(
                    "cars_test_annos_withlabels.mat",
                    "b0a2b23655a3edd16d84508592a98d10",
                    "",
                    ("cars_test_annos_withlabels.mat",),
                ),
            ),
            "1.9 GB",
            "16,185 images, 196 classes",
            _RESEARCH,
            "https://ai.stanford.edu/~jkrause/cars/car_dataset.html (offline)",
            "",
        ),
        Source(
            "flowers",
            "Oxford Flowers-102",
            (
                Archive(
                    "102flowers.tgz",
                    "52808999861908f626f3c1f4e79d11fa",
                    f"{_VGG}/flowers/102/102flowers.tgz",
                    ("jpg",),
                ),
                Archive(
                    "imagelabels.mat",
                    "e0620be6f572b9609742df49c70aed4d",
                    f"{_VGG}/flowers/102/imagelabels.mat",
                    ("imagelabels.mat",),
                ),
                Archive(
                    "setid.mat", "a5357ecc9cb78c4bef273ce3793fc85c", f"{_VGG}/flowers/102/setid.mat", ("setid.mat",)
                ),
                Archive(
                    "102segmentations.tgz",
                    "",
                    f"{_VGG}/flowers/102/102segmentations.tgz",
                    ("segmim",),
                    "object masks",
                ),
            ),
            "0.5 GB",
            "8,189 images, 102 classes, masks",
            "none stated; the photographs belong to their photographers",
            f"{_VGG}/flowers/102/",
        ),
        Source(
            "pets",
            "Oxford-IIIT Pet",
            (
                Archive(
                    "images.tar.gz",
                    "5c4f3ee8e5d25df40f4fd59a7f44e54c",
                    f"{_VGG}/pets/data/images.tar.gz",
                    ("images",),
                ),
                Archive(
                    "annotations.tar.gz",
                    "95a8c909bbe2e81eed6a22bccdf3f68f",
                    f"{_VGG}/pets/data/annotations.tar.gz",
                    ("annotations/trainval.txt", "annotations/test.txt", "annotations/trimaps"),
                ),
            ),
            "0.8 GB",
            "7,349 images, 37 classes, masks",
            "CC BY-SA 4.0; the photographs belong to their photographers",
            f"{_VGG}/pets/",
        ),
        Source(
            "aircraft",
            "FGVC-Aircraft",
            (
                Archive(
                    "fgvc-aircraft-2013b.tar.gz",
                    "d4acdd33327262359767eeaa97a4f732",
                    f"{_VGG}/fgvc-aircraft/archives/fgvc-aircraft-2013b.tar.gz",
                    ("fgvc-aircraft-2013b/data/images", "fgvc-aircraft-2013b/data/images_box.txt"),
                ),
            ),
            "2.8 GB",
            "10,000 images, 100 classes (variants; 70 families, 30 manufacturers), boxes",
            "non-commercial research only",
            f"{_VGG}/fgvc-aircraft/",
            labels=("variant", "family", "manufacturer"),
            crops=True,
        ),
        Source(
            "dogs",
            "Stanford Dogs",
            (
                Archive("images.tar", "1bb1f2a596ae7057f99d7d75860002ef", f"{_DOGS}/images.tar", ("Images",)),
                Archive(
                    "lists.tar",
                    "edbb9f16854ec66506b5f09b583e0656",
                    f"{_DOGS}/lists.tar",
                    ("train_list.mat", "test_list.mat"),
                ),
                Archive(
                    "annotation.tar",
                    "4298cc0031f6bc6e74612ac83b5988e2",
                    f"{_DOGS}/annotation.tar",
                    ("Annotation",),
                    "boxes",
                ),
            ),
            "0.8 GB",
            "20,580 images, 120 classes, boxes",
            "those of ImageNet: non-commercial research",
            f"{_DOGS}/",
            crops=True,
        ),
    )
}


def source_of(name: str) -> Source:
    """The data set of that name.

    Raises:
        UsageError: there is none.
    """
    if name not in SOURCES:
        raise UsageError(f"unknown data set {name!r}", f"one of {', '.join(SOURCES)}", did_you_mean(name, SOURCES))
    return SOURCES[name]
