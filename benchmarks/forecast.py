"""What the demonstration takes on two cores by the forecast, from CPU seconds of its stages, for several budgets.

`python -m benchmarks.forecast --dense 7.9 --assign 1.5 --finetune 4.9 --evaluate 0.3`: seconds of a quiet core, as
docs/log.md has them. Extraction and report are not in it.
"""

import argparse

from tuner.recipe import load_recipe
from tuner.search.cost.forecast import Forecast
from tuner.search.cost.guess import guess_s
from tuner.search.cost.prepare import held_by
from tuner.search.cost.sizes import Machine, Sizes
from tuner.search.cost.stage_times import StageTimes
from tuner.search.record.state import SearchState

SIZES = Sizes(n_train=4020, n_images=7500, tokens=128, dim=64, n_classes=100)
BUDGETS = ((16, 0.62), (20, 0.5), (24, 0.5), (24, 0.4), (27, 0.5), (27, 0.4))
BESIDE_S = 0.3  # Ray's share of a stage


def main() -> None:
    """Print a row for each budget."""
    parser = argparse.ArgumentParser(description=__doc__)
    usual = {"dense": 7.9, "assign": 1.5, "finetune": 4.9, "evaluate": 0.3}
    for stage, seconds in usual.items():
        parser.add_argument(f"--{stage}", type=float, default=seconds)
    took: dict[str, float] = vars(parser.parse_args())
    machine = Machine(2.0)
    print("trials  share  confirmation runs  wall s  CPU s")
    for trials, share in BUDGETS:
        settings = [f"budget.trials={trials}", f"confirm.share={share}"]
        recipe = load_recipe("demo", [*settings, "dense.precision=float32", "finetune.precision=float32"])
        held = held_by(recipe, machine)
        ratios = {stage: took[stage] / guess_s(stage, recipe, SIZES, held[stage]) for stage in took}
        times = StageTimes(ratios, dict.fromkeys(took, 3), "store", BESIDE_S)
        found = Forecast(recipe, "bank", SIZES, machine, held, times).expected(SearchState())
        print(f"{trials:6}  {share:5}  {found.runs:17}  {found.total_s:6.0f}  {found.spent.cpu_s:5.0f}")


if __name__ == "__main__":
    main()
