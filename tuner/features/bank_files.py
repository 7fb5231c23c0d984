"""The files of a feature bank: which there are, and the manifest that seals them; imports no torch.

A bank's own files hold what is small: labels, split, names. Tokens, masks and parts lie in the folders of its shards,
`shards/<key>/`, or, in banks of earlier versions, in one file each beside the others.
"""

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuner.base.hashing import sha256_file
from tuner.base.untrusted import MalformedError, is_whole, pair, read_json, shown, texts, unsound
from tuner.errors import TunerError
from tuner.features.licences import LONGEST

MANIFEST = "manifest.json"
DESCRIPTION = "bank.json"
FITTED = "backbone.safetensors"  # what the backbone learned, or starts from
SHARDS = "shards"  # the folder of their folders
META = "meta.json"  # beside the arrays of a shard
REQUIRED = (DESCRIPTION, "labels.npy", "is_train.npy", "has_mask.npy")
OPTIONAL = (
    "patches.npy",
    "cls.npy",
    "masks.npy",
    "content.npy",
    "class_attributes.npy",
    "image_attributes.npy",
    "parts.npy",
    FITTED,
)
FILES = (*REQUIRED, *OPTIONAL)
DESCRIPTION_BYTES = 1_000_000_000  # it holds the path of every image
MOST_TOKENS = 1024  # a side
_KEY = re.compile("[0-9a-f]{32}")
_OF_SHARD = re.compile(rf"{SHARDS}/[0-9a-f]{{32}}/((patches|cls|masks|parts)\.npy|meta\.json)")


@dataclass(frozen=True)
class Description:
    """The content of bank.json.

    Attributes:
        key: of the bank.
        grid: tokens per column and per row.
        class_names: one name per class.
        paths: of the images.
        backbone: what shaped the tokens besides the pixels; None where unknown.
        shards: key and number of images of each shard, in the order of the images; None: tokens are in one file.
        licence: of the backbone's weights; None where unknown.
    """

    key: str
    grid: tuple[int, int]
    class_names: list[str]
    paths: list[str]
    backbone: dict[str, Any] | None
    shards: list[tuple[str, int]] | None
    licence: str | None = None


def read_description(folder: Path) -> Description:
    """What bank.json says.

    Raises:
        MalformedError: it is missing, or is not the description of a bank.
    """
    file = folder / DESCRIPTION
    about = read_json(file, DESCRIPTION_BYTES)
    key, names, paths, made_by = (about.get(name) for name in ("key", "class_names", "paths", "backbone"))
    sides = pair(about.get("grid"), 1, MOST_TOKENS)
    if not (isinstance(key, str) and sides and texts(names) and texts(paths) and isinstance(made_by, dict | None)):
        raise unsound(file, "its key, grid, class_names or paths are missing or odd", "the description of a bank")
    licence = about.get("backbone_licence")
    licence = shown(licence, LONGEST) if isinstance(licence, str) else None
    return Description(key, sides, names, paths, made_by, _shards(about.get(SHARDS), len(paths), file), licence)


def _shards(listed: object, n_images: int, file: Path) -> list[tuple[str, int]] | None:
    if listed is None:
        return None
    shards: list[tuple[str, int]] = []
    for entry in listed if isinstance(listed, list) else [None]:
        key, n = entry if isinstance(entry, list) and len(entry) == 2 else (None, None)
        if not (isinstance(key, str) and _KEY.fullmatch(key) and is_whole(n, 1, n_images)):
            raise unsound(file, f"its shard {shown(entry)} is none", "keys and numbers of images")
        shards.append((key, n))
    if sum(n for _, n in shards) != n_images:
        raise unsound(file, f"its shards hold {sum(n for _, n in shards)} images", f"{n_images} images")
    return shards


def verify(folder: Path, *, contents: bool = True) -> None:
    """Compares every file of a bank with the manifest: size, and SHA-256 if `contents`.

    Raises:
        MalformedError: something is missing or differs.
    """
    try:
        files = read_json(folder / MANIFEST)["files"]
        if not all(
            (name in FILES or _OF_SHARD.fullmatch(name)) and is_whole(entry["size"], 0, 2**60)
            for name, entry in files.items()
        ):
            raise ValueError("it names files that no bank has")
        recorded = {name: str(entry["sha256"]) for name, entry in files.items()}
    except (TunerError, AttributeError, ValueError, KeyError, TypeError) as error:
        reason = error.what if isinstance(error, TunerError) else shown(str(error), 200)
        raise MalformedError(
            f"{folder} is not a complete feature bank ({MANIFEST}: {reason})",
            f"a folder with a {MANIFEST}, which is written last",
            "extract the features again; what was already computed is kept where it can be",
        ) from error
    bad = [f"{name} (not in the manifest)" for name in REQUIRED if name not in files]
    for name, entry in files.items():
        path = folder / name
        if not path.is_file():
            bad.append(f"{name} (missing)")
        elif path.stat().st_size != entry["size"]:
            bad.append(f"{name} ({path.stat().st_size} bytes instead of {entry['size']})")
        elif contents and sha256_file(path) != recorded[name]:
            bad.append(f"{name} (content changed)")
    if bad:
        raise MalformedError(
            f"feature bank {folder} is corrupt: {', '.join(bad)}",
            f"every file as recorded in {MANIFEST}",
            "remove the folder or extract the features again, which rebuilds it",
        )


def seal(folder: Path) -> None:
    """Writes the manifest: size and SHA-256 of every file of the bank, which exists from here on."""
    present = [folder / name for name in FILES if (folder / name).is_file()]
    present += sorted(path for path in folder.glob(f"{SHARDS}/*/*") if _OF_SHARD.fullmatch(_name(path, folder)))
    files = {_name(path, folder): {"sha256": sha256_file(path), "size": path.stat().st_size} for path in present}
    write_json(folder / MANIFEST, {"files": files})


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def write_json(path: Path, value: Any) -> None:
    """Writes JSON; see `write_whole`."""
    write_whole(path, json.dumps(value, indent=1, sort_keys=True).encode())


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file so that a reader sees the old one or the new one, never half of it."""
    draft = path.with_name(f".{path.name}.tmp")
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
