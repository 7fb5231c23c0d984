"""Wall time and memory of a search, from a cold store: python -m benchmarks.default_search [recipe] [overrides]

Memory is the sum of the proportional set sizes (PSS) of every process the search started, sampled twice a second.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.machine import keep

MARK = "QPM_TUNER_CACHE"


def processes(mark: str) -> list[Path]:
    """The processes that carry this cache folder in their environment: the search and all it started."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"{MARK}={mark}".encode() in (folder / "environ").read_bytes():
                found.append(folder)
        except OSError:
            continue
    return found


def pss_bytes(folder: Path) -> int:
    """Proportional set size of one process, 0 if it has ended."""
    try:
        for line in (folder / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", nargs="?", default="digits")
    parser.add_argument("overrides", nargs="*", metavar="field=value", help="of the recipe, such as budget.trials=2")
    given = parser.parse_args()
    recipe, overrides = given.recipe, given.overrides
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        command = [sys.executable, "-m", "jobs.search", "--recipe", recipe, "--store", str(root / "runs")]
        environment = {**os.environ, MARK: str(root / "cache")}
        started, peak = time.perf_counter(), 0
        with subprocess.Popen([*command, "--name", "benchmark", *overrides], env=environment) as search:
            while search.poll() is None:
                peak = max(peak, sum(map(pss_bytes, processes(environment[MARK]))))
                time.sleep(0.5)
        seconds = time.perf_counter() - started
    figures = {"recipe": recipe, "overrides": overrides, "seconds": seconds, "peak_pss_gib": peak / 2**30}
    print(f"{recipe}: {seconds:.0f} s, peak PSS {peak / 2**30:.2f} GiB, exit {search.returncode}")
    if search.returncode:
        raise SystemExit(f"nothing is kept: the search failed with exit code {search.returncode}")
    print("kept in", keep(f"default_search-{Path(recipe).stem}", figures))


if __name__ == "__main__":
    main()
