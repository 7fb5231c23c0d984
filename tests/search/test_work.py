"""A stage in a worker says how it gets on: its epochs, and the program its incumbent and gap."""

import io
from collections import defaultdict

import pytest
from rich.console import Console

from tests.searches import tiny_recipe
from tuner.search.banks import ensure_bank
from tuner.search.plan import plan_trial
from tuner.search.work import run_stage
from tuner.store import Artifacts, open_store

pytestmark = pytest.mark.slow


def test_epochs_and_the_programs_incumbent_and_gap_are_reported(tmp_path):
    recipe, store = tiny_recipe(), open_store(str(tmp_path / "store"))
    console = Console(file=io.StringIO(), width=160)
    bank = ensure_bank(Artifacts(store), recipe, console)
    printed = console.file.getvalue()
    for step in ("reading the data: digits ...", "extracting features of digits by", "publishing "):
        assert step in printed
    told = defaultdict(list)
    for spec in plan_trial(recipe, bank, {"n_features": 9, "features_per_class": 3, "width": 24})[:2]:
        ended = run_stage(
            spec,
            store.url,
            tmp_path,
            1,
            lambda done, epochs, values, stage=spec.stage: told[stage].append((done, epochs, values)),
        )
        assert ended["outcome"] == "complete"
    assert [(done, epochs) for done, epochs, _ in told["dense"]] == [(1, 2), (2, 2)]
    incumbents = [values["incumbent"] for _, _, values in told["assign"]]
    gaps = [values["gap"] for _, _, values in told["assign"]]
    assert {(done, epochs) for done, epochs, _ in told["assign"]} == {(0, 0)}
    assert incumbents == sorted(incumbents)
    assert gaps[-1] == pytest.approx(0.0, abs=1e-6)
    assert gaps == sorted(gaps, reverse=True)
