"""Reads a manifest: a table that names every image, its class, and optionally its side, group, mask and box.

docs/how-to/own-images.md describes the columns.
"""

import unicodedata
from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tuner.base.folders import at_home
from tuner.data.dataset import Dataset, Listing
from tuner.data.folder_split import SIDES
from tuner.data.manifest_boxes import read_boxes
from tuner.data.manifest_table import read_columns, rows_where
from tuner.data.paths import clean_path
from tuner.data.place import Place, file_at, folder_of, in_bucket, is_absolute, place_of
from tuner.data.settings import ManifestConfig
from tuner.data.words import count, printable, some
from tuner.errors import UsageError

Columns = dict[str, pa.ChunkedArray]

UNCLEAN = r"\\|(^|/)\.{0,2}(/|$)"  # paths that need `clean_path`: backslashes, empty steps, . and ..
ONE_LABEL = "one label per image: several labels (multi-label) are not supported"


def load_manifest(config: ManifestConfig) -> Dataset:
    """The images of a manifest; those that are missing are refused together.

    Raises:
        TunerError: manifest or images cannot be read.
        UsageError: the manifest is not one: the message counts the rows and names the first.
    """
    listing, root, names, notes = list_manifest(config)
    listing, _ = listing.narrowed(config, root, names, anywhere=True)
    return listing.dataset(config, root, names, notes, must_exist=True)


def list_manifest(config: ManifestConfig) -> tuple[Listing, Place, list[str], list[str]]:
    """The listing of a manifest by path, its root, its class names, and notes; no image is looked at.

    Raises:
        TunerError: it cannot be read.
        UsageError: see `load_manifest`.
    """
    if not config.manifest:
        raise UsageError(
            "data.name=manifest without data.manifest",
            "a CSV or Parquet file that lists the images",
            "set data.manifest",
        )
    file = place_of(at_home(config.manifest, "data.manifest"), "data.manifest")
    root = place_of(config.root, "data.root") if config.root else folder_of(file)
    columns, others = read_columns(file)
    notes = [f"columns of {file} that are not read: {some(others)}"] if others else []
    for name in ("path", "label"):
        _refuse(columns, pc.is_null(columns[name]), f"without {name}", "no empty cell", file)
    paths = _paths(columns["path"], root)
    columns, paths, on_repeats = _once(columns, paths, file)
    labels, names = _labels(columns, file)
    group = columns.get("group")
    listing = Listing(
        paths=paths,
        labels=labels,
        is_train=_sides(columns, file, notes),
        masks=_masks(columns, root),
        boxes=read_boxes(columns, file),
        groups=None if group is None else _groups(group),
    )
    return listing.in_order()[0], root, names, [*notes, *on_repeats]


def _refuse(
    columns: Columns, bad: pa.ChunkedArray, what: str, expected: str, file: Place, column: str = "path"
) -> None:
    """Refuse rows, counted, the first ones named."""
    rows = rows_where(bad, lambda i: printable(str(columns[column][i].as_py())))
    if rows:
        raise UsageError(f"{count(len(rows), 'row')} of {file} {what}: {some(rows)}", expected, "correct the manifest")


def _paths(column: pa.ChunkedArray, root: Place) -> list[str]:
    """Paths in NFC with forward slashes, relative to the root where they lie below it."""
    start = f"{root}/".replace("//", "/") if not in_bucket(str(root)) else f"{str(root).rstrip('/')}/"
    clean = pc.utf8_normalize(column, form="NFC")
    odd = pc.indices_nonzero(pc.match_substring_regex(clean, UNCLEAN)).to_pylist()
    paths: list[str] = clean.to_pylist()
    for i in odd:
        paths[i] = paths[i] if in_bucket(paths[i]) else clean_path(paths[i])
    if pc.any(pc.match_substring_regex(clean, "^/|^s3://")).as_py():
        paths = [path.removeprefix(start) if is_absolute(path) else path for path in paths]
    return paths


def _once(columns: Columns, paths: list[str], file: Place) -> tuple[Columns, list[str], list[str]]:
    """Each image once: rows that say the same are dropped, rows that contradict each other refused."""
    if len(set(paths)) == len(paths):
        return columns, paths, []
    repeated = {path for path, n in Counter(paths).items() if n > 1}
    first: dict[str, int] = {}
    drop: list[int] = []
    labels: list[str] = []
    others: list[str] = []
    for i, path in enumerate(paths):
        if path not in repeated:
            continue
        earlier = first.setdefault(path, i)
        if earlier == i:
            continue
        drop.append(i)
        differing = [name for name in columns if name != "path" and columns[name][i] != columns[name][earlier]]
        said = f"{printable(path)} in rows {earlier + 1:,} and {i + 1:,}"
        if "label" in differing:
            labels.append(f"{said}: {columns['label'][earlier]} and {columns['label'][i]}")
        elif differing:
            others.append(f"{said}: {', '.join(differing)}")
    if labels:
        raise UsageError(
            f"{count(len(labels), 'image has', 'images have')} two labels in {file}: {some(labels)}",
            ONE_LABEL,
            "keep one row for each image",
        )
    if others:
        raise UsageError(
            f"{count(len(others), 'row')} of {file} contradict an earlier one: {some(others)}",
            "one row per image; several boxes of an image are several image files",
            "remove the wrong one",
        )
    keep = np.ones(len(paths), dtype=np.bool_)
    keep[drop] = False
    kept = pa.array(keep)
    note = f"{count(len(drop), 'row that repeats', 'rows that repeat')} an earlier one left out"
    return (
        {name: column.filter(kept) for name, column in columns.items()},
        [path for path, stays in zip(paths, keep.tolist(), strict=True) if stays],
        [note],
    )


def _labels(columns: Columns, file: Place) -> tuple[np.ndarray, list[str]]:
    """Class indices and the names of the classes, ascending as text."""
    several = pc.match_substring_regex(columns["label"], r"[^|]\|[^|]|^\[.*\]$")
    _refuse(columns, several, "with several labels", ONE_LABEL, file, "label")
    encoded = columns["label"].combine_chunks().dictionary_encode()
    found = [unicodedata.normalize("NFC", printable(name)) for name in encoded.dictionary.to_pylist()]
    names = sorted(set(found))
    if len(names) < 2:
        raise UsageError(
            f"{file} has {count(len(names), 'class', 'classes')}", "at least two classes", "check column label"
        )
    place = {name: i for i, name in enumerate(names)}
    index = np.array([place[name] for name in found], dtype=np.int64)
    return index[encoded.indices.to_numpy()], names


def _sides(columns: Columns, file: Place, notes: list[str]) -> np.ndarray | None:
    """The given split, (n,) bool, True for train."""
    column = columns.get("split")
    if column is None or column.null_count == len(column):
        return None
    words = pc.utf8_lower(column)
    known = pc.is_in(words, pa.array(list(SIDES)))
    _refuse(
        columns, pc.invert(known), "without a side of the split", "train, val or test in column split", file, "split"
    )
    sides = {SIDES[word] for word in pc.unique(words).to_pylist()}
    held_out = "test" if "test" in sides else "val"
    if sides == {"train", "val", "test"}:
        notes.append("val is trained on like train, as the search cuts validation from train itself; test is held out")
    elif held_out == "val" and "val" in sides:
        notes.append("val is held out as test")
    test = pa.array([word for word, side in SIDES.items() if side == held_out])
    return np.asarray(pc.invert(pc.is_in(words, test)).to_numpy(), dtype=np.bool_)


def _masks(columns: Columns, root: Place) -> list[Place | None]:
    """The mask of each row, if it names one."""
    if "mask" not in columns or columns["mask"].null_count == len(columns["mask"]):
        return []
    return [None if path is None else _mask_at(root, path) for path in columns["mask"].to_pylist()]


def _mask_at(root: Place, path: str) -> Place:
    return file_at(root, path if in_bucket(path) else path.replace("\\", "/"))


def _groups(column: pa.ChunkedArray) -> np.ndarray:
    """Equal numbers for equal groups, (n,) int64; a row without one is a group of its own."""
    encoded = column.combine_chunks().dictionary_encode()
    index = encoded.indices.fill_null(-1).to_numpy().astype(np.int64)
    return np.where(index < 0, len(encoded.dictionary) + np.arange(len(index)), index)
