"""Runs a page of the documents as somebody would who follows it: its blocks in order, in one shell, in an empty folder.

What a block is, is said by its fence:

- `sh`: commands;
- `python`: a script, run by `python`;
- `python title="name.py"`, or another language with a title: a file that the page asks to write;
- `text title="name.py, old"`, then `text title="name.py, new"`: what becomes what in a file;
- anything else (`text`, `yaml` without a title): to be read only.

A comment `<!-- not run: reason -->` before a block leaves it out.
"""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(
    r"(?:^<!-- not run: (?P<why>.+?) -->\n+)?^(?P<indent> *)```(?P<language>\w+)?(?: title=\"(?P<title>[^\"]+)\")?\n"
    r"(?P<text>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)


# Replaces what is in the file .old by what is in .new; blanks at the ends of lines do not count.
_REPLACE = """python - {} <<'END_OF_EDIT'
import sys
from pathlib import Path
file, (old, new) = Path(sys.argv[1]), [Path(name).read_text().rstrip() for name in (".old", ".new")]
text = file.read_text()
assert text.count(old) == 1, f"{{file}} has {{text.count(old)}} times: {{old}}"
file.write_text(text.replace(old, new))
END_OF_EDIT"""


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    language: str
    title: str
    text: str
    why_not: str


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    found = BLOCK.finditer(page.read_text(encoding="utf-8"))
    return [Block(m["language"] or "", m["title"] or "", m["text"], m["why"] or "") for m in found]


def script(page: Path, instead: Mapping[str, str] | None = None) -> str:
    """All of a page that is run, as one shell script.

    Args:
        page: its file.
        instead: lines of its commands, and what is run in their place because the line itself takes too long.
    """
    instead = dict(instead or {})
    lines, old = ["set -eu"], ""
    for number, block in enumerate(blocks(page)):
        if block.why_not:
            continue
        if block.title.endswith(", old"):
            old = block.text
        elif block.title.endswith(", new"):
            lines += [
                _written(".old", old),
                _written(".new", block.text),
                _REPLACE.format(block.title[: -len(", new")]),
            ]
        elif block.title:
            lines.append(f"mkdir -p $(dirname {shlex.quote(block.title)})")
            lines.append(_written(block.title, block.text))
        elif block.language == "python":
            lines += [_written(f"block_{number}.py", block.text), f"python block_{number}.py"]
        elif block.language == "sh":
            lines += [_command(line, instead) for line in block.text.splitlines()]
    assert not instead, f"{page} does not have the lines {list(instead)}"
    return "\n".join(lines) + "\n"


def _written(name: str, text: str) -> str:
    return f"cat > {shlex.quote(name)} <<'END_OF_BLOCK'\n{text}END_OF_BLOCK"


def _command(line: str, instead: dict[str, str]) -> str:
    return instead.pop(line.partition("  #")[0].strip(), line)


def follow(page: Path, folder: Path, instead: Mapping[str, str] | None = None, timeout_s: float = 300) -> str:
    """Follow a page in a folder; what its commands printed.

    Raises:
        AssertionError: one of them failed, with all that was printed.
    """
    file = folder / ".page.sh"
    file.write_text(script(page, instead), encoding="utf-8")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    done = subprocess.run(
        ["bash", str(file)],
        cwd=folder,
        env={**os.environ, "PATH": path, "QPM_TUNER_CACHE": str(folder / ".cache"), "PYTHONWARNINGS": "default"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert done.returncode == 0, f"{page.relative_to(ROOT)}:\n{done.stdout}"
    return done.stdout
