"""The package timm, which is optional."""

from typing import Any

from tuner.errors import TunerError
from tuner.features import hub

INSTALL = "sh requirements/install.sh python full"
TODO = f"install it: {INSTALL}, or pip install 'qpm-tuner[timm]'"


def timm() -> Any:
    """The package timm.

    Raises:
        TunerError: it is not installed, or cannot be imported; the message has the install line.
    """
    try:
        return hub.package("timm", TODO, extra="timm")
    except RuntimeError as error:  # a torchvision of another torch
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise TunerError(
            f"package timm cannot be imported: {reason}", "a torchvision that fits torch, as the lock has it", TODO
        ) from error
