"""Numbers that the explanations name are those of the code."""

import pytest

from tests.docs.pages import ROOT
from tuner.base.steps import LONGEST_S
from tuner.qpm.metrics.mixture import REG_COVAR
from tuner.qpm.metrics.sid import TOP
from tuner.qpm.program import SolverOptions
from tuner.qpm.program.instance.threshold import _STEPS
from tuner.qpm.program_input import SMALLEST_STD
from tuner.qpm.settings import (
    SPARSE_DENSE,
    AdapterConfig,
    AssignConfig,
    DenseConfig,
    FinetuneConfig,
    QsennConfig,
    SlddConfig,
)

ADAPTER, DENSE, ASSIGN, FINETUNE, SOLVER = (
    AdapterConfig(),
    DenseConfig(),
    AssignConfig(),
    FinetuneConfig(),
    SolverOptions(),
)
SLDD, QSENN = SlddConfig(), QsennConfig()
NUMBERS = {
    "method": [
        f"| `adapter.hidden`, `adapter.n_layers` | {ADAPTER.hidden}, {ADAPTER.n_layers} |",
        f"| `adapter.width` | {ADAPTER.width} |",
        f"| `assign.n_features` | {ASSIGN.n_features} |",
        f"| `assign.features_per_class` | {ASSIGN.features_per_class} |",
        f"Dropout of {DENSE.dropout} acts",
        f"cross-entropy + {DENSE.diversity} times the [diversity loss]",
        f"{DENSE.epochs} epochs, batches of {DENSE.batch_size}, shuffled",
        f"cross-entropy + {FINETUNE.diversity} times the diversity loss",
        f"+ {FINETUNE.l1:.0f} times the mean absolute map",
        f"{FINETUNE.epochs} epochs, batches of {FINETUNE.batch_size}, schedule-free",
        f"trained for {SPARSE_DENSE.epochs} epochs with a diversity weight of {SPARSE_DENSE.diversity}",
        f"`held_out` ({100 * SLDD.held_out:.0f} %",
        f"grouped penalty with `alpha = {SLDD.select_alpha}`",
        f"it walks {SLDD.select_lambdas} lambdas, evenly spaced in their logarithm, from {SLDD.select_from} to "
        + f"{SLDD.select_to:.0e} of the largest".replace("e-0", "e-"),
        f"ordinary penalty with `alpha = {SLDD.path_alpha}`, and {SLDD.path_lambdas} lambdas from the largest down to "
        + f"{SLDD.path_to:.0e} of it".replace("e-0", "e-"),
        f"within `tolerance` ({100 * SLDD.tolerance:.0f} %) of `lambda`, or {SLDD.most_steps} passes",
        f"has at most {SLDD.densest:.0f} nonzero weights per class",
        f"takes {SLDD.epochs} epochs in batches of {SLDD.batch_size} with learning rate 5e-3, weight decay 8e-4, "
        f"diversity weight {SLDD.diversity}, dropout {SLDD.dropout} and no L1",
        f"{QSENN.round_epochs} epochs in each round at a constant learning rate",
        f"SID@{TOP}",
        f"{REG_COVAR:.0e}".replace("e-0", "e-") + " added to variances",
        f"max( sigma, {SMALLEST_STD:.0e}".replace("e-0", "e-"),
    ],
    "program": [
        f"in {_STEPS} equal steps",
        f"`t = 1 .. {SOLVER.largest_clique_rank}`",
        "stays out for {} to {} swaps".format(*SOLVER.return_tenure),
        "stays in for {} to {}".format(*SOLVER.leave_tenure),
        f"stops after {SOLVER.patience} swaps without improvement",
        f"Above a gap of {100 * SOLVER.perturb_above:g} %",
        f"tolerance {SOLVER.class_value_tolerance:.0e}".replace("e-0", "e-"),
        f"pair cuts ({SOLVER.pair_tolerance:.0e}".replace("e-0", "e-"),
    ],
}


@pytest.mark.parametrize("page", NUMBERS)
def test_the_page_names_what_the_code_has(page):
    text = (ROOT / "docs" / "explanation" / f"{page}.md").read_text(encoding="utf-8")
    assert [sentence for sentence in NUMBERS[page] if sentence not in text] == []


@pytest.mark.parametrize(("page", "promise"), [("clusters", "at least every"), ("control-a-search", "happened for")])
def test_the_guide_promises_what_a_log_gets(page, promise):
    text = (ROOT / "docs" / "how-to" / f"{page}.md").read_text(encoding="utf-8")
    assert f"{promise} {LONGEST_S:.0f} seconds" in " ".join(text.split())
