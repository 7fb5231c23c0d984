"""A fitted estimator as a folder of safetensors and JSON, which is safe to read from untrusted sources.

estimator.json                    parameters, labels, names of columns, report
model.safetensors, model.json     the fine-tuned model
backbone.safetensors              what a fitted backbone learned, where X holds image paths
"""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from tuner.base.untrusted import plain_file, read_json, require, shown, texts, unsound
from tuner.card import Card, read_backbone, settled_weights
from tuner.errors import UsageError
from tuner.estimator.errors import InputError
from tuner.estimator.images import ImageReader
from tuner.estimator.inputs import plain_grid
from tuner.qpm import QpmModel

ABOUT, BACKBONE, FORMAT = "estimator.json", "backbone.safetensors", 1
LABEL_TYPES = re.compile(r"object|bool|u?int(8|16|32|64)|float(16|32|64)|[<>]U[0-9]{1,4}", re.ASCII)


def save_estimator(estimator: Any, folder: Path) -> None:
    """Write a fitted estimator; `estimator.json` comes last.

    Args:
        estimator: a fitted QPMClassifier.
        folder: empty, or created.

    Raises:
        InputError: the folder is not empty, or a label is no text, number or truth value.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} is there already", "an empty folder, or none", "choose another folder")
    about = {
        "format": FORMAT,
        "parameters": _plain_parameters(estimator.get_params(deep=False)),
        **_plain_labels(estimator.classes_),
        "feature_names": [str(name) for name in getattr(estimator, "feature_names_in_", ())],
        "report": estimator.report_,
        "backbone": None,
    }
    text = json.dumps(about, indent=1, allow_nan=False)
    estimator.model_.save(folder)
    reader = estimator.reader_
    if reader is not None:
        about["backbone"] = {"settings": dataclasses.asdict(reader.config), "key": reader.key()}
        if reader.learned:
            (folder / BACKBONE).write_bytes(safetensors.numpy.save(reader.learned))
        text = json.dumps(about, indent=1, allow_nan=False)
    (folder / ABOUT).write_text(text + "\n", encoding="utf-8")


def load_estimator(
    folder: Path, names: set[str], *, device: str, weights: str
) -> tuple[dict[str, Any], dict[str, Any], QpmModel]:
    """Parameters, fitted attributes and model of a folder that `save_estimator` wrote.

    Args:
        folder: the folder.
        names: of the parameters that the estimator has.
        device: where images are read.
        weights: of a pre-trained backbone, where they are not its usual ones.

    Raises:
        MalformedError: a file is missing or damaged, or what they hold does not fit together.
        UsageError: the weights of the backbone were in a file, and `weights` names none.
        TunerError: the weights of the backbone are missing.
    """
    file = folder / ABOUT
    about = read_json(plain_file(file, within=folder))
    require(
        about.get("format") == FORMAT and about["format"] is not True,
        file,
        f"its format is {shown(about.get('format'))}",
        f"format {FORMAT}",
    )
    parameters, report = about.get("parameters"), about.get("report")
    if not (isinstance(parameters, dict) and parameters.keys() <= names and isinstance(report, dict)):
        raise unsound(file, "its parameters or its report are missing or odd", "those of an estimator")
    for name in ("model.json", "model.safetensors"):
        plain_file(folder / name, within=folder)
    model = QpmModel.load(folder)
    classes = _labels(about, file)
    n = model.n_classes
    require(len(classes) == n > 1, file, f"it has {len(classes)} labels for {n} classes", "one label per class")
    fitted: dict[str, Any] = {"classes_": classes, "grid_": model.grid, "report_": report, "reader_": None}
    grid = parameters.get("grid")
    parameters["grid"] = plain_grid(grid)
    require((grid is None) == (parameters["grid"] is None), file, f"its grid is {shown(grid)}", "two numbers, or null")
    require(len(set(classes.tolist())) == n, file, "two of its labels are the same", "one label per class")
    if about.get("backbone") is None:
        fitted["n_features_in_"] = model.adapter.dim
        columns = about.get("feature_names")
        if columns:
            named = texts(columns) and len(columns) == model.adapter.dim
            require(named, file, "it does not name its columns", "one name per column")
            fitted["feature_names_in_"] = np.array(columns, dtype=object)
    else:
        reader = _reader(about["backbone"], folder, classes, device, weights)
        own = (model.adapter.dim, model.grid)
        require(reader.shape == own, file, f"its tokens are of {shown(own)}", f"those of its backbone, {reader.shape}")
        fitted["reader_"], parameters["backbone"] = reader, reader.config
    return parameters, fitted, model


def _reader(backbone: Any, folder: Path, classes: NDArray[Any], device: str, weights: str) -> ImageReader:
    """The backbone of a folder; no file is read because the folder names it."""
    file = folder / ABOUT
    if not (isinstance(backbone, dict) and isinstance(backbone.get("key"), str)):
        raise unsound(file, "its backbone is odd", "settings and a key")
    config = read_backbone(backbone.get("settings"), file)
    card = Card({}, FORMAT, tuple(map(str, classes)), "images", config, backbone["key"])
    try:
        settled = settled_weights(card, folder, weights)
    except UsageError as error:
        raise UsageError(error.what, error.expected, "write QPMClassifier.load(folder, weights=PATH)") from error
    reader = ImageReader(settled, device, offline=True)
    expected = "the one of fit: the same weights and, of timm's networks, the same version of timm"
    require(reader.key() == backbone["key"], file, "its backbone is not the one that is here", expected)
    if reader.needs_fit():
        reader.read_learned(plain_file(folder / BACKBONE, within=folder))
    return reader


def _plain_parameters(parameters: dict[str, Any]) -> dict[str, Any]:
    """As JSON, without the device; a RandomState is left out, and so is None again."""
    plain: dict[str, Any] = {}
    for name, value in parameters.items():
        if isinstance(value, np.generic):
            plain[name] = value.item()
        elif name == "grid" and value is not None:
            plain[name] = plain_grid(value)  # what is no grid was not used, as with pooled features
        elif name == "backbone":
            plain[name] = None  # settings, in full, stand beside
        elif name == "random_state" and not isinstance(value, int):
            plain[name] = None
        elif name != "device":
            plain[name] = value
    return plain


def _plain_labels(classes: NDArray[Any]) -> dict[str, Any]:
    labels = classes.tolist()
    kind = str(classes.dtype)
    if not (LABEL_TYPES.fullmatch(kind) and all(isinstance(label, str | int | float) for label in labels)):
        raise InputError(f"labels of type {kind}", "texts, numbers or truth values", "fit with such labels to save")
    return {"classes": labels, "classes_type": kind}


def _labels(about: dict[str, Any], file: Path) -> NDArray[Any]:
    labels, kind = about.get("classes"), about.get("classes_type")
    plain = isinstance(labels, list) and all(isinstance(label, str | int | float) for label in labels)
    if not (plain and isinstance(kind, str) and LABEL_TYPES.fullmatch(kind)):
        raise unsound(file, "its labels are missing or odd", "a list of texts, numbers or truth values")
    try:
        return np.array(labels, dtype=kind)
    except (ValueError, OverflowError):
        raise unsound(file, f"its labels are not of type {kind}", "labels of one type") from None
