"""Confirmation without training: which runs are made, what the ledger keeps of them, and what is shown."""

import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from safetensors.numpy import save_file

from jobs import confirm
from tests.ledgers import finished, home_with, trial_events
from tests.turns import recipe_of
from tuner.errors import UsageError
from tuner.features.bank import FeatureBank
from tuner.front.pick import Rules
from tuner.recipe import check_recipe, load_recipe
from tuner.search.execute.plan import plan_trial
from tuner.search.outcome.choose import choose
from tuner.search.outcome.confirm import check_splits
from tuner.search.outcome.confirmation_plan import members, missing_runs, offer, within_share
from tuner.search.outcome.pick import pick_model
from tuner.search.record.restoration import replay
from tuner.search.record.values import IMAGES_FILE
from tuner.search.watch.confirmed_table import confirmed_table
from tuner.search.watch.front_table import front_table

VALUES = {"n_images": 288.0, "plausibility_undilated": 50.0, "class_independence": 90.0, "contrastiveness": 98.0}


def confirmation(trial, seed, accuracy, interpretability, **fields):
    event = {"event": "confirmation", "time_s": 200.0 + seed, "trial": trial, "seed": seed, "split_seed": 0}
    event |= {"outcome": "complete", "cause": None, "stages": [], "command": "confirm"}
    return {**event, "values": {"accuracy": accuracy, "interpretability": interpretability, **VALUES}, **fields}


CONFIRMED = [
    *(confirmation(0, seed, 94.0 + seed / 4, 60.0 - seed / 4) for seed in (1, 2, 3)),
    *(confirmation(1, seed, 90.0 + seed / 4, 59.0 - seed / 4) for seed in (1, 2, 3)),  # worse than trial 0 in both
]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return home_with(tmp_path_factory.mktemp("confirmed"), finished() + CONFIRMED)


def printed(table, width=160):
    console = Console(file=io.StringIO(), width=width)
    console.print(table, soft_wrap=True)
    return console.file.getvalue()


def test_runs_repeat_a_trial_from_the_dense_stage_on_with_all_seeds_and_splits_but_the_selected_one(tmp_path):
    recipe = recipe_of("confirm.seeds=3", "confirm.splits=2", "seed=4294967295")
    params = {"n_features": 10, "features_per_class": 2, "width": 48, "l1": 0.5}
    events = [{"event": "trial", "trial": 0, "time_s": 1.0, "params": params}, trial_events(0, {"accuracy": 1.0})[1]]
    state = replay(events)
    runs = missing_runs(recipe, "bank", state, [0])
    assert [(run.seed, run.split_seed) for run in runs] == [(0, 0), (1, 0), (2**32 - 1, 1), (0, 1), (1, 1)]
    own = {spec.key for spec in plan_trial(recipe, "bank", params)}
    keys = [spec.key for run in runs for spec in run.stages]
    assert len({*keys, *own}) == len(keys) + len(own)
    assert [spec.stage for spec in runs[0].stages] == ["dense", "assign", "finetune", "evaluate"]
    done = replay([*events, confirmation(0, 1, 90.0, 60.0)])
    assert len(missing_runs(recipe, "bank", done, [0])) == 4


def test_the_most_promising_members_come_first_and_a_share_of_the_runs_is_kept(home):
    state = home.state()
    recipe, _ = home.stored()
    assert members(recipe, state) == [1, 0, 2]  # the knee, then the ends
    for seeds, share, expected in [(3, 0.5, 1), (2, 0.5, 3), (2, 0.4, 2), (3, 0.0, 0), (1, 0.5, 0), (9, 0.1, 1)]:
        recipe.confirm.seeds, recipe.confirm.share = seeds, share
        assert len(within_share(recipe, state)) == expected


def test_the_ledger_keeps_each_run_once_and_search_time_does_not_count_those_of_the_command(home):
    state = home.state()
    assert {n: sorted(t.confirmations) for n, t in state.trials.items()} == {
        0: [(1, 0), (2, 0), (3, 0)],
        1: [(1, 0), (2, 0), (3, 0)],
        2: [],
    }
    assert state.elapsed_s == replay(finished()).elapsed_s
    again = replay([*finished(), *CONFIRMED, confirmation(0, 1, 1.0, 1.0)])
    assert again.trials[0].confirmations[1, 0].values["accuracy"] == 94.25
    lost = replay([*finished(), confirmation(7, 1, 90.0, 60.0), {**confirmation(0, 1, 1.0, 1.0), "seed": "x"}])
    assert [damage.reason for damage in lost.damage] == [
        "its seed is no seed: 'x'",
        "confirms trial 7, which has no model",
    ]
    assert all("qpm-tuner confirm runs it again" in damage.then for damage in lost.damage)
    assert not lost.trials[0].confirmations


def test_values_shown_are_means_of_confirmation_runs_where_there_are_some(home):
    view = home.front()
    shown = {m.trial: m.values["accuracy"] for m in view.members}
    assert shown == {0: pytest.approx(94.5), 1: pytest.approx(90.5), 2: 90.13579}
    assert view.bars[0].beyond_noise
    assert view.bars[1].probability < 0.05
    assert (view.bars[2].runs, view.bars[2].probability) == (0, None)
    document = view.to_dict()
    assert [m["confirmation"]["beyond_noise"] for m in document["members"]] == [True, False, False]
    assert view.hypervolume == pytest.approx(home_values(home))
    text = printed(front_table(view, home.state()))
    assert "94.5 ±" in text
    assert "1 of 3 members beyond noise" in text
    assert "1 is not confirmed" in text
    assert text.count("96.1") == 1  # on test, which chose nothing
    table = printed(confirmed_table(view, home.state()), 80)
    assert "94.5 ±0.2" in table  # the deviation, where the front has the standard error
    assert max(map(len, table.splitlines())) <= 80


def test_damaged_values_of_images_are_named_once_and_shares_keep_their_binomial_error(tmp_path):
    home, told = home_with(tmp_path, finished()), []
    before = home.front()
    for trial, n in ((0, 288), (1, 250)):  # another number of images on one split
        folder = tmp_path / f"made{trial}"
        folder.mkdir()
        save_file({"accuracy": np.full(n, 100, np.float32)}, folder / IMAGES_FILE)
        home.artifacts.publish("stages/evaluate", f"evaluate{trial}", folder, {})
    folder = tmp_path / "odd"
    folder.mkdir()
    (folder / IMAGES_FILE).write_bytes(b"no tensors")
    home.artifacts.publish("stages/evaluate", "evaluate2", folder, {})
    home.warn = told.append
    for view in (home.front(), home.front()):
        assert view.bars[1].error == before.bars[1].error
        assert view.bars[2].error == before.bars[2].error
    assert len(told) == 2
    assert told[0] == "evaluation evaluate1 holds values of 250 images, others on its split 288"
    assert "stages/evaluate/evaluate2" in told[1]
    assert told[1].endswith("error bars without its images")


def home_values(home):
    """The hypervolume of the search's own values."""
    from tuner.front.hypervolume import hypervolume
    from tuner.recipe import objectives_of
    from tuner.search.record.reference import reference_for

    objectives, state = objectives_of(home.stored()[0]), home.state()
    return hypervolume(state.points(objectives), objectives, reference_for(state, objectives))


def test_a_pick_is_one_of_the_confirmed_members_and_says_what_is_noise(home, tmp_path):
    picked = pick_model(home)
    assert picked.point.trial == 0  # trial 1, the knee of the search, is worse than it looked
    assert picked.point.values["accuracy"] == pytest.approx(94.5)
    assert "Beyond noise: yes, non-dominated with a probability of 1.00 over 3 runs" in picked.reason
    assert "chosen among the 2 confirmed of 3 members" in picked.reason
    assert "the best of the confirmed front" in picked.reason, "another member is better by its one run"
    limited = pick_model(home, Rules(at_least={"accuracy": 50.0}))
    named = pick_model(home, Rules(trial=1))
    assert "not on the front" not in named.reason, "it is a member, whatever its runs have shown"
    assert limited.reason.startswith("Of the 2 confirmed trials with accuracy at least 50, "), "there are three trials"
    state = home.state()
    other = choose(home.front(), state, Rules(at_most={"n_features": 100.0}, at_least={"n_features": 30.0}))
    assert other.point.trial == 2  # no confirmed member has as many features
    assert other.reason.endswith("Beyond noise: not known, it was run once.")
    before = pick_model(home_with(tmp_path / "plain", finished()))
    assert before.point.trial == 1
    assert before.reason.endswith("Beyond noise: not known, it was run once.")


def test_the_end_of_a_search_offers_what_is_left_with_its_cost(home, tmp_path):
    recipe, _ = home.stored()
    recipe.dense.precision = recipe.finetune.precision = "float32"
    recipe.confirm.seeds = 4
    seeds, cost = offer(home, recipe, home.state())
    assert seeds == 4
    assert cost.startswith("3 runs of 1 member, about")
    recipe.confirm.seeds = 1  # switched off: the usual number is offered
    seeds, cost = offer(home, recipe, home.state())
    assert seeds == 3
    assert cost.startswith("2 runs of 1 member, about")
    nothing = home_with(tmp_path / "nothing", finished()[:1])
    assert offer(nothing, recipe, nothing.state()) is None


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--seeds", "0"], "confirm.seeds=0"),
        (["--splits", "-1"], "confirm.splits=-1"),
        (["--seeds", "1"], "the run that the search has made already"),
        (["--seeds", "101"], "confirm.seeds=101"),
    ],
)
def test_impossible_requests_are_refused_before_anything_is_loaded(home, flags, told, capsys):
    assert confirm.main(["--store", home.store.url, "--name", home.name, *flags]) == 2
    assert told in capsys.readouterr().err


def test_a_search_without_a_front_and_the_papers_protocol_are_refused(tmp_path, capsys):
    empty = home_with(tmp_path, finished()[:1])
    assert confirm.main(["--store", str(tmp_path), "--name", empty.name]) == 1
    assert "no complete trial yet" in capsys.readouterr().err
    with pytest.raises(UsageError, match="protocol=paper, which has no validation split"):
        check_recipe(load_recipe("digits", ["protocol=paper", "confirm.splits=2"]))


def test_more_splits_than_the_smallest_class_has_images_are_refused():
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 1, 0, 1])
    bank = FeatureBank(
        patches=np.zeros((10, 1, 2), np.float16),
        cls=None,
        labels=labels,
        is_train=np.arange(10) < 8,
        masks=None,
        has_mask=np.zeros(10, np.bool_),
        grid=(1, 1),
        class_names=("robin", "wren"),
        paths=tuple("abcdefghij"),
        class_attributes=None,
        image_attributes=None,
        key="bank",
        folder=Path(),
        content=np.array([0, 1, 2, 3, 4, 4, 6, 7, 8, 9]),  # two pictures of the wren are copies
    )
    check_splits(3, bank)
    with pytest.raises(UsageError, match=r"confirm.splits=4, and fewer different training images of wren"):
        check_splits(4, bank)
