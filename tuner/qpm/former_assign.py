"""Understands `assign` as version 0.1 had it: a dense model and its training images in place of their features."""

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from tuner.qpm.program.former import warn
from tuner.qpm.program_input import DenseFeatures

P = ParamSpec("P")
R = TypeVar("R")


def takes_a_model(function: Callable[P, R]) -> Callable[P, R]:
    """Let `assign(dense, train, config, device=...)` do what `assign(dense_features(dense, train), config)` does."""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        if "dense" not in kwargs and (not args or isinstance(args[0], DenseFeatures)):
            return function(*args, **kwargs)
        warn("assign: write assign(dense_features(dense, train), config)")
        return function(*_of_a_model(*args, **kwargs), **_options(kwargs))  # type: ignore[arg-type]

    return call


def _of_a_model(dense: Any, train: Any, config: Any, *, device: str = "auto", **_: Any) -> tuple[DenseFeatures, Any]:
    from tuner.qpm.dense import dense_features

    return dense_features(dense, train, device=device), config


def _options(kwargs: dict[str, Any]) -> dict[str, Any]:
    """The keywords that are left once model, images and device have become features."""
    return {name: value for name, value in kwargs.items() if name not in ("dense", "train", "config", "device")}
