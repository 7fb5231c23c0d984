"""Data sets: images, splits and object masks. Entry point: `tuner.data.load.load_dataset`."""

from tuner.data.registry import register_dataset

__all__ = ["register_dataset"]
