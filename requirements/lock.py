"""Pins every dependency with the hashes of its files: python requirements/lock.py [--upgrade], needs uv.

The pins are written twice: as requirements/*.txt for pip (`make search`, `make test`), which can take torch's CPU build
from an index that has it, and as uv.lock for `uv sync`, which takes torch as PyPI has it. Versions are the same.

A file a set, each beginning with the smaller one; and torch apart: as PyPI has it, and its CPU build. Versions that
are pinned stay while pyproject.toml allows them, unless --upgrade is given.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
PROJECT = HERE.parent / "pyproject.toml"
SETS = {"search": [], "full": ["cnn", "dino", "timm", "cluster"], "test": ["test"]}
# What a build of this project reads.
_BUILD_FILES = ("README.md", "LICENSE", "tuner/__init__.py", "tuner/version.py", "pyproject.toml")
BUILDS_US = "setuptools"  # pip would fetch it unseen for the project's own build
# One version of a package, whatever the Python: a file of pins holds each name once.
ANYWHERE = ["--universal", "--python-version", "3.11", "--fork-strategy", "fewest", "--generate-hashes"]
LINUX, WITHOUT_CUDA = (["--python-version", "3.11", "--python-platform", name] for name in ("linux", "windows"))

WHAT = {
    "search": "What a search needs",
    "full": "All that runs: convolutional, DINO and timm backbones, services for one machine",
    "test": "All, with the test tools",
    "torch": "torch as PyPI has it, with CUDA on Linux",
}

Pins = dict[str, str]  # by package: version, marker and hashes, as pip reads them


def compiled(inputs: list[str], versions: Pins, options: list[str], needs: str = BUILDS_US) -> Pins:
    """What uv resolves for these inputs and what they need besides; a package of `versions` has just that one."""
    with tempfile.TemporaryDirectory() as folder:
        constraints, needed = Path(folder) / "constraints.txt", Path(folder) / "needed.txt"
        constraints.write_text("\n".join(pin.splitlines()[0].rstrip("\\ ") for pin in versions.values()))
        needed.write_text(needs)
        command = ["uv", "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--constraint", constraints]
        command += [*options, *inputs, needed]
        text = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return read(text)


def read(text: str) -> Pins:
    """The pins of a file; comments and what it includes are left out."""
    pins = re.split(r"\n(?=\S)", text.strip())
    return {pin.partition("==")[0]: pin for pin in pins if re.match(r"[a-z0-9]", pin)}


def write(name: str, pins: Pins, smaller: str) -> None:
    """Write a file of the lock."""
    lines = [f"# {WHAT[name]}. Made by `make lock`, installed by requirements/install.sh."]
    lines += [f"--requirement {smaller}.txt"] if smaller else []
    (HERE / f"{name}.txt").write_text("\n".join([*lines, *(pins[package] for package in sorted(pins))]) + "\n")


def write_uv_lock(versions: Pins) -> None:
    """Write uv.lock with these versions: uv keeps what a lock has, so the first of two is made under constraints."""
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / "pyproject.toml"
        for name in _BUILD_FILES:
            (Path(folder) / name).parent.mkdir(exist_ok=True)
            shutil.copy(HERE.parent / name, Path(folder) / name)
        pins = [pin.splitlines()[0].rstrip("\\ ") for pin in versions.values()]
        draft.write_text(f"{PROJECT.read_text()}constraint-dependencies = {pins!r}\n")  # its last table is [tool.uv]
        subprocess.run(["uv", "lock", "--quiet", "--directory", folder], check=True)
        shutil.copy(PROJECT, draft)
        subprocess.run(["uv", "lock", "--quiet", "--directory", folder], check=True)
        shutil.copy(Path(folder) / "uv.lock", HERE.parent)


def main() -> None:
    """Write all files but torch-cpu.txt, whose one hash is that of the file the tests run with."""
    known: Pins = {}
    for path in () if "--upgrade" in sys.argv else HERE.glob("*.txt"):
        known |= {} if path.stem == "torch-cpu" else read(path.read_text())
    every = compiled([str(PROJECT), "--extra", "test"], known, ANYWHERE)
    on_linux, elsewhere = (compiled([], every, platform, "torch") for platform in (LINUX, WITHOUT_CUDA))
    done = {"torch", *(on_linux.keys() - elsewhere.keys())}
    write("torch", {package: every[package] for package in done}, "")
    smaller = ""
    for name, extras in SETS.items():
        options = [word for extra in extras for word in ("--extra", extra)]
        found = compiled([str(PROJECT), *options], every, ANYWHERE)
        write(name, {package: every[package] for package in found.keys() - done}, smaller)
        done, smaller = done | found.keys(), name
    write_uv_lock(every)


if __name__ == "__main__":
    main()
