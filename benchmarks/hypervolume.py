"""How much a hypervolume says, by where its reference lies: a tabulated search, many subsets of it as searches.

`python -m benchmarks.hypervolume [TABLE]`; a table is JSON, {"rows": [{"values": {"accuracy": .., ..}}, ..]}.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.replay import TABLE, content_of
from tuner.front.hypervolume import FIRST_TRIALS, Reference, hypervolume, reference_of
from tuner.front.pareto import Objective, Point, front, ranks

AXES = (Objective("accuracy", "max", 0.0, 100.0), Objective("interpretability", "max", 0.0, 100.0))
SEARCHES, TRIALS = 40, 40


def corner(points: list[Point]) -> Reference:
    """The worst corner of the natural ranges."""
    return Reference({objective.name: objective.low for objective in AXES})


def of_all(points: list[Point]) -> Reference:
    """The rule of the project: of all first trials."""
    return reference_of(points, AXES, {})


def of_front(points: list[Point]) -> Reference:
    """The nadir of the first trials' front, a tenth of its range beyond."""
    return reference_of(front(points, AXES), AXES, {})


def of_two_ranks(points: list[Point]) -> Reference:
    """Of the first trials' front and the next one behind it."""
    return reference_of([p for p, rank in zip(points, ranks(points, AXES), strict=True) if rank <= 2], AXES, {})


RULES: dict[str, Callable[[list[Point]], Reference]] = {
    "natural corner": corner,
    "all first trials": of_all,
    "their front": of_front,
    "two ranks": of_two_ranks,
}


def main() -> None:
    """Print a row for each rule: mean and deviation over searches, percent."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path, nargs="?", default=TABLE)
    rows = content_of(parser.parse_args().table)["rows"]
    points = [Point(i, {}, row["values"]) for i, row in enumerate(rows)]
    print(f"{'reference':18}{'a median trial':>16}{'after 10':>16}{'after 20':>16}{'after 40':>16}{'all':>16}")
    for name, rule in RULES.items():
        generator, found = np.random.default_rng(0), []
        for _ in range(SEARCHES):
            drawn = [points[i] for i in generator.permutation(len(points))[:TRIALS]]
            reference = rule(drawn[:FIRST_TRIALS])
            single = float(np.median([hypervolume([point], AXES, reference) for point in points]))
            sets = [drawn[:n] for n in (10, 20, TRIALS)]
            found.append([single, *(hypervolume(some, AXES, reference) for some in (*sets, points))])
        cells = [f"{100 * m:.1f} ± {100 * d:.1f}" for m, d in zip(np.mean(found, 0), np.std(found, 0), strict=True)]
        print(f"{name:18}" + "".join(f"{cell:>16}" for cell in cells))


if __name__ == "__main__":
    main()
