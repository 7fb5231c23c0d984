"""The retry limits of a stage whose worker died or hung; each retry resumes from its last epoch checkpoint."""

from tuner.search.execute.hang_detector import HungError
from tuner.search.execute.stage_run import StageRun

# A machine may lose nodes or run out of memory for reasons that are not the stage's fault.
NODE_LOSSES = 5

RETRIES = 2  # as budget.retries


class Attempts:
    """Counts the attempts at the current stage of a sequence.

    Args:
        retries: retries after a hang.
    """

    def __init__(self, retries: int) -> None:
        self._retries = retries
        self._losses = self._hangs = 0

    def forget(self) -> None:
        """The stage is done: restart the count for the next one."""
        self._losses = self._hangs = 0

    def count(self, run: StageRun, error: Exception) -> None:
        """An attempt has failed.

        Raises:
            HungError: the stage has hung too often.
            Exception: `error`, if its worker has died too often.
        """
        if run.trouble is None:
            self._losses += 1
            if self._losses > NODE_LOSSES:
                raise error
            return
        self._hangs += 1
        if self._hangs > self._retries:
            attempts = f"{self._hangs} {'attempt' if self._hangs == 1 else 'attempts'}"
            raise HungError(f"stage {run.spec.stage} {run.trouble} on {attempts}") from error
