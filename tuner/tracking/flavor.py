"""Makes an exported model one that MLflow loads and serves: MLmodel, requirements and an example beside its files.

MLflow imports `tuner.served` to load it. Nothing is pickled, and no code lies in the folder. The files are those that
MLflow documents for its models; its own `save_model` loads many libraries, and copies what lies in the working folder.
"""

import base64
import io
import json
import platform
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from tuner.base.untrusted import read_json
from tuner.version import __version__

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

LOADER = "tuner.served"
EXTRAS = {"dinov2": "dino", "efficientnet_lite2": "cnn", "timm": "timm"}
EXAMPLE, SERVING_EXAMPLE = "input_example.json", "serving_input_example.json"
REQUIREMENTS, CONDA, VIRTUALENV = "requirements.txt", "conda.yaml", "python_env.yaml"


def declare(folder: Path, target: Path) -> Path:
    """Copy an exported model folder, with the files that make it a model for MLflow.

    Args:
        folder: written by `tuner.model.export_model`; it stays as it is, and the copy can be loaded in the same way.
        target: where; it must not exist.

    Returns:
        The copy.
    """
    from mlflow.models import Model

    shutil.copytree(folder, target)
    _write_environment(target, requirement(folder))
    table = {"columns": ["image"], "data": [[base64.b64encode(example()).decode()]]}
    (target / EXAMPLE).write_text(json.dumps(table))
    (target / SERVING_EXAMPLE).write_text(json.dumps({"dataframe_split": table}))
    told = {"artifact_path": EXAMPLE, "serving_input_path": SERVING_EXAMPLE}
    told |= {"type": "dataframe", "pandas_orient": "split"}
    model = Model(signature=signature(), saved_input_example_info=told)
    environment = {"conda": CONDA, "virtualenv": VIRTUALENV}
    python = platform.python_version()
    model.add_flavor("python_function", loader_module=LOADER, python_version=python, env=environment)
    model.save(str(target / "MLmodel"))
    return target


def requirement(folder: Path) -> str:
    """The package that loads the folder, with the extra that its backbone needs: `qpm-tuner[dino]==1.0`."""
    card = folder / "card.json"
    backbone = read_json(card).get("backbone") if card.is_file() else None
    extra = EXTRAS.get(str(backbone.get("name"))) if isinstance(backbone, dict) else None
    return f"qpm-tuner{f'[{extra}]' if extra else ''}=={__version__}"


def _write_environment(target: Path, package: str) -> None:
    """The environment in each of the forms in which MLflow reads it."""
    python = platform.python_version()
    (target / REQUIREMENTS).write_text(f"{package}\n")
    virtualenv = {"python": python, "build_dependencies": ["pip"], "dependencies": [f"-r {REQUIREMENTS}"]}
    (target / VIRTUALENV).write_text(yaml.safe_dump(virtualenv, sort_keys=False))
    conda = {"name": "mlflow-env", "channels": ["conda-forge"]}
    dependencies = [f"python={python}", "pip", {"pip": [package]}]
    (target / CONDA).write_text(yaml.safe_dump({**conda, "dependencies": dependencies}, sort_keys=False))


def signature() -> "ModelSignature":
    """What the model takes and gives; see `tuner.served.ServedModel.predict`."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import Array, Map, Object, Property

    feature = [
        Property("feature", DataType.long),
        Property("contribution", DataType.double),
        Property("speaks", DataType.string),
        Property("peak", Array(DataType.long)),
        Property("peak_value", DataType.double),
        Property("strength", DataType.double, required=False),
    ]
    outputs = [
        ColSpec(DataType.string, "class"),
        ColSpec(DataType.double, "probability"),
        ColSpec(DataType.string, "runner_up"),
        ColSpec(DataType.double, "margin"),
        ColSpec(Map(DataType.double), "scores"),
        ColSpec(Array(Object(feature)), "features"),
        ColSpec(DataType.boolean, "unlike", required=False),
        ColSpec(DataType.string, "sentence"),
    ]
    return ModelSignature(inputs=Schema([ColSpec(DataType.binary, "image")]), outputs=Schema(outputs))


def example() -> bytes:
    """A drawn image, as a PNG file: no image of the data set leaves it this way."""
    from PIL import Image

    file = io.BytesIO()
    Image.linear_gradient("L").resize((32, 32)).convert("RGB").save(file, "PNG")
    return file.getvalue()
