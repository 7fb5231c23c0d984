"""Warm starts for the program: the nearest solved setting of the same dense model, looked up in the store.

Each solved program leaves an empty marker whose name says which setting it solved; the answer itself is the
assign stage's artifact.
"""

import numpy as np

from tuner.qpm import Assignment
from tuner.qpm.settings import AssignConfig
from tuner.search.plan import StageSpec
from tuner.store import Artifacts, Store


def remember_selection(store: Store, spec: StageSpec) -> None:
    """Mark the program of an assign stage as solved."""
    config = AssignConfig(**spec.settings["assign"])
    if config.control == "none":
        name = f"{config.n_features}x{config.features_per_class}/{spec.key}"
        store.put_new(f"{_prefix(spec.inputs['dense'], config)}/{name}", b"")


def nearest_selection(store: Store, dense: str, config: AssignConfig) -> np.ndarray | None:
    """The features selected for the nearest setting, (n_features,) indices into the dense width, or None.

    Nearest is by the number of features, then by features per class.
    """
    if not config.warm_start or config.control != "none":
        return None
    solved = []
    prefix = _prefix(dense, config)
    for marker in store.list(prefix + "/"):
        setting, key = marker[len(prefix) + 1 :].split("/")
        n_features, per_class = map(int, setting.split("x"))
        solved.append((abs(n_features - config.n_features), abs(per_class - config.features_per_class), key))
    for _, _, key in sorted(solved):
        artifacts = Artifacts(store)
        if artifacts.find("stages/assign", key) is not None:
            return Assignment.load(artifacts.fetch("stages/assign", key)).features
    return None


def _prefix(dense: str, config: AssignConfig) -> str:
    return f"stages/assign-solved/{dense}/{config.variant}"
