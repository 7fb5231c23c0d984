"""The rung is an accelerator: what is fine-tuned through it is, byte for byte, what is fine-tuned without it."""

import asyncio
import shutil

import pytest

from tests.searches import tiny_recipe
from tuner.base.progress import Silent
from tuner.qpm.validation import Validation
from tuner.search.execute.banks import ensure_bank
from tuner.search.execute.messages import StageUsed
from tuner.search.execute.plan import plan_trial
from tuner.search.execute.results import Results
from tuner.search.execute.rung_checkpoint import CHECKPOINTS
from tuner.search.execute.rung_plan import plan_stoppable, with_rung
from tuner.search.execute.trial import run_trial
from tuner.search.execute.worker import run_stage
from tuner.search.record.events import Proposed, Reopened, StageUse
from tuner.search.record.restoration import apply
from tuner.search.record.state import SearchState, TrialRecord
from tuner.search.record.values import read_curves, read_values
from tuner.search.stopping.reopening import to_reopen
from tuner.store import Artifacts, open_store

pytestmark = pytest.mark.slow
PARAMS = {"n_features": 9, "features_per_class": 3, "width": 24}
ROUNDS = ("finetune.epochs=5", "finetune.rounds=2", "finetune.round_epochs=2", "finetune.grounding=0.1")


FLOAT32 = ("dense.precision=float32", "finetune.precision=float32")


class Bench:
    """A store in which the stages of a trial can be run one by one."""

    def __init__(self, root, made, *overrides):
        shutil.copytree(made, root / "store")
        self.recipe = tiny_recipe(*FLOAT32, *overrides)
        self.root, self.artifacts = root, Artifacts(open_store(str(root / "store")))
        self.bank = ensure_bank(self.artifacts, self.recipe, Silent())
        self.stages = plan_trial(self.recipe, self.bank, PARAMS)
        self.trained = []  # stages that were trained, and the epochs that each reported

    def run(self, spec, scratch="scratch"):
        """The epochs that it reported, and its result."""
        told = []
        url = self.artifacts.store.url
        ended = run_stage(spec, url, self.root / scratch, 1, lambda *step: told.append(step[:2]))
        assert ended.outcome == "complete", ended
        return told, ended

    def digest(self, spec):
        return self.artifacts.find(spec.kind, spec.key).digest

    async def use(self, row, trial):
        """In place of the broker: the stage from the store, or run here."""
        spec = row[0]
        stored = Results(self.artifacts).stored(spec)
        if stored is None:
            epochs, stored = self.run(spec)
            self.trained += [(spec.stage, epochs)] if spec.row.does == "train" else []
        return StageUsed(stored, StageUse(spec.stage, spec.key, False, 1.0, 0.0))

    def conduct(self, recipe, state, number):
        """A trial of a search, from its proposal to its outcome."""
        trial = state.trials[number]
        stages, bar = plan_stoppable(recipe, self.bank, state, trial)
        ended = asyncio.run(run_trial(number, stages, self.use, bar))
        assert apply(state, ended.ended(number, 1.0), 1.0) is None


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A store with the feature bank."""
    root = tmp_path_factory.mktemp("made")
    ensure_bank(Artifacts(open_store(str(root))), tiny_recipe(*FLOAT32), Silent())
    return root


@pytest.fixture(params=[("finetune.epochs=4",), ROUNDS], ids=["one round", "two rounds"])
def bench(tmp_path, made, request):
    found = Bench(tmp_path, made, *request.param)
    for spec in found.stages[:2]:
        found.run(spec)
    return found


def test_fine_tuning_through_the_rung_is_fine_tuning_without_it(bench):
    _, _, plain, measured = bench.stages
    all_epochs, _ = bench.run(plain)
    whole, evaluation = bench.digest(plain), bench.run(measured)[1].values
    bench.artifacts.remove(plain.kind, plain.key)
    *_, rung, continued, _ = with_rung(bench.stages, 3)
    assert continued.key == plain.key
    first, ended = bench.run(rung)
    assert [done for done, _ in first] == [1, 2, 3]
    assert ended.values == read_values(bench.artifacts, rung.key, rung.kind)
    assert ended.values.keys() == {name for name in evaluation if not name.startswith("assigned_")}
    assert ended.values != {name: evaluation[name] for name in ended.values}
    rest, _ = bench.run(continued, scratch="of another machine")
    assert first + rest == [(done, 3 if done <= 3 else total) for done, total in all_epochs]
    assert bench.digest(continued) == whole
    assert bench.artifacts.find(CHECKPOINTS, rung.key) is None  # it has served


def test_what_was_stopped_and_goes_on_later_is_as_if_it_had_never_been_stopped(tmp_path, made):
    """Real trials in one process: a search with early stopping, continued without, beside one that never had it."""
    stopping = ("finetune.epochs=4", "stopping.rung=0.5", "stopping.eta=4", "stopping.startup_trials=1")
    bench = Bench(tmp_path, made, *stopping)
    points = [PARAMS | {"n_features": n, "features_per_class": k} for n in (9, 6) for k in (3, 2)]
    on, off = bench.recipe, tiny_recipe(*FLOAT32, *stopping, "stopping.rung=0")
    state = SearchState()
    for number, params in enumerate(points):
        apply(state, Proposed(1.0, number, params, known=number), 1.0)
        bench.conduct(on, state, number)
    pruned = [number for number, trial in state.trials.items() if trial.outcome == "pruned"]
    assert 0 < len(pruned) < len(points)
    assert not any(state.trials[number].values for number in pruned)
    state.stopping = on.to_dict()["stopping"]
    assert to_reopen(on, state) == []
    assert to_reopen(off, state) == pruned
    apply(state, Reopened(2.0, tuple(pruned)), 2.0)
    bench.trained.clear()
    for number in pruned:
        bench.conduct(off, state, number)
    assert [(stage, done[0]) for stage, done in bench.trained] == [("finetune", (3, 4))] * len(pruned)
    never = Bench(tmp_path / "never", made, *stopping)
    for number, params in enumerate(points):
        others = SearchState({number: TrialRecord(number, params)})
        never.conduct(off, others, number)
        assert state.trials[number].values == others.trials[number].values
        assert state.trials[number].model == others.trials[number].model
    assert list(bench.artifacts.store.list(f"{CHECKPOINTS}/")) == []


def test_the_rung_leaves_the_curves_of_the_epochs_it_trained(bench):
    """On training and validation images; those of the whole training begin with them, with and without a rung."""
    _, _, plain, _ = bench.stages
    bench.run(plain)
    whole = read_curves(bench.artifacts, "finetune", plain.key)
    assert [row["epoch"] for row in whole if "val_loss" in row] == ([1, 2, 3, 4] if len(whole) == 4 else [1, 2, 3, 5])
    for kind in (plain.kind, plain.row.curves):
        bench.artifacts.remove(kind, plain.key)
    *_, rung, continued, _ = with_rung(bench.stages, 3)
    bench.run(rung)
    assert read_curves(bench.artifacts, "rung", rung.key) == whole[:3]
    bench.run(continued, scratch="of another machine")
    assert read_curves(bench.artifacts, "finetune", continued.key) == whole


@pytest.mark.parametrize("bench", [("finetune.epochs=4",)], indirect=True)
def test_a_checkpoint_of_an_earlier_version_gives_curves_of_training_alone(bench):
    """It lacks the measurements before it: one key names one content, so there is no half of a curve."""
    *_, rung, continued, _ = with_rung(bench.stages, 3)
    with pytest.MonkeyPatch.context() as earlier:
        earlier.setattr(Validation, "measure", lambda *_: {})
        bench.run(rung)
    bench.run(continued, scratch="of another machine")
    assert list(bench.artifacts.store.list("curves/finetune/")) == []
    assert read_curves(bench.artifacts, "rung", rung.key) == []
    rows = read_curves(bench.artifacts, "finetune", continued.key)
    assert len(rows) == bench.recipe.finetune.epochs
    assert not any("val_loss" in row for row in rows)


@pytest.mark.parametrize("bench", [("finetune.epochs=4",)], indirect=True)
def test_damaged_curves_leave_those_of_training(bench, caplog):
    dense = bench.stages[0]
    file = next((bench.root / "store" / dense.row.curves / dense.key).rglob("*.parquet"))
    file.write_bytes(file.read_bytes()[:-8] + bytes(8))
    rows = read_curves(Artifacts(bench.artifacts.store), "dense", dense.key)
    assert len(rows) == bench.recipe.dense.epochs
    assert not any("val_loss" in row for row in rows)
    assert "the curves of training are shown alone" in caplog.text


def test_a_stage_under_the_paper_protocol_is_not_measured_on_any_image(tmp_path, made):
    bench = Bench(tmp_path, made, "protocol=paper")
    dense = bench.stages[0]
    bench.run(dense)
    rows = read_curves(bench.artifacts, "dense", dense.key)
    assert len(rows) == bench.recipe.dense.epochs
    assert not any(name.startswith("val_") for row in rows for name in row)
