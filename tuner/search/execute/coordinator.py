"""The process that Ray Tune runs for a trial: without CPU or GPU, it asks the broker and reports to Tune.

It imports neither torch nor mlflow, and Tune reuses it for one trial after the other.
"""

import json
from typing import Any

from ray import tune

from tuner.search.execute.broker_handle import BrokerHandle

# The fields of a result that Tune and the searcher read.
NEEDED = {"record", "done", "trial_id", "training_iteration", "node_ip", "pid", "hostname"}


class Coordinator(tune.Trainable):
    """One trial: one step, which reports the trial's `TrialOutcome` under `record`, as JSON text, or null.

    Text, because Tune flattens nested results; strict JSON, so no NaN.
    """

    def setup(self, config: dict[str, Any], broker: BrokerHandle | None = None) -> None:
        """Store the trial's number and the broker.

        Args:
            config: {"number": trial}; small, because Tune keeps several copies.
            broker: the search's broker.
        """
        assert broker is not None, "it is bound to the trainable given to Tune"
        self._broker, self._number = broker, config["number"]

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """The next trial."""
        self._number = new_config["number"]
        return True

    def step(self) -> dict[str, Any]:
        """The whole trial."""
        outcome = self._broker.outcome(self._number)
        content = None if outcome is None else outcome.to_json()
        return {"record": json.dumps(content, allow_nan=False), "done": True}


class Forget(tune.Callback):
    """Removes Tune's own measurements from a result; Tune would keep a history of each for the whole search."""

    def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: dict[str, Any], **_: Any) -> None:
        """Called by Tune, which lets a callback change the result."""
        for name in result.keys() - NEEDED:
            del result[name]
