"""Metadata that every benchmark records with its figures, and the folder of results.

BENCHMARK_RESULTS names another folder than `benchmarks/results`, for runs whose figures are not to be committed.
"""

import datetime
import json
import os
import platform
from pathlib import Path
from typing import Any

RESULTS = Path(os.environ.get("BENCHMARK_RESULTS") or Path(__file__).parent / "results")


def machine() -> dict[str, Any]:
    """Processor, cores, memory, versions and date of this run."""
    model = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "date": datetime.date.today().isoformat(),
        "processor": model,
        "cores": os.cpu_count(),
        "memory_gib": round(memory_gib, 1),
        "load_average": os.getloadavg()[0],
        "python": platform.python_version(),
    }


def keep(name: str, figures: dict[str, Any]) -> Path:
    """Write the figures of one benchmark to `results/<name>.json`."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({"machine": machine(), **figures}, indent=1) + "\n")
    return path
