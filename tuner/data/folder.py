"""Any folder of class/image files: the way to bring one's own data set."""

from pathlib import Path

from tuner.data.dataset import IMAGE_SUFFIXES, Dataset, Entry, assemble, need_folder
from tuner.data.settings import DataConfig
from tuner.errors import UsageError

LAYOUT = "a folder with one folder a class and the images in it"


def load_folder(config: DataConfig) -> Dataset:
    """Reads `root/<class>/**/<image>`; classes are the folder names in ascending order.

    Raises:
        TunerError: there is no such folder.
        UsageError: fewer than two classes, or a class without images.
    """
    root = need_folder(Path(config.root), LAYOUT, "set data.root")
    names = sorted(path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    if len(names) < 2:
        raise UsageError(f"{root} has {len(names)} class folders", f"{LAYOUT}; at least two classes", "set data.root")
    entries = []
    for label, name in enumerate(names):
        files = [path for path in (root / name).rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES]
        if not files:
            raise UsageError(f"class folder {root / name} holds no image", LAYOUT, "add images or remove the folder")
        entries += [Entry(file.relative_to(root).as_posix(), label, None) for file in files]
    return assemble(config, root, entries, names)
