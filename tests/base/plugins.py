"""An installed package as Python sees one: a module and its entry points."""

import subprocess
import sys
from pathlib import Path


def describe(root: Path, module: str, group: str, entry: str, name: str = "a_package") -> None:
    """Write a package that names something in an entry-point group; its module has the package's name."""
    (root / f"{name}.py").write_text(module)
    about = root / f"{name}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[{group}]\n{entry}\n")


def installed(root: Path, module: str, group: str, entry: str, code: str) -> subprocess.CompletedProcess[str]:
    """Run code beside such a package, in a process of its own."""
    describe(root, module, group, entry)
    start = f"import sys; sys.path.insert(0, {str(root)!r})\n"
    return subprocess.run([sys.executable, "-c", start + code], check=False, capture_output=True, text=True)
