"""A manifest of many rows stays small in memory: no object per row where it hurts."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROWS = 100_000
MOST_MB = 150  # 1.3 million rows then stay below 2 GiB

LIST = """
import resource, sys
from tuner.data.manifest import list_manifest
from tuner.data.settings import ManifestConfig
for file in sys.argv[1:]:  # the first one loads the libraries
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    listing, _, names, _ = list_manifest(ManifestConfig(name="manifest", manifest=file))
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(len(listing.paths), len(names), listing.boxes.shape[0], (after - before) / 1024)
"""


def _written(file: Path, rows: int) -> str:
    lines = (f'train/n{i % 97:08d}/{i:07d}.JPEG,n{i % 97:08d},site-{i // 13},"1,2,30.5,40"' for i in range(rows))
    file.write_text("path,label,group,box\n" + "\n".join(lines))
    return str(file)


def test_many_rows_take_little_memory(tmp_path: Path) -> None:
    files = [_written(tmp_path / "few.csv", 100), _written(tmp_path / "many.csv", ROWS)]
    done = subprocess.run([sys.executable, "-c", LIST, *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    n, classes, boxed, grown_mb = done.stdout.split()
    assert (int(n), int(classes), int(boxed)) == (ROWS, 97, ROWS)
    assert float(grown_mb) < MOST_MB
