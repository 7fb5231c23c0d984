"""Stanford Cars in the layouts it is found in: one cars_annos.mat, the devkit's .mat files, or a CSV."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tuner.data.dataset import Dataset, Entry, assemble, need_folder
from tuner.data.settings import DataConfig
from tuner.errors import TunerError, UsageError

LAYOUT = (
    "a folder with cars_annos.mat and car_ims/, or devkit/cars_meta.mat with cars_train/ and cars_test/ and their "
    "annotations (cars_test_annos_withlabels.mat), or annotations.csv `path,class,split`"
)
TODO = "get Stanford Cars (Krause et al. 2013; its page is gone, Kaggle has mirrors), unpack it and set data.root"


def load_cars(config: DataConfig) -> Dataset:
    """Reads whichever annotation is there; Cars has no object masks of its own.

    Raises:
        TunerError: the folder or its annotation is missing or malformed.
    """
    root = need_folder(Path(config.root), LAYOUT, TODO)
    if (root / "annotations.csv").is_file():
        entries, names = _from_csv(root / "annotations.csv")
    elif (root / "cars_annos.mat").is_file():
        entries, names = _from_single_mat(root / "cars_annos.mat")
    elif (root / "devkit").is_dir():
        entries, names = _from_devkit(root)
    else:
        raise TunerError(f"no annotation of Stanford Cars in {root}", LAYOUT, TODO)
    return assemble(config, root, entries, names)


def _from_csv(file: Path) -> tuple[list[Entry], list[str]]:
    table = pd.read_csv(file, dtype=str)
    if not {"path", "class", "split"} <= set(table.columns):
        raise UsageError(f"{file} lacks columns", "`path,class,split`", "correct it")
    names = sorted(table["class"].unique())
    labels = {name: i for i, name in enumerate(names)}
    rows = zip(table["path"], table["class"], table["split"], strict=True)
    return [Entry(path, labels[name], split == "train") for path, name, split in rows], names


def _from_single_mat(file: Path) -> tuple[list[Entry], list[str]]:
    content = _read_mat(file, "annotations", "class_names")
    rows = np.atleast_1d(content["annotations"])
    fields = zip(rows["relative_im_path"], rows["class"], rows["test"], strict=True)
    entries = [Entry(str(path), int(label) - 1, not test) for path, label, test in fields]
    return entries, [str(name) for name in np.atleast_1d(content["class_names"])]


def _from_devkit(root: Path) -> tuple[list[Entry], list[str]]:
    devkit = root / "devkit"
    labelled = "cars_test_annos_withlabels.mat"  # published later than the devkit, often put beside it
    tests = next((folder / labelled for folder in (devkit, root) if (folder / labelled).is_file()), devkit / labelled)
    entries = []
    for file, folder in ((devkit / "cars_train_annos.mat", "cars_train"), (tests, "cars_test")):
        rows = np.atleast_1d(_read_mat(file, "annotations")["annotations"])
        is_train = folder == "cars_train"
        pairs = zip(rows["fname"], rows["class"], strict=True)
        entries += [Entry(f"{folder}/{name}", int(label) - 1, is_train) for name, label in pairs]
    names = np.atleast_1d(_read_mat(devkit / "cars_meta.mat", "class_names")["class_names"])
    return entries, [str(name) for name in names]


def _read_mat(file: Path, *names: str) -> dict[str, Any]:
    """The variables of a MATLAB file.

    Raises:
        TunerError: it cannot be read, or lacks a variable.
    """
    from scipy.io import loadmat

    try:
        content: dict[str, Any] = loadmat(file, squeeze_me=True, variable_names=names)
    except (OSError, ValueError, NotImplementedError) as error:
        raise TunerError(f"{file} cannot be read: {error}", LAYOUT, TODO) from error
    if missing := set(names) - content.keys():
        raise TunerError(f"{file} lacks {', '.join(sorted(missing))}", LAYOUT, TODO)
    return content
