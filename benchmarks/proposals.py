"""CPU seconds to continue a search of so many trials, and for its next proposal: python -m benchmarks.proposals [N ..]

Outcomes are invented. Reading the ledger is measured by `benchmarks.store`; this is what comes after it.
"""

import argparse
import time

import numpy as np

from benchmarks.machine import keep
from tuner.recipe import load_recipe
from tuner.search.propose.proposer import Proposer
from tuner.search.propose.space import Space
from tuner.search.record.state import TrialRecord

SPACE = "space={n_features: {low: 5, high: 500, step: 5}, l1: {low: 0.01, high: 10, log: true}}"


def continued(trials: int) -> dict[str, float]:
    """CPU seconds for the first proposal of a driver that starts with so many ended trials, and for the one after."""
    recipe = load_recipe("digits", [SPACE, "width=512", "sampler.recipe_first=false"])
    space, rng = Space(recipe.space), np.random.default_rng(0)
    found = {}
    for number in range(trials):
        accuracy, rest = rng.random(2) * 100
        values = {"accuracy": accuracy, "interpretability": rest}
        found[number] = TrialRecord(number, space.at(rng.random(2)), "complete", values=values)
    started = time.process_time()
    proposer = Proposer(recipe, 10)
    params = proposer.propose(trials, found)
    first = time.process_time() - started
    assert params is not None
    found[trials] = TrialRecord(trials, params)
    proposer.propose(trials + 1, found)
    return {"first_s": round(first, 3), "next_s": round(time.process_time() - started - first, 3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trials", type=int, nargs="*", default=[1000, 5000])
    figures = {}
    for trials in parser.parse_args().trials:
        figures[trials] = continued(trials)
        print(
            f"{trials:,} trials: first proposal {figures[trials]['first_s']} s, the next {figures[trials]['next_s']} s"
        )
    print("kept in", keep("proposals", {"rows": figures}))


if __name__ == "__main__":
    main()
