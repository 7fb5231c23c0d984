"""The table of stages: complete, light to import, and the one place where a stage is added."""

import subprocess
import sys

import pytest

from tests.searches import tiny_recipe
from tuner.base.progress import Silent
from tuner.recipe import ResourcesConfig
from tuner.search import stages
from tuner.search.execute.banks import ensure_bank
from tuner.search.execute.plan import plan_trial
from tuner.search.execute.worker import run_stage
from tuner.search.session.connect import settle_resources
from tuner.search.stages import STAGES, Stage, of_a_trial
from tuner.store import Artifacts, open_store

PARAMS = {"n_features": 9, "features_per_class": 3, "width": 24}
FLOAT32 = ("dense.precision=float32", "finetune.precision=float32")


@pytest.mark.parametrize("stage", STAGES.values(), ids=list(STAGES))
def test_what_the_table_names_is_there(stage):
    assert callable(stage.load_runner())
    if stage.model:
        assert callable(stage.load_model_class().load)
    names = list(STAGES)
    assert all(names.index(name) < names.index(stage.name) for name in stage.reads)
    recipe = tiny_recipe()
    assert all(hasattr(recipe, section) for section in stage.settings)
    assert hasattr(ResourcesConfig(), stage.resources or stage.name)


def test_a_trial_ends_with_a_measurement_of_its_one_model():
    assert [stage.does for stage in of_a_trial()].index("measure") == len(of_a_trial()) - 1
    assert [stage.gives_the_model for stage in STAGES.values()].count(True) == 1


def test_the_table_imports_nothing_heavy():
    code = (
        "import sys, tuner.search.stages; print([m for m in ('torch', 'ray', 'mlflow', 'optuna') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def run_count(job, folder):
    """The runner of a stage that somebody adds: it writes down how many images it was trained on."""
    (folder / "count.txt").write_text(str(len(job.samples("train"))))


@pytest.fixture
def table():
    """The table, which is put in order again afterwards."""
    before, versions = dict(STAGES), dict(stages.CODE_VERSIONS)
    yield STAGES
    for now, then in ((STAGES, before), (stages.CODE_VERSIONS, versions)):
        now.clear()
        now.update(then)


@pytest.mark.slow
def test_a_stage_is_added_by_a_row_and_a_function(tmp_path, table):
    row = Stage("count", 1, "other", f"{__name__}:run_count", reads=("dense",), resources="dense")
    last = table.pop("evaluate")
    table |= {"count": row, "evaluate": last}
    stages.CODE_VERSIONS["count"] = row.version
    recipe, store = tiny_recipe(*FLOAT32), open_store(str(tmp_path / "store"))
    bank = ensure_bank(Artifacts(store), recipe, Silent())
    specs = {spec.stage: spec for spec in plan_trial(recipe, bank, PARAMS)}
    assert list(specs) == ["dense", "assign", "finetune", "count", "evaluate"]
    assert specs["count"].inputs == {"bank": bank, "dense": specs["dense"].key}
    assert settle_resources(recipe.resources, {"CPU": 2.0}, grows=False)["count"].cpus == recipe.resources.dense.cpus
    assert run_stage(specs["count"], store.url, tmp_path, 1).outcome == "complete"
    made = Artifacts(store).fetch(specs["count"].kind, specs["count"].key)
    assert int((made / "count.txt").read_text()) > 1000


def test_the_old_name_of_the_broker_is_understood_with_a_warning():
    with pytest.warns(FutureWarning, match="tuner.search.execute.broker"):
        from tuner.search.stages import StageBroker
    assert StageBroker.__name__ == "StageBroker"
    with pytest.raises(AttributeError):
        stages.nonsense  # noqa: B018
