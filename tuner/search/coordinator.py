"""What Ray Tune runs for a trial: a process that holds no CPU and no GPU, asks the broker, and reports.

It imports neither torch nor mlflow, and Tune reuses it for one trial after the other.
"""

import json
from typing import Any

import ray
from ray import tune


class Coordinator(tune.Trainable):
    """One trial: one step, which reports the trial's outcome event under `record`, as JSON text, or null.

    Text, since Tune takes nested results apart; and strict JSON holds no NaN.
    """

    def setup(self, config: dict[str, Any], broker: Any) -> None:
        """Remember whom to ask for what.

        Args:
            config: {"number": trial}; Tune copies it several times, and keeps the copies.
            broker: the actor's handle.
        """
        self._broker, self._number = broker, config["number"]

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """The next trial."""
        self._number = new_config["number"]
        return True

    def step(self) -> dict[str, Any]:
        """The whole trial."""
        record = ray.get(self._broker.outcome.remote(self._number))
        return {"record": json.dumps(record, allow_nan=False), "done": True}
