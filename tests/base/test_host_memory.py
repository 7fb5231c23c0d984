"""Free memory is what the tightest limit leaves: of the machine, of a control group, of the process."""

import math
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tuner.base.host_memory import available_bytes

GB = 2**30


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


MACHINE = {"proc/meminfo": f"MemTotal: {64 * GB // 1024} kB\nMemAvailable: {32 * GB // 1024} kB\n"}
V2 = {
    "proc/self/cgroup": "0::/jobs/one\n",
    "sys/fs/cgroup/memory.max": "max\n",
    "sys/fs/cgroup/jobs/memory.max": f"{16 * GB}\n",
    "sys/fs/cgroup/jobs/memory.current": f"{15 * GB}\n",
    "sys/fs/cgroup/jobs/memory.stat": f"anon {5 * GB}\nfile {10 * GB}\nactive_file {6 * GB}\ninactive_file {3 * GB}\n",
    "sys/fs/cgroup/jobs/one/memory.max": f"{12 * GB}\n",
    "sys/fs/cgroup/jobs/one/memory.current": f"{1 * GB}\n",
}
V1 = {
    "proc/self/cgroup": "5:cpu:/x\n4:hugetlb,memory:/docker/abc\n",
    "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{8 * GB}\n",
    "sys/fs/cgroup/memory/memory.usage_in_bytes": f"{7 * GB}\n",
    "sys/fs/cgroup/memory/memory.stat": f"cache 9\ntotal_inactive_file {2 * GB}\ntotal_active_file {1 * GB}\n",
}
IN_A_CONTAINER = {
    "proc/self/cgroup": "0::/../../host/name\n",
    "sys/fs/cgroup/memory.max": f"{4 * GB}\n",
    "sys/fs/cgroup/memory.current": f"{1 * GB}\n",
}


@pytest.mark.parametrize(
    ("files", "left"),
    [
        (MACHINE, 32 * GB),
        (MACHINE | {"proc/self/cgroup": "0::/\n"}, 32 * GB),
        (MACHINE | V2, 10 * GB),  # the parent's 16, of which 6 are in use and no cache
        (MACHINE | V2 | {"sys/fs/cgroup/jobs/one/memory.max": f"{3 * GB}\n"}, 2 * GB),
        (MACHINE | V2 | {"sys/fs/cgroup/jobs/one/memory.current": f"{13 * GB}\n"}, 0),
        (MACHINE | V1, 4 * GB),
        (MACHINE | IN_A_CONTAINER, 3 * GB),
        ({"proc/meminfo": "MemAvailable: 7 kB\n", "proc/self/cgroup": "nonsense\n\n::\n"}, 7 * 1024),
    ],
    ids=["machine", "no limit", "v2", "own", "over", "v1", "container", "odd"],
)
def test_the_tightest_limit_counts(tmp_path: Path, files: dict[str, str], left: int) -> None:
    assert available_bytes(write(tmp_path, files)) == left


@pytest.mark.skipif(sys.platform != "linux", reason="the limits of a process are read on Linux only")
@pytest.mark.parametrize("which", ["RLIMIT_AS", "RLIMIT_DATA"])
def test_the_limits_of_a_process_count(which: str) -> None:
    limit = 300 * 2**20
    code = (
        "import resource; from tuner.base.host_memory import available_bytes;"
        f"resource.setrlimit(resource.{which}, ({limit}, {limit})); first = available_bytes();"
        "kept = bytearray(100 * 2**20); print(first, first - available_bytes())"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    first, taken = map(float, told)
    assert 100 * 2**20 < first < limit
    assert taken == pytest.approx(100 * 2**20, rel=0.05)


def test_what_cannot_be_read_limits_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sysconf", lambda name: (_ for _ in ()).throw(ValueError))
    monkeypatch.setattr(resource, "getrlimit", lambda which: (resource.RLIM_INFINITY,) * 2)
    assert math.isinf(available_bytes(tmp_path))
