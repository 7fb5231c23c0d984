"""A fitted model without torch, as plain numbers and numpy arrays, for pickles of the estimator."""

import dataclasses
from typing import Any

import torch

from tuner.qpm import AdapterConfig, QpmModel


def frozen(model: QpmModel) -> dict[str, Any]:
    """Shape, weights (numpy arrays) and curves of a model."""
    return {
        "adapter": dataclasses.asdict(model.adapter.config),
        "dim": model.adapter.dim,
        "n_classes": model.n_classes,
        "grid": model.grid,
        "rectified": model.head.rectified,
        "weights": {name: values.cpu().numpy() for name, values in model.state_dict().items()},
        "curves": model.curves,
    }


def thawed(state: dict[str, Any]) -> QpmModel:
    """The model that `frozen` described, on the CPU, ready to predict."""
    model = QpmModel.blank(AdapterConfig(**state["adapter"]), state["dim"], state["n_classes"], state["grid"])
    model.load_state_dict({name: torch.tensor(values) for name, values in state["weights"].items()})
    model.head.rectified = state.get("rectified", False)  # pickles of earlier versions do not have it
    model.curves = state["curves"]
    return model.eval()
