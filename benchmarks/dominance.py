"""Do front members dominate the paper's default setting? python -m benchmarks.dominance --store STORE --name NAME

Repeats the members of a search's front and QPM in the setting of the recipe (50 features, 5 per class) over the same
seeds, on the test split, which chose none of them. A member dominates beyond noise if no objective has a lower mean,
and at least one a higher one by Welch's t-test (p < 0.05, Holm's correction over all tests). Stages that the store
has are reused.
"""

import argparse
import warnings

import numpy as np
from scipy.stats import ttest_ind

from benchmarks.machine import keep
from tuner.base.progress import LogProgress
from tuner.front.pareto import Objective
from tuner.recipe import objectives_of
from tuner.search.record.home import SearchHome
from tuner.search.systems.collecting import collect, planned
from tuner.search.systems.of_search import member_tokens, planned_members
from tuner.search.systems.rows import Row
from tuner.search.systems.system import Tokens
from tuner.search.systems.table import SYSTEMS
from tuner.store import open_store

ALPHA = 0.05


def measured(home: SearchHome, seeds: int) -> tuple[Row, list[Row]]:
    """The default setting and the members, over the seeds."""
    recipe, bank = home.stored()
    tokens = Tokens.of(home.artifacts, bank)
    state = home.state()
    found = planned_members(recipe, member_tokens(home, state), state, is_fresh=True)
    members = [row for row in found if row.row.role == "member"]
    rows = [planned(SYSTEMS["qpm"], recipe, tokens), *members]
    default, *others = collect(home.artifacts, rows, range(recipe.seed, recipe.seed + seeds), recipe, LogProgress())
    return default, others


def goodness(row: Row, objective: Objective) -> np.ndarray:
    """(seeds,) values, more is better."""
    return 100 * np.array([objective.goodness(run.values[objective.name]) for run in row.runs])


def holm(p: np.ndarray) -> np.ndarray:
    """Which tests are significant at ALPHA after Holm's correction, in the shape of `p`."""
    order = np.argsort(p, axis=None)
    passed = np.sort(p, axis=None) <= ALPHA / np.arange(p.size, 0, -1)
    significant = np.zeros(p.size, bool)
    significant[order[: int(np.argmin(np.append(passed, False)))]] = True
    return significant.reshape(p.shape)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--store", required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    home = SearchHome(open_store(options.store), options.name)
    objectives = [o for o in objectives_of(home.stored()[0]) if o.name not in ("n_features", "features_per_class")]
    default, members = measured(home, options.seeds)
    gains, p = (np.zeros((len(members), len(objectives))) for _ in range(2))
    for i, member in enumerate(members):
        for j, objective in enumerate(objectives):
            ours, theirs = goodness(member, objective), goodness(default, objective)
            gains[i, j] = ours.mean() - theirs.mean()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # all seeds alike
                p[i, j] = np.nan_to_num(ttest_ind(ours, theirs, equal_var=False).pvalue, nan=1.0)
    beyond = holm(p)
    strictly = (gains >= 0).all(1) & (beyond & (gains > 0)).any(1)
    weakly = (beyond & (gains > 0)).any(1) & ~(beyond & (gains < 0)).any(1)
    print(f"| row | settings | {' | '.join(o.name for o in objectives)} | |\n{'|---' * (len(objectives) + 3)}|")
    shown = [f"{goodness(default, o).mean():.1f} ± {goodness(default, o).std(ddof=1):.1f}" for o in objectives]
    print(f"| {default.title} | the paper's default | {' | '.join(shown)} | |")
    for i, member in enumerate(members):
        cells = [f"{g:+.1f}{'*' * int(b)}" for g, b in zip(gains[i], beyond[i], strict=True)]
        verdict = "dominates" if strictly[i] else "better in one, worse in none, beyond noise" if weakly[i] else ""
        print(f"| {member.title} | {member.parameters} | {' | '.join(cells)} | {verdict} |")
    print(f"differences of means over {options.seeds} seeds on test; * beyond noise (Welch, Holm over {p.size} tests)")
    print(f"{strictly.sum()} of {len(members)} members dominate the default setting beyond noise")
    print(f"{weakly.sum()} are better in an objective and worse in none beyond noise")
    figures = {"objectives": [o.name for o in objectives], "gains": gains.tolist(), "p": p.tolist()}
    rows = [row.title for row in members]
    print("kept in", keep("dominance", {"members": rows, **figures, "dominating": int(strictly.sum())}))


if __name__ == "__main__":
    main()
