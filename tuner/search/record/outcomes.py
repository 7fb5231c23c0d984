"""How a trial can have ended."""

OUTCOMES = ("complete", "pruned", "stopped", "skipped", "infeasible", "failed")
"""`pruned`: by early stopping. `stopped`: by the clock. `skipped`: by a person."""
