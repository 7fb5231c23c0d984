"""The commands that cluster files and guides show, as people would type them: comments and continued lines undone."""

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OURS = re.compile(r"(?:qpm-tuner|python -m jobs\.)\s*(?P<name>\w+) (?P<rest>.+)")


def commands(path: Path) -> list[tuple[str, list[str]]]:
    """Our commands in a file: name and words."""
    text = re.sub(r"^#", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    found = []
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        if "`" not in line and (match := OURS.search(line)) and "$SEARCH" not in line:
            found.append((match["name"], shlex.split(match["rest"], comments=True)))
    if search := re.search(r'--env SEARCH="(.+)"', text):
        found.append(("search", shlex.split(search[1])))
    return found
