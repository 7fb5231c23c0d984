"""A search at full size on a cluster, killed twice: python -m benchmarks.rehearsal [--images 12000] [--s3]

Three nodes on this machine behind a head without CPUs, the store in an S3 server, images that are drawn; with --s3 they
are in that server, too. Features are real, the stages of trials are empty. The driver is killed (SIGKILL) once while
features are extracted and once among the trials, and the same command is given again. Afterwards the search must be
complete, and no stage may have run twice but those that were under way.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

from ray.cluster_utils import Cluster

from benchmarks.drawn_images import draw, upload
from benchmarks.empty_stages import SPACE
from benchmarks.largest import Largest
from benchmarks.machine import keep
from cluster import s3
from tuner.search.record.home import SearchHome
from tuner.search.session.connect import ENVIRONMENT
from tuner.store import open_store

BUCKET, NAME = "rehearsal", "rehearsal"
EXTRACTED = re.compile(r"extracting features .* ([\d,]+) of ([\d,]+) images")
EXTRACTING, DONE = "extracting", "feature bank"  # what a driver says when extraction begins and has ended
BACKBONE = ("backbone.name=patch_dictionary", "backbone.image_size=112", "backbone.grid=14", "backbone.n_atoms=256")
LOOK_S = 0.2


@dataclass
class Start:
    """One start of the driver: what it said, with times since the start, and how it ended."""

    process: subprocess.Popen[str]
    began_s: float = field(default_factory=time.monotonic)
    lines: list[tuple[float, str]] = field(default_factory=list)

    def listen(self) -> None:
        """Keep its lines until it ends."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append((time.monotonic() - self.began_s, line.rstrip()))
            print("   ", line.rstrip(), flush=True)

    def images(self, total: int) -> list[int]:
        """The counts of extracted images that it told, in order; a step that takes some of them is another."""
        told = [m for _, line in list(self.lines) if (m := EXTRACTED.search(line))]
        return [int(m[1].replace(",", "")) for m in told if int(m[2].replace(",", "")) == total]

    def extraction_s(self) -> float:
        """Seconds of extraction: from its first word about it to its last."""
        about = [s for s, line in self.lines if EXTRACTING in line or DONE in line or EXTRACTED.search(line)]
        return about[-1] - about[0] if about else 0.0


@contextmanager
def cluster_of(nodes: int) -> Iterator[str]:
    """A head without CPUs and so many nodes of one CPU; the address."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        for _ in range(nodes):
            cluster.add_node(num_cpus=1)
        yield cluster.address
    finally:
        cluster.shutdown()


def drive(command: list[str], enough: Callable[[Start], bool]) -> Start:
    """Start the driver, and kill it as soon as it has done enough."""
    started = Start(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
    listener = Thread(target=started.listen)
    listener.start()
    while started.process.poll() is None:
        if enough(started):
            started.process.send_signal(signal.SIGKILL)
            print("    killed", flush=True)
            break
        time.sleep(LOOK_S)
    started.process.wait()
    listener.join()
    if started.process.returncode not in (0, -signal.SIGKILL):
        raise SystemExit("the driver ended by itself, with the error above")
    return started


def made_twice(journal: Path) -> tuple[int, int, int]:
    """Of the stages: how many ran, how many began more than once, how many were made more than once."""
    lines = Counter(line.partition(" ")[2] for line in journal.read_text().splitlines())
    again = {what: sum(n > 1 for line, n in lines.items() if line.endswith(what)) for what in ("begins", "is made")}
    return sum(line.endswith("is made") for line in lines), again["begins"], again["is made"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=12_000)
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--sleep", type=float, default=0.5, help="seconds that each stage sleeps")
    parser.add_argument("--s3", action="store_true", help="read the images from S3, not from a folder")
    options = parser.parse_args()
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = s3.start(folder / "s3", BUCKET)
        os.environ |= {**server.environment(), "QPM_TUNER_CACHE": str(folder / "cache")}
        try:
            draw(folder / "images", options.images)
            root = upload(folder / "images", BUCKET, "images") if options.s3 else str(folder / "images")
            with cluster_of(options.nodes) as os.environ["RAY_ADDRESS"], Largest() as largest:
                figures = rehearse(options, root, folder / "journal")
            figures |= largest.figures()
        finally:
            s3.stop(folder / "s3")
    for told, value in figures.items():
        print(f"{told:32} {value}")
    print("kept in", keep("rehearsal", {**vars(options), **figures}))
    raise SystemExit(0 if figures["as it should be"] else 1)


def rehearse(options: argparse.Namespace, root: str, journal: Path) -> dict[str, Any]:
    """The three starts; what was found."""
    store = f"s3://{BUCKET}/runs"
    recipe = [f"data.root={root}", *BACKBONE, f"space={SPACE}", "objectives=[accuracy, interpretability]"]
    recipe += [f"budget.trials={options.trials}", f"budget.parallel={2 * options.nodes}", "confirm.share=0"]
    command = [sys.executable, "-m", "benchmarks.rehearsal_driver", str(options.sleep), str(journal)]
    command += ["--recipe", "folder", "--store", store, "--name", NAME, *recipe, "tracking.enabled=false"]
    home = SearchHome(open_store(store), NAME)

    def ended() -> int:
        return len(home.state().finished()) if home.exists() else 0

    first = drive(command, lambda start: any(n >= 0.4 * options.images for n in start.images(options.images)))
    told = first.images(options.images)
    in_time = bool(told) and not any(DONE in line for _, line in first.lines)
    second = drive(command, lambda start: ended() >= options.trials // 2)
    at_kill, under_way = ended(), len(home.state().open()) if home.exists() else 0
    third = drive(command, lambda start: False)
    told_again = second.images(options.images)
    ran, begun_again, made_again = made_twice(journal)
    complete = home.state().counts() == {"complete": options.trials}
    extraction_s = first.extraction_s() + second.extraction_s()
    good = complete and third.process.returncode == 0 and in_time and at_kill < options.trials
    return {
        "as it should be": good and not made_again and begun_again <= under_way,
        "complete": complete,
        "killed during extraction": in_time,
        "images told when killed": told[-1] if told else 0,
        "images told first afterwards": told_again[0] if told_again else 0,
        "extraction, s": round(extraction_s, 1),
        "images/s": round(options.images / extraction_s, 1) if extraction_s else None,
        "trials ended, under way at kill": [at_kill, under_way],
        "stages made": ran,
        "stages begun again": begun_again,
        "stages made twice": made_again,
        "seconds of the three starts": [round(start.lines[-1][0], 1) for start in (first, second, third)],
    }


if __name__ == "__main__":
    main()
