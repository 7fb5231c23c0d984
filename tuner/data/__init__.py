"""What images there are: data sets, their splits and object masks. Start at `tuner.data.load.load_dataset`."""

from tuner.data.registry import register_dataset

__all__ = ["register_dataset"]
