"""Frozen backbones and the feature banks they fill: from images to tokens, once."""

from tuner.features.registry import register_backbone

__all__ = ["register_backbone"]
