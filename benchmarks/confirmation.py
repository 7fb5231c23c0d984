"""How much of a search should confirm its front? python -m benchmarks.confirmation [--seeds 24] [--out FILE]

Nothing is trained: searches are replayed on a table of 176 measured points and the noise of 6 of them over 5 seeds
(`benchmarks/tables`). At an equal number of runs, a search that spends all on trials is compared with searches that
spend a share on repeating members of their front. The true value of a point is that of a smooth surface through the
table (a Gaussian process that knows the noise), so that the noise of the table itself is not taken for truth.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

from benchmarks.replay import TABLE, TABLES, content_of
from tuner.front import hypervolume, pareto
from tuner.front.bootstrap import Run
from tuner.front.confirmation import weigh
from tuner.front.knee import pick_knee
from tuner.front.order import by_promise
from tuner.front.pareto import Objective, Point
from tuner.recipe import load_recipe, objectives_of
from tuner.search.propose.proposer import Proposer
from tuner.search.record.state import TrialRecord

AXES = ("n_features", "features_per_class", "width", "l1")
FRONTS = (("accuracy", "interpretability"), ("accuracy", "plausibility_undilated", "class_independence"))
TOTALS = (16, 32, 64)
SHARES, RUNS = (0.1, 0.2, 0.33, 0.5, 0.67), (1, 2, 4)  # of all runs; of each confirmed member
PLANS = [(0.0, 0), *((share, runs) for share in SHARES for runs in RUNS)]
N_CLASSES = 10


class World:
    """True values of every point, and noisy measurements of them.

    Args:
        metrics: what is measured.
    """

    def __init__(self, metrics: Sequence[str]) -> None:
        self.metrics = metrics
        grid, rows = content_of(TABLE)["rows"], content_of(TABLES / "digits-noise.json.gz")["rows"]
        points = {tuple(row[axis] for axis in AXES) for row in rows}
        table = {(tuple(r[a] for a in AXES), r["seed"]): [r["values"][m] for m in metrics] for r in rows}
        seeds = sorted({seed for _, seed in table})
        noise = np.array([[table[point, seed] for seed in seeds] for point in sorted(points)])
        noise -= noise.mean(axis=1, keepdims=True)
        common = noise.mean(axis=0)  # what a seed does to all points
        n, s = noise.shape[:2]
        self.common = common * np.sqrt(s / (s - 1))
        self.own = (noise - common).reshape(n * s, -1) * np.sqrt(n * s / ((n - 1) * (s - 1)))
        at = np.array([_coordinates(row) for row in grid])
        values = np.array([[row["values"][m] for m in metrics] for row in grid])
        self._mean, self._scale = values.mean(axis=0), values.std(axis=0)
        self._fits = []
        for i in range(len(metrics)):
            level = (self.own[:, i].std() / self._scale[i]) ** 2
            kernel = ConstantKernel(1.0) * RBF(np.ones(len(AXES))) + WhiteKernel(level, "fixed")
            fit = GaussianProcessRegressor(kernel, random_state=0)
            self._fits.append(fit.fit(at, (values[:, i] - self._mean[i]) / self._scale[i]))
        self.front = [Point(i, values=dict(zip(metrics, v, strict=True))) for i, v in enumerate(self._at(at))]

    def truth(self, params: dict[str, Any]) -> dict[str, float]:
        """The expected value of every metric."""
        found = self._at(np.array([_coordinates(params)]))[0]
        return dict(zip(self.metrics, found.tolist(), strict=True))

    def _at(self, at: np.ndarray) -> np.ndarray:
        return np.stack([fit.predict(at) for fit in self._fits], axis=1) * self._scale + self._mean


def dominated(points: Sequence[Point], objectives: Sequence[Objective]) -> float:
    """The share of the natural ranges that points dominate."""
    return hypervolume.hypervolume(points, objectives, hypervolume.natural(objectives))


def _coordinates(params: dict[str, Any]) -> list[float]:
    return [params["n_features"] / 10, params["features_per_class"], params["width"] / 48, np.log(params["l1"])]


@dataclass
class Trials:
    """A replayed search: what was tried, what is true of it, and what was measured."""

    true: list[Point]
    measured: list[Point]


class Replay:
    """One seed of the replay: draws the noise, which depends on the point and the seed of the run."""

    def __init__(self, world: World, seed: int) -> None:
        self.world, self.rng = world, np.random.default_rng(seed)
        self.common: dict[int, np.ndarray] = {}

    def run(self, truth: dict[str, float], seed: int) -> dict[str, float]:
        """A measurement with this seed."""
        if seed not in self.common:
            self.common[seed] = self.world.common[self.rng.integers(len(self.world.common))]
        noise = self.common[seed] + self.world.own[self.rng.integers(len(self.world.own))]
        return {name: truth[name] + float(shift) for name, shift in zip(self.world.metrics, noise, strict=True)}

    def search(self, trials: int, seed: int) -> Trials:
        """A search by the project's own sampler."""
        recipe = load_recipe("digits", [f"objectives=[{', '.join(self.world.metrics)}]", f"seed={seed}"])
        recipe.budget.trials = trials
        proposer, records, found = Proposer(recipe, N_CLASSES), dict[int, TrialRecord](), Trials([], [])
        for number in range(trials):
            params = proposer.propose(number, records)
            assert params is not None
            truth = self.world.truth(params)
            values = self.run(truth, 0)
            records[number] = TrialRecord(number, params, "complete", values=values)
            found.true.append(Point(number, params, truth))
            found.measured.append(Point(number, params, values))
        return found


def judge(trials: Trials, objectives: Sequence[Objective], budget: int, repeats: int, replay: Replay) -> dict[str, Any]:
    """What a search ends with that confirms its front in `budget` runs, so many a member; 0: it does not."""
    scale = {
        o.name: np.ptp([p.values[o.name] for p in pareto.front(replay.world.front, objectives)]) for o in objectives
    }
    members = pareto.front(trials.measured, objectives)
    stand = {p.trial for p in pareto.front(trials.true, objectives)}
    true = {p.trial: p for p in trials.true}
    shown, claimed, candidates = {m.trial: m.values for m in members}, [m.trial for m in members], members
    if repeats:
        chosen = by_promise(members, objectives)[: max(1, budget // repeats)]
        runs = {
            m.trial: [Run(s, 0, replay.run(true[m.trial].values, s)) for s in range(1, repeats + 1)] for m in chosen
        }
        rivals = {p.trial: Run(0, 0, p.values) for p in trials.measured if p not in members}
        found = weigh({m.trial: Run(0, 0, m.values) for m in members}, runs, objectives, rivals, draws=500)
        shown = {m.trial: found[m.trial].mean for m in chosen}
        claimed = [trial for trial, bars in found.items() if bars.beyond_noise]
        candidates = [Point(m.trial, m.params, shown[m.trial]) for m in chosen]
    hoped = sum(found[m.trial].probability or 0.0 for m in chosen) if repeats else len(claimed)
    pick = true[pick_knee(candidates, objectives).point.trial]

    def worse(p: Point) -> float:
        """By how much some other trial is better in all objectives at once, in percent of the front's extent."""
        gains = [
            min(-o.loss(q.values[o.name], p.values[o.name]) / scale[o.name] for o in objectives) for q in trials.true
        ]
        return 100 * max(0.0, *gains)

    kept = [true[trial] for trial in shown]
    return {
        "members": len(members),
        "shown": len(shown),
        "claimed": len(claimed),
        "right": sum(trial in stand for trial in claimed),
        "expected": hoped,
        "stand": sum(trial in stand for trial in shown),
        "claims worse %": float(np.mean([worse(true[trial]) for trial in claimed] or [0.0])),
        "pick worse %": worse(pick),
        "pick stands %": 100.0 * (pick.trial in stand),
        "volume %": 100 * dominated(kept, objectives) / dominated(replay.world.front, objectives),
        **{
            f"bias {o.name}": float(np.mean([v[o.name] - true[t].values[o.name] for t, v in shown.items()]))
            for o in objectives
        },
    }


def rows(seeds: int, totals: Sequence[int]) -> Iterator[dict[str, Any]]:
    """One row for each front, total and plan: means over the seeds."""
    for metrics in FRONTS:
        world = World(metrics)
        objectives = objectives_of(load_recipe("digits", [f"objectives=[{', '.join(metrics)}]"]))
        for total in totals:
            found: dict[tuple[float, int], list[dict[str, Any]]] = {plan: [] for plan in PLANS}
            for seed in range(seeds):
                replay = Replay(world, seed)
                whole = replay.search(total, seed)
                for share, repeats in PLANS:
                    budget = round(share * total)
                    trials = Trials(whole.true[: total - budget], whole.measured[: total - budget])
                    found[share, repeats].append(judge(trials, objectives, budget, repeats, replay))
            for (share, repeats), told in found.items():
                means = {name: round(float(np.mean([one[name] for one in told])), 2) for name in told[0]}
                yield {"front": " ".join(metrics), "total": total, "share": share, "runs": repeats, **means}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=24)
    parser.add_argument("--totals", type=int, nargs="+", default=TOTALS, help="runs of a search in all")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    found, front = [], ""
    for row in rows(arguments.seeds, arguments.totals):
        found.append(row)
        if row["front"] != front:
            front = row["front"]
            print(f"\n{front}\n{'  '.join(name for name in row if name != 'front')}")
        print("  ".join(f"{value:>{len(name)}g}" for name, value in row.items() if name != "front"), flush=True)
    if arguments.out:
        arguments.out.write_text(json.dumps({"seeds": arguments.seeds, "rows": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
