"""What images there are: data sets, their splits and object masks. `load_dataset` is the door."""

from tuner.data.registry import register_dataset

__all__ = ["register_dataset"]
