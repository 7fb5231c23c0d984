"""Numbers that the explanations name are those of the code."""

import pytest

from tests.docs.pages import ROOT
from tuner.qpm.metrics.mixture import REG_COVAR
from tuner.qpm.metrics.sid import TOP
from tuner.qpm.program import SolverOptions
from tuner.qpm.program.instance.threshold import _STEPS
from tuner.qpm.program_input import SMALLEST_STD
from tuner.qpm.settings import AdapterConfig, AssignConfig, DenseConfig, FinetuneConfig

ADAPTER, DENSE, ASSIGN, FINETUNE, SOLVER = (
    AdapterConfig(),
    DenseConfig(),
    AssignConfig(),
    FinetuneConfig(),
    SolverOptions(),
)
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
