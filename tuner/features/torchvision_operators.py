"""Lets torchvision be imported beside a torch for which its compiled operators were not built.

timm needs torchvision, and transformers imports it where it is installed. Its wheels on PyPI are built for torch with
CUDA. Beside torch's CPU build its library of operators cannot be loaded. torchvision tolerates that, but its import
fails all the same: it describes operators that torch has never heard of. No backbone calls them, so their names are
declared here, without an implementation; a call says that there is none.
"""

import threading
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, FileFinder
from importlib.util import find_spec

import torch

OPERATORS = {
    "nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
"""What torchvision 0.28 describes when it is imported, whether its library was loaded or not."""

_LOCK = threading.Lock()


def declare_missing_operators() -> None:
    """Declare these operators if torchvision is installed and its library cannot be loaded.

    Imports nothing. An operator that exists is never replaced: the library is loaded first, as torchvision does.
    """
    package = find_spec("torchvision")
    if package is None or not package.submodule_search_locations:
        return
    with _LOCK:
        if _loaded(package.submodule_search_locations[0]):
            return
        for name, schema in OPERATORS.items():
            if not hasattr(torch.ops.torchvision, name):
                torch.library.define(f"torchvision::{name}", schema)


def _loaded(folder: str) -> bool:
    """Whether the library of operators in torchvision's folder is loaded now."""
    library = FileFinder(folder, (ExtensionFileLoader, EXTENSION_SUFFIXES)).find_spec("_C")
    if library is None or library.origin is None:
        return False
    try:
        torch.ops.load_library(library.origin)  # type: ignore[no-untyped-call]
    except OSError:  # built for another torch
        return False
    return True
