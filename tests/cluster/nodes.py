"""What the nodes of ray_cluster.yaml need here: its commands, and an environment without downloads."""

import subprocess
import sys
import sysconfig
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
CONFIG = yaml.safe_load((ROOT / "ray_cluster.yaml").read_text())


def borrow_libraries(home: Path) -> None:
    """An environment of its own for the project, with this one's libraries in reach, but not this one's project."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home / "venv"], check=True)
    library = home / "libraries"
    library.mkdir()
    for entry in Path(sysconfig.get_paths()["purelib"]).iterdir():
        if "qpm_tuner" not in entry.name:
            (library / entry.name).symlink_to(entry)
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    (home / "venv" / "lib" / python / "site-packages" / "borrowed.pth").write_text(str(library))
    script = '#!/bin/sh\nexec "$(dirname "$0")/python" -m ray.scripts.scripts "$@"\n'
    (home / "venv" / "bin" / "ray").write_text(script)
    (home / "venv" / "bin" / "ray").chmod(0o755)
