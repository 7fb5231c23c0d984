"""Which objectives give a front worth showing: python -m benchmarks.objectives TABLE [--noise TABLE]

Instead of a table: --store STORE --name SEARCH. A table is JSON with `rows`, each a trial with its parameters and
`values`. For every set of candidates that has accuracy: how many trials are on the front, how many of those are left
when members closer than the noise count as one, and how wide the front is in each objective. Then: rank correlations
between candidates. A good set has a wide front in every objective, in units of the noise between seeds.
"""

import argparse
import itertools
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from scipy.stats import spearmanr

import tuner
from benchmarks.machine import keep
from benchmarks.replay import content_of
from tuner.base.tables import Column, FittedTable
from tuner.front.pareto import Objective, Point, front
from tuner.qpm import METRICS
from tuner.recipe.objectives import SIZES

CANDIDATES = (
    "plausibility_undilated",
    "class_independence",
    "contrastiveness",
    "interpretability",
    "n_features",
    "features_per_class",
)
SHORT = {"plausibility_undilated": "plausible", "class_independence": "class-ind.", "features_per_class": "per class"}

Rows = list[dict[str, float]]


def tabulated(file: Path) -> Rows:
    """The trials of a table: sizes and values under their names."""
    return [{**{n: row[n] for n in SIZES if n in row}, **row["values"]} for row in content_of(file)["rows"]]


def searched(store: str, name: str) -> Rows:
    """The complete trials of a search."""
    frame = tuner.open_search(store, name).trials()
    frame = frame[frame["state"] == "complete"]
    kept = {column.partition("_")[2]: column for column in frame if column.startswith("values_")}
    kept |= {size: f"params_{size}" for size in SIZES if f"params_{size}" in frame}
    return [{name: float(row[column]) for name, column in kept.items()} for _, row in frame.iterrows()]


def noise_of(file: Path, names: Sequence[str]) -> dict[str, float]:
    """Standard deviation over seeds, pooled over the points of a table: metric -> value in its unit."""
    points: dict[str, Rows] = {}
    for row in content_of(file)["rows"]:
        point = {name: value for name, value in row.items() if name in SIZES or name == "l1"}
        points.setdefault(json.dumps(point, sort_keys=True), []).append(row["values"])
    spread = {}
    for name in names:
        if all(name in values for seeds in points.values() for values in seeds):
            variances = [np.var([values[name] for values in seeds], ddof=1) for seeds in points.values()]
            spread[name] = float(np.sqrt(np.mean(variances)))
    return spread


def objective(name: str, rows: Rows) -> Objective:
    """A candidate with its direction; the sizes are the smaller the better."""
    if name in METRICS:
        return Objective(name, METRICS[name].direction, METRICS[name].low, METRICS[name].high)
    return Objective(name, "min", 0.0, max(row[name] for row in rows))


def measure(names: Sequence[str], rows: Rows, noise: dict[str, float]) -> dict[str, object]:
    """The front of these objectives: members, members apart from each other, and its range in each objective."""
    axes = [objective(name, rows) for name in names]
    members = front([Point(i, {}, row) for i, row in enumerate(rows)], axes)
    values = np.array([[member.values[name] for name in names] for member in members])
    # two members are one where no objective tells them apart by more than two standard deviations of a difference
    scale = np.array([2 * np.sqrt(2) * noise.get(name, 0.0) or 1e-9 for name in names])
    apart: list[np.ndarray] = []
    for row in values:
        if not any((np.abs(row - other) < scale).all() for other in apart):
            apart.append(row)
    ranges = {name: float(np.ptp(values[:, i])) for i, name in enumerate(names)}
    return {"objectives": list(names), "members": len(members), "apart": len(apart), "ranges": ranges}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path, nargs="?", help="JSON table of trials")
    parser.add_argument("--noise", type=Path, help="JSON table of the same over seeds")
    parser.add_argument("--store", help="take the trials of a search in this store instead")
    parser.add_argument("--name", default="demo", help="of that search")
    options = parser.parse_args()
    if (options.table is None) == (options.store is None):
        parser.error("give a table or --store")
    rows = tabulated(options.table) if options.table else searched(options.store, options.name)
    names = ["accuracy", *(name for name in CANDIDATES if all(name in row for row in rows))]
    noise = noise_of(options.noise, names) if options.noise else {}
    sets = [("accuracy", *more) for n in (1, 2) for more in itertools.combinations(names[1:], n)]
    found = [measure(chosen, rows, noise) for chosen in sets]

    def cell(result: dict[str, object], name: str) -> str:
        width = result["ranges"].get(name)
        return "" if width is None else f"{width:.1f}" + (f" = {width / noise[name]:.0f} sd" if name in noise else "")

    console = Console()
    title = Path(options.table).name if options.table else f"search {options.name}"
    console.print(f"{len(rows)} trials of {title}; ranges of the front in the metric's unit")
    columns = [Column("beside accuracy", [", ".join(SHORT.get(n, n) for n in s[1:]) for s in sets], 9, words=True)]
    columns += [Column("members", [str(r["members"]) for r in found], 8)]
    columns += [Column("apart", [str(r["apart"]) for r in found], 8)] if noise else []
    columns += [Column(SHORT.get(name, name), [cell(r, name) for r in found], 7 - i) for i, name in enumerate(names)]
    console.print(FittedTable(columns), soft_wrap=True)
    signs = [1 if objective(name, rows).direction == "max" else -1 for name in names]
    ranked = spearmanr(np.array([[row[name] for name in names] for row in rows]) * signs).statistic
    console.print("rank correlation of goodness between candidates: below 0 there is something to trade")
    heads = [Column("", [SHORT.get(name, name) for name in names], 9, words=True)]
    heads += [Column(SHORT.get(n, n), [f"{r:+.2f}" for r in ranked[:, i]], 7 - i) for i, n in enumerate(names)]
    console.print(FittedTable(heads), soft_wrap=True)
    label = options.table.name.partition(".")[0] if options.table else options.name
    figures = {"trials": len(rows), "noise": noise, "sets": found}
    print("kept in", keep(f"objectives-{label}", {**figures, "names": names, "correlation": ranked.tolist()}))


if __name__ == "__main__":
    main()
