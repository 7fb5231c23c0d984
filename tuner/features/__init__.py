"""Frozen backbones and feature banks: every image is converted to tokens once."""

from tuner.features.registry import register_backbone

__all__ = ["register_backbone"]
