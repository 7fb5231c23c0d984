"""Stop the services that cluster.up started from a folder, and only those; their data are kept."""

import argparse
import sys

from cluster import head, mlflow, s3
from cluster.command import parser, run
from cluster.settings import state_folder
from tuner.store.disk import locked

EXAMPLES = """  python -m cluster.down
  python -m cluster.down --folder lab"""


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run(parser(__file__, __doc__, EXAMPLES), body, arguments)


def body(arguments: argparse.Namespace) -> int:
    """Stop all services; Ray first, since it uses the others."""
    folder = state_folder(arguments.folder)
    if not folder.is_dir():
        print(f"no services have been started from {folder}")
        return 0
    with locked(folder / ".lock"):
        ray_ran = head.stop(folder / "ray")
        mlflow_ran = mlflow.stop(folder / "mlflow")
        s3_ran = s3.find(folder / "s3") is not None
        s3.stop(folder / "s3")
        (folder / "env.sh").unlink(missing_ok=True)
    for name, ran in (("Ray", ray_ran), ("MLflow", mlflow_ran), ("S3", s3_ran)):
        print(f"{name:8}{'stopped' if ran else 'was not running'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
