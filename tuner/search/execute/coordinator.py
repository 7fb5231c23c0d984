"""What Ray Tune runs for a trial: a process that holds no CPU and no GPU, asks the broker, and reports.

It imports neither torch nor mlflow, and Tune reuses it for one trial after the other.
"""

import json
from typing import Any

from ray import tune

from tuner.search.execute.broker_handle import BrokerHandle

# Of a result, what Tune itself and the searcher read.
NEEDED = {"record", "done", "trial_id", "training_iteration", "node_ip", "pid", "hostname"}


class Coordinator(tune.Trainable):
    """One trial: one step, which reports the trial's `TrialOutcome` under `record`, as JSON text, or null.

    Text, since Tune takes nested results apart; and strict JSON holds no NaN.
    """

    def setup(self, config: dict[str, Any], broker: BrokerHandle | None = None) -> None:
        """Remember whom to ask for what.

        Args:
            config: {"number": trial}; Tune copies it several times, and keeps the copies.
            broker: whom to ask.
        """
        assert broker is not None, "Tune is given it with the trainable"
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
    """Takes Tune's own measurements out of a result: of each it would keep a history as long as the search runs."""

    def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: dict[str, Any], **_: Any) -> None:
        """Tune allows it to be changed here."""
        for name in result.keys() - NEEDED:
            del result[name]
