"""Who and what made a run, in the tags that MLflow itself sets: user, source and commit. Nothing else is sent."""

import getpass
import subprocess
from functools import cache
from pathlib import Path

SOURCE = "qpm-tuner search"
PATIENCE_S = 5.0


@cache
def origin_tags() -> dict[str, str]:
    """User, source and, where the package lies in its own git repository, the commit."""
    tags = {"mlflow.source.name": SOURCE, "mlflow.source.type": "LOCAL"}
    if user := _user():
        tags["mlflow.user"] = user
    if commit := commit_of(Path(__file__).parents[2]):
        tags["mlflow.source.git.commit"] = commit
    return tags


def _user() -> str:
    """The user's name, as `getpass` knows it; empty where the system has none for this account."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return ""


def commit_of(folder: Path) -> str:
    """The commit checked out in a folder; empty if it is not the root of a git repository, or git is missing.

    Only the root counts: an installed package may lie inside a repository of somebody else's.
    """
    if not (folder / ".git").exists():
        return ""
    try:
        found = subprocess.run(
            ["git", "-C", str(folder), "rev-parse", "--verify", "HEAD"],
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE_S,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return found.stdout.strip()
