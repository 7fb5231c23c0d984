"""What the first Ctrl-C is answered with: what still comes to its end, and what a second one does."""

from collections.abc import Sequence

from tuner.search.execute.messages import RunSnapshot
from tuner.search.watch.texts import told_stage

CONFIRMING = (
    "finishing the running stages; Ctrl-C again to abort (finished runs are kept, and the same command carries on)"
)


def finishing(running: Sequence[RunSnapshot]) -> str:
    """The answer while trials run: which stages must still finish."""
    begun = [run for run in running if run.begun]
    if not begun:
        return "stopping; Ctrl-C again to abort (the same command carries on)"
    doing = f"finishing {len(begun)} running {'stage' if len(begun) == 1 else 'stages'}"
    waiting = ", ".join(f"trial {run.trial} {told_stage(run)}" for run in begun)
    return f"{doing}; Ctrl-C again to abort (the same command carries on); waiting for {waiting}"
