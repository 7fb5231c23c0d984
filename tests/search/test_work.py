"""A stage in a worker says how it gets on: its epochs, and the program its incumbent and gap."""

import io
import math
from collections import defaultdict

import pytest
from rich.console import Console

from tests.searches import tiny_recipe
from tuner.base import pulse
from tuner.base.progress import ConsoleProgress, Silent
from tuner.search.execute.banks import ensure_bank
from tuner.search.execute.plan import StageSpec, plan_trial
from tuner.search.execute.worker import run_stage
from tuner.store import Artifacts, open_store

pytestmark = pytest.mark.slow
FLOAT32 = ("dense.precision=float32", "finetune.precision=float32")


def test_epochs_the_programs_incumbent_and_gap_and_signs_of_life_are_reported(tmp_path):
    recipe, store = tiny_recipe(*FLOAT32), open_store(str(tmp_path / "store"))
    console = Console(file=io.StringIO(), width=160)
    bank = ensure_bank(Artifacts(store), recipe, ConsoleProgress(console))
    printed = console.file.getvalue()
    for step in ("looking for the features ...", "extracting features of digits by", "in 2 shards"):
        assert step in printed
    told, beats = defaultdict(list), {}
    dense, *others = plan_trial(recipe, bank, {"n_features": 9, "features_per_class": 3, "width": 24})
    probe = StageSpec("probe", {"split": dense.settings["split"]}, {"bank": bank}, 0)
    for spec in (dense, *others, probe):
        before = pulse.count()
        ended = run_stage(
            spec,
            store.url,
            tmp_path,
            1,
            lambda done, epochs, values, stage=spec.stage: told[stage].append((done, epochs, values)),
        )
        assert ended.outcome == "complete"
        beats[spec.stage] = pulse.count() - before
    batches = math.ceil(1149 / 64)
    assert beats["dense"] > 2 * batches
    assert beats["finetune"] > 2 * batches
    assert beats["assign"] > 100, "the solver asks often whether it is to go on"
    assert beats["evaluate"] > 2 * 1149 / 128, "two models on both sides of the split"
    assert beats["probe"] > 40, "epochs"
    assert [(done, epochs) for done, epochs, _ in told["dense"]] == [(1, 2), (2, 2)]
    incumbents = [values["incumbent"] for _, _, values in told["assign"]]
    gaps = [values["gap"] for _, _, values in told["assign"]]
    assert {(done, epochs) for done, epochs, _ in told["assign"]} == {(0, 0)}
    assert incumbents == sorted(incumbents)
    assert gaps[-1] == pytest.approx(0.0, abs=1e-6)
    assert gaps == sorted(gaps, reverse=True)


def test_a_checkpoint_of_no_use_is_begun_afresh(tmp_path):
    """Half written as the machine went down, or by another version of a library: no fault of the trial's parameters."""
    recipe, store = tiny_recipe(*FLOAT32), open_store(str(tmp_path / "store"))
    bank = ensure_bank(Artifacts(store), recipe, Silent())
    spec = plan_trial(recipe, bank, {"n_features": 9, "features_per_class": 3, "width": 24})[0]
    assert run_stage(spec, store.url, tmp_path, 1).outcome == "complete"
    straight = Artifacts(store).find(spec.kind, spec.key).digest
    Artifacts(store).remove(spec.kind, spec.key)

    def spoil(done, epochs, values):
        (file,) = tmp_path.glob(f"{spec.key}*/*.ckpt")
        file.write_bytes(file.read_bytes()[:1000])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_stage(spec, store.url, tmp_path, 1, spoil)
    assert run_stage(spec, store.url, tmp_path, 1).outcome == "complete"
    assert Artifacts(store).find(spec.kind, spec.key).digest == straight
    assert not list(tmp_path.glob(f"{spec.key}*")), "nothing is left behind"
