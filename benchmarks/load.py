"""Resources of a long search, and their growth: python -m benchmarks.load [--trials 1000] [--parallel 8]

A driver's turn with empty stages on a Ray of its own, a store in a folder and MLflow on: memory, open files and threads
of every process, once a second. A growth is the slope of a quantity over the trials from a fifth of them on (Theil and
Sen's, which outliers do not move), for each process of a role, as an amount per 100 trials. What a driver must
remember of a trial (ledger, state, Tune's and Optuna's own records) makes some kilobytes; the limits leave room for
that and for nothing else.

Then: a ledger of many events in a folder and on S3, and how long a driver takes to have it again.
"""

import argparse
import contextlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from scipy.stats import theilslopes

from benchmarks.empty_stages import prepare, recipe_of, run
from benchmarks.machine import keep
from benchmarks.restore import restore
from benchmarks.roles import QUANTITIES, ROLES, Observer, Sample
from cluster import s3
from tuner.search.record.restoration import SearchState
from tuner.search.session.connect import connect_ray
from tuner.store import open_store

BUCKET = "load"
FLUSH_S = 1200.0
LIMITS = {"mib": 2.0, "files": 0.5, "threads": 0.5}  # of growth per 100 trials, for each process
EVERY = 100  # trials, a line


def observed_search(trials: int, parallel: int, folder: Path) -> tuple[list[Sample], float, float]:
    """Samples of a search, its seconds, and seconds more until MLflow showed all."""
    recipe = recipe_of(trials, parallel, tracking=True)
    home, bank = prepare(open_store(str(folder / "runs")), recipe)
    observer = Observer(os.getpid(), lambda: 0)

    @contextlib.contextmanager
    def watching(state: SearchState) -> Iterator[None]:
        observer.trials = lambda: len(state.finished())
        with observer.watching():
            yield

    with connect_ray(recipe.resources):
        search_s, mlflow_s = run(home, recipe, bank, flush_s=FLUSH_S, watching=watching)
    return observer.samples, search_s, mlflow_s


def growth(samples: list[Sample], role: str, quantity: str, first: int) -> float | None:
    """What each process of a role gains per 100 trials, from trial `first` to the last; None if it was not there."""
    seen = [(s.trials, s.held[role].each(quantity)) for s in samples if s.trials >= first and s.held[role].processes]
    last = max(sample.trials for sample in samples)
    seen = [(trials, value) for trials, value in seen if trials < last]  # afterwards only the mirror works
    if len({trials for trials, _ in seen}) < 3:
        return None
    trials, values = zip(*seen, strict=True)
    return 100 * float(theilslopes(values, trials).slope)


def line(sample: Sample) -> str:
    """A sample as a line of the table: for each role MiB, open files and threads, together."""
    cells = [f"{h.processes:3d} {h.mib:6.0f} {h.files:4d} {h.threads:4d}" for h in map(sample.held.get, ROLES) if h]
    return f"{sample.trials:6d} {sample.seconds:6.0f} | " + " | ".join(cells)


def every(samples: list[Sample], step: int) -> list[Sample]:
    """The first sample of each so many trials, and the last of all."""
    first = {sample.trials // step: sample for sample in reversed(samples)}
    return [*(first[key] for key in sorted(first)), samples[-1]]


def verdict(growths: dict[str, dict[str, float | None]]) -> list[str]:
    """What grows by more than its limit, a sentence each; that nothing does needs samples of those that last."""
    if any(growths[role]["mib"] is None for role in ("driver", "broker", "mirror")):
        return ["too few trials to tell"]
    return [
        f"{role}: {value:+.2f} {quantity} per 100 trials and process (limit {LIMITS[quantity]:g})"
        for role, row in growths.items()
        for quantity, value in row.items()
        if value is not None and value > LIMITS[quantity]
    ]


def ledgers(events: int, folder: Path) -> dict[str, Any]:
    """The restore of a ledger in a folder and on a server of our own."""
    found = {"folder": restore(open_store(str(folder / "ledger")), events)}
    server = s3.start(folder / "s3", BUCKET)
    os.environ |= server.environment()
    try:
        found["s3"] = restore(open_store(f"s3://{BUCKET}/ledger"), events)
    finally:
        s3.stop(folder / "s3")
    for place, steps in found.items():
        for step, figures in steps.items():
            print(f"{place}, {events} events, {step}: {', '.join(f'{n:g} {unit}' for unit, n in figures.items())}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=1000, help="0: only the ledger")
    parser.add_argument("--parallel", type=int, default=8, help="trials at a time")
    parser.add_argument("--events", type=int, default=10_000, help="of the ledger that is restored; 0: only the search")
    options = parser.parse_args()
    figures: dict[str, Any] = vars(options).copy()
    with tempfile.TemporaryDirectory() as name:
        os.environ["QPM_TUNER_CACHE"] = str(Path(name) / "cache")
        if options.trials:
            samples, search_s, mlflow_s = observed_search(options.trials, options.parallel, Path(name))
            print("trials      s | " + " | ".join(f"{role:>20}" for role in ROLES))
            print("              | " + " | ".join(["  n    MiB file thrd"] * len(ROLES)))
            print("\n".join(line(sample) for sample in every(samples, EVERY)))
            growths = {role: {q: growth(samples, role, q, options.trials // 5) for q in QUANTITIES} for role in ROLES}
            found = verdict(growths)
            print(f"{search_s:.0f} s, MLflow {mlflow_s:.0f} s more; growth per 100 trials and process:")
            for role, row in growths.items():
                print(f"  {role:13s}", ", ".join(f"{v:+.3f} {q}" for q, v in row.items() if v is not None) or "unseen")
            print("\n".join(found) or f"flat: no role gains more than {LIMITS} per 100 trials and process")
            table = [asdict(sample) for sample in every(samples, EVERY)]
            figures |= {"search_s": search_s, "mlflow_s": mlflow_s, "growth_per_100_trials": growths}
            figures |= {"limits": LIMITS, "over": found, "samples": table}
        if options.events:
            figures["restore"] = ledgers(options.events, Path(name))
    print("kept in", keep("load", figures))
    raise SystemExit(1 if figures.get("over") else 0)


if __name__ == "__main__":
    main()
