"""Oxford-IIIT Pet: lists of `name class species breed`, and trimaps as object masks."""

from pathlib import Path

from tuner.base.progress import Progress
from tuner.data.official.manifest import Line, Options
from tuner.data.tables import read_listing
from tuner.errors import UsageError

LISTS = {"train": "trainval.txt", "test": "test.txt"}


def pets(root: Path, _: Options, __: Progress, todo: str) -> list[Line]:
    """The images with the official split; labels are breeds, such as Abyssinian.

    Masks are the trimaps as they are. Their values are 1 the pet, 2 background, 3 border, and borders are read as
    background (docs/reference/images.md).

    Raises:
        TunerError: a list cannot be read.
        UsageError: a list is malformed, or a number stands for two breeds.
    """
    lines, breeds = [], dict[str, str]()
    for split, name in LISTS.items():
        for row in read_listing(root / "annotations" / name, ("image", "numbers"), todo):
            breed, _sign, number = row["image"].rpartition("_")
            if not (breed and number.isdigit() and len(row["numbers"].split()) == 3):
                raise row.refuse(f"{row['image']} {row['numbers']}", "`<breed>_<number> <class> <species> <breed id>`")
            known = breeds.setdefault(row["numbers"].split()[0], breed)
            if known != breed:
                raise UsageError(f"{row.where}: a class of {known} and {breed}", "one breed per class", todo)
            trimap = f"annotations/trimaps/{row['image']}.png"
            lines.append(Line(f"images/{row['image']}.jpg", breed, split, trimap))
    return lines
