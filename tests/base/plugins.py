"""An installed package as Python sees one: a module and its entry points, in a process of their own."""

import subprocess
import sys
from pathlib import Path


def installed(root: Path, module: str, group: str, entry: str, code: str) -> subprocess.CompletedProcess[str]:
    """Runs code beside a package that names something in an entry-point group; its module is `a_package`."""
    (root / "a_package.py").write_text(module)
    about = root / "a_package-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: a_package\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[{group}]\n{entry}\n")
    start = f"import sys; sys.path.insert(0, {str(root)!r})\n"
    return subprocess.run([sys.executable, "-c", start + code], check=False, capture_output=True, text=True)
