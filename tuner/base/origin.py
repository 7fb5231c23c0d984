"""Which code and which machine produced a result: the commit, and the machine in words, both without any secret."""

import importlib.metadata
import json
import os
import platform
import subprocess
from pathlib import Path

PACKAGE = "qpm-tuner"
ROOT = Path(__file__).parents[2]
PATIENCE_S = 5.0
DIGITS = 12  # of a commit


def commit() -> str:
    """The commit of the running code, with "+changes" where tracked files differ from it; empty if it is unknown.

    pip keeps it for what it installed from a repository (PEP 610); for a checkout, git tells it.
    """
    try:
        text = importlib.metadata.distribution(PACKAGE).read_text("direct_url.json")
        found = json.loads(text or "{}").get("vcs_info", {}).get("commit_id", "")
    except (importlib.metadata.PackageNotFoundError, ValueError, AttributeError):
        found = ""
    return str(found)[:DIGITS] if found else _of_checkout(ROOT)


def machine() -> str:
    """The machine in words: "x86_64, 8 CPU cores, Linux 6.1"."""
    cores = os.cpu_count() or 1
    system = f"{platform.system()} {platform.release().partition('-')[0]}"
    return f"{platform.machine()}, {cores} CPU core{'s' if cores > 1 else ''}, {system}"


def _of_checkout(folder: Path) -> str:
    if not (folder / ".git").exists():
        return ""
    head = _git(folder, "rev-parse", f"--short={DIGITS}", "HEAD")
    if not head:
        return ""
    return f"{head}+changes" if _git(folder, "status", "--porcelain", "--untracked-files=no") else head


def _git(folder: Path, *command: str) -> str:
    """What git answers; empty where it is missing, refuses, or takes too long."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *command], capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
