"""Who made a run: what MLflow itself would say, and a commit only of the project's own repository."""

import subprocess
from pathlib import Path

from tuner.tracking.origin import commit_of, origin_tags


def test_the_commit_is_that_of_the_repository_whose_root_it_is(tmp_path: Path) -> None:
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    assert commit_of(tmp_path) == "", "nothing is committed yet"
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "one"], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    assert commit_of(tmp_path) == head
    (tmp_path / "site-packages").mkdir()
    assert commit_of(tmp_path / "site-packages") == "", "an installed package lies in somebody else's repository"


def test_only_what_mlflow_itself_sets_is_sent() -> None:
    names = {"mlflow.user", "mlflow.source.name", "mlflow.source.type", "mlflow.source.git.commit"}
    assert {"mlflow.source.name", "mlflow.source.type"} <= set(origin_tags()) <= names
