"""A search over settings of the backbone: each combination is a feature bank, settled at the start and made once."""

import asyncio
import dataclasses
import os
import shutil

import pytest
import yaml

from tests.ledgers import trial_events
from tests.searches import one_ray, run_tiny, tiny_recipe
from tuner.base.progress import Silent
from tuner.data.load import load_dataset
from tuner.doctor.search import inspect_search
from tuner.errors import TunerError, UsageError
from tuner.features.bank import open_bank
from tuner.features.extract import bank_key
from tuner.features.sides import split_masks
from tuner.model import load_model
from tuner.recipe.backbones import backbone_points
from tuner.search.cost.banks import told_banks
from tuner.search.cost.prepare import held_by
from tuner.search.cost.rows import row_of
from tuner.search.cost.sizes import Machine, sizes_of_bank
from tuner.search.driver.learning import learned_from
from tuner.search.driver.unread import unread_line
from tuner.search.execute.banks import ensure_bank
from tuner.search.execute.messages import StageResult, StageUsed
from tuner.search.execute.plan import plan, plan_trial
from tuner.search.execute.results import Results
from tuner.search.execute.searched import bank_sources, require_usable_backbones, settle_banks
from tuner.search.execute.trial import run_trial
from tuner.search.execute.worker import run_stage
from tuner.search.outcome.by_class import accuracy_by_class
from tuner.search.outcome.comparable import comparable
from tuner.search.outcome.confirmation_plan import missing_runs
from tuner.search.outcome.explain import chosen_model
from tuner.search.outcome.pick import export_pick
from tuner.search.outcome.report import chosen_parts
from tuner.search.record.home import SearchHome
from tuner.search.record.inputs import load_input
from tuner.search.record.searched_banks import BankPoint, SearchedBanks
from tuner.search.record.stage_use import StageUse
from tuner.search.record.state import SearchState
from tuner.search.systems.of_search import member_tokens, planned_members
from tuner.store import Artifacts, open_store

pytestmark = pytest.mark.timeout(600)  # of the machine, not of the tests: they take seconds

SEARCHED = "space.backbone.n_atoms={choices: [8, 16]}"
FLOAT32 = ("dense.precision=float32", "finetune.precision=float32")
SMALL = ("backbone.grid=4", *FLOAT32, "tracking.enabled=false")
SIZES = {"n_features": 9, "features_per_class": 3, "width": 24}
MADE_UP = SearchedBanks(
    tuple(BankPoint({"backbone.n_atoms": n}, f"bank{n}", (4, 4), n) for n in (8, 16)), 100, 60, 10, split_seed=0
)


def recipe_of(*overrides):
    return tiny_recipe(SEARCHED, *SMALL, *overrides)


def settled(recipe, dataset):
    """The banks of a search, as its driver settles them."""
    return settle_banks(recipe, bank_sources(recipe, dataset))


def at(n_atoms, **more):
    return {**SIZES, "backbone.n_atoms": n_atoms, **more}


@pytest.mark.parametrize(
    ("space", "words"),
    [
        ("space.backbone.grid={low: 4, high: 8}", "choices, since each setting of the backbone"),
        ("space.backbone.batch_size={choices: [8, 16]}", "no field that can be searched"),
        ("space.backbone.depth={choices: [18, 34]}", "which backbone.name=patch_dictionary does not read"),
        ("space.backbone={choices: [1]}", "a group of fields"),
        ("space.backbone.n_atoms={choices: [1, 16]}", "at least 2"),
        ("space.backbone.seed={choices: [0, 0]}", "each choice once"),
        ("space.backbone.seed={choices: []}", "at least one choice"),
        ("space.backbone.name={choices: [patch_dictionary, nonsense]}", "one of patch_dictionary"),
        ("space.backbone.weights={choices: ['https://ada:secret@host/w.pth', b]}", "a user, a password or a key"),
        ('space.backbone.weights={choices: ["a\\u2028", b]}', "printable"),
        (f"space.backbone.seed={{choices: {list(range(65))}}}", "at most 64"),
    ],
)
def test_what_cannot_be_searched_is_refused_by_name(space, words):
    with pytest.raises(UsageError) as refused:
        tiny_recipe(space)
    assert words in f"{refused.value.what} {refused.value.expected}"
    assert "secret" not in str(refused.value)


def test_a_setting_that_one_of_the_backbones_does_not_read_is_told():
    two = "space.backbone.name={choices: [patch_dictionary, dinov2]}"
    assert "backbone.n_atoms is searched, and dinov2 does not read it" in unread_line(recipe_of(two))
    assert "n_atoms" not in unread_line(recipe_of())
    assert "does not read backbone.layer=-2" in unread_line(recipe_of("backbone.layer=-2"))
    assert "backbone.layer" not in unread_line(recipe_of(two, "backbone.layer=-2"))


def test_pixels_are_no_choice_and_missing_weights_of_one_choice_are_found_before_anything_is_trained(tmp_path):
    with pytest.raises(UsageError, match="trained end to end"):
        require_usable_backbones(recipe_of("space.backbone.name={choices: [patch_dictionary, pixels]}"))
    absent = tmp_path / "absent.pth"
    recipe = tiny_recipe(
        "backbone.name=efficientnet_lite2", f"space.backbone.weights={{choices: [{absent}, {tmp_path / 'other.pth'}]}}"
    )
    dataset = load_dataset(recipe.data)
    with pytest.raises(TunerError, match=r"for backbone\.weights=.*absent\.pth in the space"):
        settled(recipe, dataset)


def test_the_keys_are_those_of_searches_with_one_setting_each():
    recipe = recipe_of()
    banks = settled(recipe, load_dataset(recipe.data))
    assert (banks.n_images, banks.n_classes, len(banks.keys)) == (1797, 10, 2)
    for n_atoms in (8, 16):
        alone = tiny_recipe(f"backbone.n_atoms={n_atoms}", *SMALL)
        key = bank_key(alone.data, alone.backbone)
        first, *stages = plan_trial(recipe, banks, at(n_atoms))
        assert (first.stage, first.kind, first.key) == ("bank", "banks", key)
        assert [spec.key for spec in stages] == [spec.key for spec in plan(alone.at(SIZES), key)]
        assert banks.of_key(key).dim == n_atoms
    assert len({plan_trial(recipe, banks, at(n))[1].key for n in (8, 16)}) == 2


def test_a_worker_is_told_where_relative_paths_are(tmp_path, monkeypatch):
    """Of the data and of the backbone; what is no path of this machine stays as it is."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.csv").write_text("path,label")
    (tmp_path / "photos").mkdir()
    recipe = recipe_of(
        "data.name=manifest", "data.manifest=list.csv", "data.root=photos", "data.masks=s3://bucket/masks"
    )
    told = plan_trial(recipe, MADE_UP, at(8))[0].settings["data"]
    assert (told["manifest"], told["root"]) == (str(tmp_path / "list.csv"), str(tmp_path / "photos"))
    assert told["masks"] == "s3://bucket/masks"


def test_the_size_of_a_bank_follows_from_how_it_keeps_tokens():
    assert MADE_UP.points[0].bytes_of(100, recipe_of()) == 100 * 16 * 8 * 2
    assert MADE_UP.points[1].bytes_of(100, recipe_of("backbone.dtype=int8")) == 100 * 16 * (16 + 4)
    (row, *_) = told_banks(recipe_of("backbone.dtype=float8"), MADE_UP, ["bank8"])[1:]
    assert row[1] == "backbone.n_atoms=8: 0.0 MB, in the store"


def test_the_banks_are_kept_with_the_search_and_whoever_changes_them_is_noticed(tmp_path):
    home, recipe = SearchHome(open_store(str(tmp_path)), "s"), recipe_of("space.backbone.seed={choices: [0, 1]}")
    points = [BankPoint(one, f"bank{n}", (4, 4), 8) for n, one in enumerate(backbone_points(recipe))]
    banks = dataclasses.replace(MADE_UP, points=tuple(points))
    home.start(recipe, banks)
    assert home.stored()[1] == banks
    assert home.of_trial(at(16, **{"backbone.seed": 1}))[1] == "bank3"
    assert home.n_classes(banks) == 10
    content = yaml.safe_load(home.store.get(home.key("recipe.yaml")))
    spoiled = [
        {"banks": None},
        {"banks": []},
        {"banks": content["banks"] | {"points": content["banks"]["points"][:3]}},
        {"banks": content["banks"] | {"points": content["banks"]["points"][::-1]}},
        {"banks": content["banks"] | {"n_images": -1}},
        {"banks": content["banks"] | {"points": [p | {"key": "../x"} for p in content["banks"]["points"]]}},
        {"banks": content["banks"] | {"points": [p | {"dim": "wide"} for p in content["banks"]["points"]]}},
    ]
    for part in spoiled:
        home.store.put(home.key("recipe.yaml"), yaml.safe_dump(content | part, sort_keys=False).encode())
        with pytest.raises(TunerError, match="is damaged"):
            home.stored()


def test_a_search_without_a_searched_backbone_is_kept_as_before(tmp_path):
    home = SearchHome(open_store(str(tmp_path)), "s")
    home.start(tiny_recipe(*FLOAT32), "bank")
    assert "banks" not in yaml.safe_load(home.store.get(home.key("recipe.yaml")))
    assert home.stored()[1] == "bank"
    assert plan_trial(tiny_recipe(*FLOAT32), "bank", SIZES)[0].stage == "dense"


def test_a_confirmation_run_reads_the_bank_of_its_trial(tmp_path):
    """Another split seed cuts validation otherwise; it must not cut the official split anew."""
    recipe = recipe_of("confirm.seeds=2", "confirm.splits=2")
    home = SearchHome(open_store(str(tmp_path)), "s")
    home.start(recipe, MADE_UP)
    events = trial_events(0, {"accuracy": 90.0, "interpretability": 50.0})
    events[0]["params"] = at(16)
    for event in events:
        home.ledger.append(event)
    runs = missing_runs(recipe, MADE_UP, home.state(), [0])
    assert len(runs) == 3
    made = [run.stages[0] for run in runs]
    assert {spec.key for spec in made} == {"bank16"}
    assert {spec.settings["data"]["split_seed"] for spec in made} == {recipe.data.split_seed}
    assert {run.stages[1].inputs["bank"] for run in runs} == {"bank16"}


def test_the_forecast_counts_a_bank_once_and_by_its_size():
    recipe = recipe_of()
    sizes = sizes_of_bank(None, MADE_UP, recipe)
    rows = [row_of(recipe.at(at(n)), MADE_UP, sizes, held_by(recipe, Machine(2.0))) for n in (8, 16, 16)]
    assert [row[0].stage for row in rows] == ["bank"] * 3
    assert len({row[0].key for row in rows}) == 2
    assert rows[0][0].seconds < rows[1][0].seconds, "wider tokens take longer"
    assert sizes.n_train == round(60 * (1 - recipe.validation_fraction))


def test_a_damaged_bank_is_made_again_as_any_stage_is():
    """Without a stage that makes it, it would end the search."""
    asked = []

    async def use(row, number):
        asked.append(row[0].stage)
        result = StageResult("complete", 0.0, values={"accuracy": 1.0})
        if row[0].stage == "dense" and asked.count("dense") == 1:
            result = StageResult("corrupt", 0.0, "a tile is missing", damaged=("banks", "bank8"))
        return StageUsed(result, StageUse(row[0].stage, row[0].key, False, 0.0, 0.0))

    ended = asyncio.run(run_trial(0, plan_trial(recipe_of(), MADE_UP, at(8)), use))
    assert ended.outcome == "complete"
    assert asked == ["bank", "dense", "bank", "dense", "assign", "finetune", "evaluate"]
    assert ended.remade == ("a tile is missing",)


def searched_home(root, name="s"):
    """A search over two banks that has been started, nothing of it made yet."""
    home, recipe = SearchHome(open_store(str(root)), name), recipe_of()
    home.start(recipe, settled(recipe, load_dataset(recipe.data)))
    return home


def carried_out(home, number, params, scratch):
    """Run the stages of a trial that the store lacks, and record it; returns the names of those that ran."""
    recipe, bank = home.stored()
    ran, values, results = [], None, Results(home.artifacts)
    *made, measured = plan_trial(recipe, bank, params)
    tuned = next(spec for spec in made if spec.row.gives_the_model)
    for spec in (*made, measured):
        found = results.stored(spec)
        if found is None:
            found = run_stage(spec, home.store.url, scratch, 1)
            ran.append(spec.stage)
        assert found.outcome == "complete", found.cause
        values = found.values
    event = trial_events(number, values, model=tuned.key)
    event[0]["params"] = params
    event[1]["stages"] = [
        {"stage": spec.stage, "key": spec.key, "reused": False, "seconds": 1.0, "saved_s": 0.0}
        for spec in (*made, measured)
    ]
    for one in event:
        home.ledger.append(one)
    return ran


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A search of two trials on two banks, run without Ray: its home, and the stages that ran for each trial."""
    root = tmp_path_factory.mktemp("searched")
    before = os.environ.get("QPM_TUNER_CACHE")
    os.environ["QPM_TUNER_CACHE"] = str(root / "cache")
    try:
        home = searched_home(root / "store")
        ran = [carried_out(home, number, at(n), root / "scratch") for number, n in enumerate((8, 16))]
        yield home, ran
    finally:
        os.environ.pop("QPM_TUNER_CACHE")
        if before is not None:
            os.environ["QPM_TUNER_CACHE"] = before


@pytest.mark.slow
def test_each_bank_is_made_once_and_is_that_of_a_search_of_its_own(finished, tmp_path):
    home, ran = finished
    assert ran == [["bank", "dense", "assign", "finetune", "evaluate"]] * 2
    third = plan_trial(*home.stored(), at(16, n_features=6))
    there = [spec.stage for spec in third if Results(home.artifacts).stored(spec) is not None]
    assert there == ["bank", "dense"], "another trial on this bank finds it, and its dense model"
    alone = tiny_recipe("backbone.n_atoms=16", *SMALL)
    artifacts = Artifacts(open_store(str(tmp_path / "alone")))
    key = ensure_bank(artifacts, alone, Silent())
    one, two = (load_input(found, "banks", key, open_bank) for found in (artifacts, home.artifacts))
    assert (one.patches[:] == two.patches[:]).all()
    dense = plan(alone.at(SIZES), key)[0]
    assert run_stage(dense, artifacts.store.url, tmp_path / "scratch", 1).outcome == "complete"
    mine = home.artifacts.find(dense.kind, dense.key)
    assert mine.files["model.safetensors"] == artifacts.find(dense.kind, dense.key).files["model.safetensors"]


@pytest.mark.slow
def test_all_backbones_are_measured_on_the_same_images(finished):
    home, _ = finished
    recipe, bank = home.stored()
    banks = [load_input(home.artifacts, "banks", key, open_bank) for key in bank.keys]
    settings = plan_trial(recipe, bank, at(8))[1].settings["split"]
    sides = [split_masks(one, settings, settings["split_seed"]) for one in banks]
    assert all((sides[0][part] == sides[1][part]).all() for part in ("train", "validation", "test"))
    assert banks[0].paths == banks[1].paths
    assert comparable((home, home), (home.state(), home.state())).same_images


@pytest.mark.slow
def test_what_is_shown_and_exported_is_of_the_trials_own_bank(finished, tmp_path):
    home, _ = finished
    for trial, n_atoms in enumerate((8, 16)):
        chosen = chosen_model(home, trial)
        _, tokens, _ = chosen_parts(home, chosen)
        assert tokens.dim == n_atoms
        assert len(accuracy_by_class(home, chosen)[1]) == 10
        model = load_model(export_pick(home, chosen, tmp_path / str(trial)))
        assert model.card["backbone"]["n_atoms"] == n_atoms
    recipe, state = home.stored()[0], home.state()
    tokens = member_tokens(home, state)
    assert all(tokens[trial].dim == state.trials[trial].params["backbone.n_atoms"] for trial in tokens)
    rows = {row.row.name: row.row for row in planned_members(recipe, tokens, state, is_fresh=True)}
    dense = [row for name, row in rows.items() if name.startswith("dense-")]
    assert dense
    assert all("backbone.n_atoms" in row.parameters for row in dense)


@pytest.mark.slow
def test_a_doctor_looks_at_all_banks_that_were_made_and_at_their_shards(finished, tmp_path):
    home, _ = finished
    shutil.copytree(home.store.url, tmp_path / "copy")
    store, (one, two) = open_store(str(tmp_path / "copy")), home.stored()[1].keys

    def wrong():
        return [check.found for check in inspect_search(store, home.name) if check.name == "artifacts" and not check.ok]

    assert wrong() == []
    store.put(f"banks/{one}/manifest.json", b"{")
    shutil.rmtree(tmp_path / "copy" / "shards")
    told = wrong()
    assert any(f"banks/{one}" in text for text in told), told
    assert any(text.startswith("shards/") for text in told), "of the other bank"
    assert not any(f"banks/{two}" in text for text in told)


@pytest.mark.slow
def test_another_search_learns_from_trials_on_the_banks_it_has_itself(finished):
    home, _ = finished
    alone = tiny_recipe("backbone.n_atoms=16", *SMALL)
    other = SearchHome(home.store, "other")
    key = bank_key(alone.data, alone.backbone)
    (event,) = learned_from(other, [home.name], alone, key, SearchState(), Silent())
    assert [trial.trial for trial in event.trials] == [1]
    stranger = tiny_recipe("backbone.n_atoms=32", *SMALL)
    with pytest.raises(UsageError, match="measured on other data"):
        learned_from(other, [home.name], stranger, "unheard-of", SearchState(), Silent())


@pytest.mark.slow
def test_changed_images_halt_the_search_and_fail_no_trial(finished, tmp_path):
    home, _ = finished
    first = dataclasses.replace(plan_trial(*home.stored(), at(8))[0], named="0" * 32)
    ended = run_stage(first, home.store.url, tmp_path, 1)
    assert ended.outcome == "halted"
    assert "have changed since the search started" in ended.cause


class DiesError(BaseException):
    """The end of a process, as far as its extraction can tell."""


@pytest.mark.slow
def test_an_extraction_that_was_killed_goes_on_where_it_was(tmp_path, monkeypatch):
    monkeypatch.setenv("QPM_TUNER_CACHE", str(tmp_path / "cache"))
    home, seen = searched_home(tmp_path / "store"), []
    first = plan_trial(*home.stored(), at(8))[0]

    def dies(done, *_):
        if done >= 1500:
            raise DiesError

    with pytest.raises(DiesError):
        run_stage(first, home.store.url, tmp_path / "scratch", 1, dies)
    assert home.artifacts.find("banks", first.key) is None
    ended = run_stage(first, home.store.url, tmp_path / "scratch", 1, lambda done, *_: seen.append(done))
    assert ended.outcome == "complete", ended.cause
    assert min(seen) > 256, "what was journalled was not done again"
    assert load_input(home.artifacts, "banks", first.key, open_bank).dim == 8
    assert not list((tmp_path / "scratch").iterdir()), "nothing is left of it"


@pytest.fixture
def ray():
    """Started and ended outside of the test, as in other modules with whole searches."""
    with one_ray():
        yield


@pytest.mark.long
@pytest.mark.cluster
@pytest.mark.usefixtures("ray")
def test_a_whole_search_makes_each_bank_once_and_carries_on_without_it(tmp_path):
    """Four trials at once ask for two banks; later one bank is lost, and made again by the trial that needs it."""
    space = "space={n_features: {choices: [6, 9]}, features_per_class: {choices: [3]}, width: {choices: [24]}}"
    result, _ = run_tiny(tmp_path, "whole", space, SEARCHED, *SMALL, "budget.trials=4", "budget.parallel=4")
    assert result.state.counts() == {"complete": 4}
    uses = [use for trial in result.state.trials.values() for use in trial.stages if use.stage == "bank"]
    assert len(uses) == 4
    assert sorted(use.key for use in uses if not use.reused) == sorted({use.key for use in uses})
    lost = result.state.trials[0].stage_key("bank")
    result.home.artifacts.remove("banks", lost)
    more, _ = run_tiny(tmp_path, "whole", space, SEARCHED, *SMALL, "budget.trials=4", "confirm.seeds=2")
    assert more.home.of_trial(result.state.trials[0].params)[1] == lost
    confirmed = {trial.number for trial in more.state.trials.values() if trial.confirmations}
    assert confirmed
