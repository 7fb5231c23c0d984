"""Files of the Hugging Face hub, from the local cache or the network, without telemetry."""

import os
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from tuner.base.environment import environment
from tuner.base.untrusted import shown
from tuner.errors import TunerError
from tuner.features.torchvision_operators import declare_missing_operators

TELEMETRY = "HF_HUB_DISABLE_TELEMETRY"


def package(name: str, todo: str, extra: str = "dino") -> Any:
    """A package of an extra of this project.

    Raises:
        TunerError: it is not installed.
    """
    declare_missing_operators()  # of torchvision, which these packages import
    told: dict[str, str | None] = {TELEMETRY: os.environ.get(TELEMETRY, "1")}  # read when the hub is imported
    try:
        with environment(told):
            return import_module(name)
    except ImportError as error:
        missing = (error.name if isinstance(error, ModuleNotFoundError) else None) or name
        raise TunerError(f"package {missing} is not installed", f"the optional extra `{extra}`", todo) from error


def downloaded(
    name: str, wanted: Sequence[str], what: str, todo: str, *, offline: bool, field: str = "backbone.weights"
) -> Path:
    """The folder with files of a repository.

    Args:
        name: of the repository, such as `facebook/dinov2-base`.
        wanted: patterns of its files.
        what: what they are, for errors, such as `DINOv2 weights`.
        todo: what to do where it fails.
        offline: take only what this machine already has.
        field: of a recipe that names the repository, for errors.

    Raises:
        TunerError: they are neither here nor can they be downloaded.
    """
    download = package("huggingface_hub", todo).snapshot_download
    patterns = list(wanted)
    try:
        try:
            return Path(download(name, allow_patterns=patterns, local_files_only=True))
        except OSError:
            if offline:
                raise
            return Path(download(name, allow_patterns=patterns))
    except Exception as error:  # no common base: HTTP, DNS, validation and file errors
        if offline:
            raise TunerError(
                f"the weights {shown(name)} are not on this machine, and nothing is downloaded for a model",
                f"{what} in a local folder, or in the hub's cache",
                f"name their place: `weights=PATH`, or fetch them first: hf download {shown(name)}",
            ) from error
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise TunerError(
            f"{field}={name} is neither a local path nor can it be downloaded: {reason}", what, todo
        ) from error
