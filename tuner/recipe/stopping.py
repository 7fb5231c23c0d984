"""Settings of early stopping: after which epoch of fine-tuning a trial is compared, and which trials go on.

They say how a search spends its epochs, and may change when it is continued.
"""

from dataclasses import dataclass

from tuner.base.settings import setting


@dataclass
class StoppingConfig:
    """Early stopping inside fine-tuning (docs/explanation/early-stopping.md)."""

    rung: float = setting(
        0.0,
        "share of the fine-tuning epochs after which a trial is compared with earlier ones, such as 0.3; 0: never",
        low=0.0,
        high=0.95,
    )
    eta: float = setting(
        6.0, "one in so many goes on: 4 is the best quarter of those compared, the others pause", low=1.0, high=100.0
    )
    startup_trials: int = setting(
        9, "trials that must have come to the rung before the first goes on", low=0, high=100_000, unit="trials"
    )

    def rung_epoch(self, epochs: int) -> int | None:
        """The epoch of the rung in a fine-tuning of so many epochs; None: there is none before the last epoch."""
        epoch = max(1, round(self.rung * epochs))
        return epoch if self.rung > 0.0 and epoch < epochs else None
