"""The MLflow mirror: shows a search and never decides anything.

The ledger is the source of truth; MLflow is updated from it. Importing this never imports mlflow.
"""

from tuner.tracking.mirror import Mirror

__all__ = ["Mirror"]
