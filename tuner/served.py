"""A picked model as MLflow loads it: `mlflow.pyfunc.load_model` and `mlflow models serve` call `_load_pyfunc`.

It takes images as bytes, never as paths: whoever may ask a server for predictions must not make it read files.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from tuner.errors import TunerError, UsageError
from tuner.model import ExportedModel, load_model
from tuner.report.prediction import Prediction

IMAGE = "image"
CONFIG = ("device", "weights")


class ServedModel:
    """Predicts on a table of image files.

    Args:
        model: the exported model.
    """

    def __init__(self, model: ExportedModel) -> None:
        self.model = model

    def predict(self, model_input: pd.DataFrame, params: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """Classify images and explain each decision.

        Args:
            model_input: a row per image; its column `image` holds the bytes of the file (PNG, JPEG, ...).
            params: none are known.

        Returns:
            A row per image. `class` and `probability` (0 to 1, not calibrated), `runner_up` and the `margin` over it;
            `scores`, the logit of every class by name; `features`, those of the class on this image as
            `qpm-tuner explain` prints them; `unlike`, whether the image is unlike the training images (null: unknown);
            and all of it as a `sentence`. Logits, margins and contributions are in standard deviations of a feature
            over the training images.

        Raises:
            mlflow.exceptions.MlflowException: there is no such column, or one of its files is no image.
        """
        from mlflow.exceptions import MlflowException

        with tempfile.TemporaryDirectory(prefix="qpm-tuner-served-") as folder:
            try:
                paths = [Path(folder) / f"image {position}" for position in range(len(model_input))]
                for path, content in zip(paths, _files(model_input), strict=True):
                    path.write_bytes(content)
                predictions = self.model.predict(paths)
            except TunerError as error:
                raise MlflowException.invalid_parameter_value(str(error).replace(f"{folder}/", "")) from error
        return pd.DataFrame([_row(prediction) for prediction in predictions], index=model_input.index)


def _load_pyfunc(path: str, model_config: Mapping[str, Any] | None = None) -> ServedModel:
    """The model of an exported folder.

    Args:
        path: the folder.
        model_config: `device` and `weights`, as `tuner.model.load_model` takes them.

    Raises:
        TunerError: see `tuner.model.load_model`.
        UsageError: the configuration has another key.
    """
    config = dict(model_config or {})
    if unknown := sorted(set(config) - set(CONFIG)):
        raise UsageError(f"model_config has {unknown}", f"only {' and '.join(CONFIG)}", "drop the others")
    return ServedModel(load_model(path, **config))


def _files(table: pd.DataFrame) -> list[bytes]:
    """The image files in the table.

    Raises:
        UsageError: it has no column of bytes.
    """
    todo = 'give pandas.DataFrame({"image": [file_bytes]}), or over HTTP the same in base64'
    if not isinstance(table, pd.DataFrame) or IMAGE not in table:
        columns = list(table) if isinstance(table, pd.DataFrame) else type(table).__name__
        raise UsageError(f"the input has no column {IMAGE!r}: {columns!s:.200}", "a table with image files", todo)
    for position, content in enumerate(table[IMAGE]):
        if not isinstance(content, bytes | bytearray):
            told = f"row {position} of column {IMAGE!r} is of type {type(content).__name__}"
            raise UsageError(told, "the bytes of an image file", todo)
    return [bytes(content) for content in table[IMAGE]]


def _row(prediction: Prediction) -> dict[str, Any]:
    told = replace(prediction, path=Path(prediction.path.name)).to_dict()
    kept = ("class", "probability", "runner_up")
    scores = zip(prediction.class_names, map(float, prediction.explanation.logits), strict=True)
    return {
        **{name: told[name] for name in kept},
        "margin": told["margin"]["value"],
        "scores": dict(scores),
        "features": told["features"],
        "unlike": told["unlike"],
        "sentence": told["sentence"],
    }
