"""The card of an exported model folder: contents, checksums, and permitted sources of backbone weights.

A card is untrusted input: no file is read and nothing is fetched because it says so.
"""

import dataclasses
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuner.base.hashing import sha256_file
from tuner.base.untrusted import (
    MalformedError,
    is_whole,
    plain_file,
    read_json,
    require,
    settings_from,
    shown,
    texts,
    unsound,
)
from tuner.errors import TunerError, UsageError
from tuner.features.kinds import BACKBONES
from tuner.features.settings import BackboneConfig, BackboneSettings, PatchDictionarySettings

CARD = "card.json"
FORMAT = 3  # 1 had no training.safetensors, 2 no sums of the files
LARGEST = {"image_size": 4096, "grid": 256, "patch_size": 1024, "n_atoms": 1_000_000}
MOST_VALUES = 2**27  # of all overlapping patches of an image
NAME = 1000  # characters of a class name
HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[\w.-]{1,96}", re.ASCII)
TIMM_NAME = re.compile(rf"(hf[-_]hub:)?{HUB_NAME.pattern}|[a-z][a-z0-9_]{{0,95}}(\.[a-z0-9_]{{1,96}})?", re.ASCII)
NAMES = {"timm": TIMM_NAME}  # of weights that are no paths, where a backbone has other ones than `HUB_NAME`


@dataclass(frozen=True)
class Card:
    """A validated card.

    Attributes:
        content: all of it, as it stands.
        format: its version.
        class_names: one name per class.
        data: the data set's name.
        backbone: settings of the backbone; `weights` is a hub name, empty, or a path of the machine that exported.
        backbone_key: hash of all that shapes the tokens.
    """

    content: dict[str, Any]
    format: int
    class_names: tuple[str, ...]
    data: str
    backbone: BackboneSettings
    backbone_key: str


def write_card(folder: Path, content: dict[str, Any]) -> None:
    """Write the card, last of all files, with the checksums of the others."""
    files = sorted(path.name for path in folder.iterdir() if path.is_file() and path.name != CARD)
    sums = {name: sha256_file(folder / name) for name in files}
    card = {"format": FORMAT, **content, "files": sums}
    (folder / CARD).write_text(json.dumps(card, indent=1, allow_nan=False), encoding="utf-8")


def read_card(folder: Path, needed: tuple[str, ...]) -> Card:
    """The card of a model folder, after its files have been verified.

    Args:
        folder: the model folder.
        needed: files that every format has.

    Raises:
        TunerError: it is not a model folder, comes from a later version, or was changed after the export.
    """
    file = folder / CARD
    if not file.is_file():
        todo = "check the path, or export a model of a search there"
        raise TunerError(f"{folder} is not an exported model", f"a folder with {CARD}", todo)
    for name in (CARD, *needed):
        plain_file(folder / name, within=folder)
    card = read_json(file)
    written = card.get("format")
    if not is_whole(written, 1, FORMAT):
        raise TunerError(
            f"{folder} was exported in format {shown(written)}",
            f"a format up to {FORMAT}",
            "export it again with this version of qpm-tuner, or use the version that wrote it",
        )
    names, data, key = (card.get(name) for name in ("class_names", "data", "backbone_key"))
    if not (texts(names, NAME) and len(names) > 1):
        raise unsound(file, f"its class names are {shown(names)}", f"a list of names of at most {NAME} characters")
    if not (isinstance(data, str) and isinstance(key, str)):
        raise unsound(file, "its data or backbone_key is no text", "the name of a data set, and a hash")
    backbone = read_backbone(card.get("backbone"), file)
    if written > 2:
        _check_sums(folder, card.get("files"), needed)
    return Card(card, written, tuple(names), data, backbone, key)


def settled_weights(card: Card, folder: Path, weights: str) -> BackboneSettings:
    """The backbone's settings with trusted weights: given by the user, or the backbone's usual ones.

    Args:
        card: of the folder.
        folder: for the error.
        weights: path given by the user; empty for none.

    Raises:
        UsageError: the card names a path, and the user has given none.
    """
    told = card.backbone.weights
    if BACKBONES[card.backbone.name].is_learned:  # its weights are part of the export
        return dataclasses.replace(card.backbone, weights="")
    if weights:
        return dataclasses.replace(card.backbone, weights=weights)
    names = NAMES.get(card.backbone.name, HUB_NAME)
    if told and (not names.fullmatch(told) or Path(told).exists()):
        raise UsageError(
            f"{folder} was exported with backbone.weights={shown(told, 200)}, which is not read because a card says so",
            "the path of these weights, given by you",
            "give their path on this machine: `weights=PATH`",
        )
    return card.backbone


def read_backbone(written: object, file: Path) -> BackboneSettings:
    """The backbone settings in a card, of its backbone's class, with sizes within bounds.

    Raises:
        MalformedError: the settings are invalid.
    """
    name = written.get("name") if isinstance(written, dict) else None
    kind = BACKBONES.get(name) if isinstance(name, str) else None
    if isinstance(name, str) and kind is None:
        raise MalformedError(
            f"the model in {file.parent} needs the backbone {shown(name)}, which is not known here",
            f"one of {', '.join(BACKBONES)}",
            "install the package that brings this backbone",
        )
    settings: type[BackboneSettings] = kind.settings if kind else BackboneConfig
    backbone = settings_from(settings, written, file)
    for size, most in LARGEST.items():
        value = getattr(backbone, size, 0)
        require(value <= most, file, f"backbone.{size} is {value}", f"at most {most}")
    if isinstance(backbone, PatchDictionarySettings):
        patches = backbone.grid**2 * 3 * backbone.patch_size**2
        require(patches <= MOST_VALUES, file, "its backbone's grid and patch_size are very large", "a smaller product")
    return backbone


def _check_sums(folder: Path, sums: object, needed: tuple[str, ...]) -> None:
    """Refuse files that differ from the card's checksums.

    Raises:
        MalformedError: names the first such file.
    """
    file = folder / CARD
    if not isinstance(sums, dict) or not sums.keys() >= set(needed):
        raise unsound(file, f"its sums are {shown(sums)}", f"those of {', '.join(needed)}")
    for name, known in sums.items():
        plain = name == Path(name).name and not name.startswith(".")
        require(plain and isinstance(known, str), file, f"its sums name {shown(name)}", "names of files beside it")
        found = sha256_file(plain_file(folder / name, within=folder))
        require(found == known, folder / name, "it is not the file that was exported", f"SHA-256 {shown(known, 64)}")
