"""What a search is expected to take: the stages ahead, the time of rows of them, and how near it comes to the truth."""

import functools
import math
import random
from dataclasses import replace

import pytest

from tuner.recipe import load_recipe, objectives_of
from tuner.search.cost.draws import draw_points
from tuner.search.cost.forecast import Forecast
from tuner.search.cost.guess import guess_s
from tuner.search.cost.makespan import Work, makespan
from tuner.search.cost.prepare import held_by
from tuner.search.cost.rows import row_of
from tuner.search.cost.sizes import Machine, Sizes
from tuner.search.cost.stage_times import StageTimes, Timed
from tuner.search.cost.texts import ends_early, expected_line
from tuner.search.execute.plan import plan_trial
from tuner.search.record.events import Instructed, Proposed
from tuner.search.record.restoration import apply, replay
from tuner.search.record.stage_use import StageUse
from tuner.search.record.state import SearchState, TrialRecord

FLOATS = ("dense.precision=float32", "finetune.precision=float32")
DIGITS = Sizes(n_train=1149, n_images=1797, tokens=16, dim=64, n_classes=10)
TWO = Machine(2.0)
SECONDS = {"dense": 5.0, "assign": 1.0, "finetune": 4.0, "evaluate": 0.5}


def recipe_of(*overrides):
    return load_recipe("digits", ["confirm.share=0", "budget.parallel=2", *FLOATS, *overrides])


def forecast(recipe, machine=TWO, **more):
    return Forecast(recipe, "bank", DIGITS, machine, held_by(recipe, machine), **more)


def row(*seconds, key="", **held):
    return [Work(f"s{i}", f"{key}{i}", taken, **held) for i, taken in enumerate(seconds)]


def test_rows_share_the_machine_and_a_stage_that_several_need_runs_once():
    assert makespan([row(3.0, 2.0, key="a")], 4, TWO) == 5.0
    assert makespan([row(3.0, key=k) for k in "abc"], 3, TWO) == 6.0, "three on two cores"
    assert makespan([row(3.0, key=k) for k in "abc"], 1, TWO) == 9.0, "one at a time"
    assert makespan([row(3.0, key=k) for k in "abc"], 3, Machine(float("inf"))) == 3.0
    shared = [[Work("dense", "d", 5.0), *row(1.0, key=k)] for k in "abcd"]
    assert makespan(shared, 4, TWO) == 5.0 + 2.0, "one dense model, then four stages on two cores"
    assert makespan([], 2, TWO) == makespan([[]], 2, TWO) == 0.0


def test_a_gpu_is_shared_and_a_stage_larger_than_the_machine_runs_alone():
    one = Machine(8.0, 1.0)
    assert makespan([row(2.0, key=k, gpus=0.5) for k in "abcd"], 4, one) == 4.0
    assert makespan([row(2.0, key=k, gpus=4.0) for k in "ab"], 2, one) == 4.0


def test_as_many_different_points_are_drawn_as_there_are_and_all_are_possible():
    demo = load_recipe("demo", list(FLOATS))
    points = draw_points(demo, 100)
    n_points = math.prod(len(dimension["choices"]) for dimension in demo.space.values())
    assert len({tuple(point.values()) for point in points}) == len(points) == n_points
    digits = draw_points(recipe_of(), 50)
    assert len(digits) == 50
    assert digits == draw_points(recipe_of(), 50), "by the seed"
    assert all(point["features_per_class"] <= point["n_features"] <= point["width"] for point in digits)
    assert {point["n_features"] % 5 for point in digits} == {0}


def test_it_knows_how_many_stages_are_shared():
    """Two widths are two dense models; few sizes are few programs; a continuous l1 is fine-tuned each time."""
    found = forecast(recipe_of("budget.trials=40")).expected(SearchState())
    assert found.stages["dense"] == (40, 2)
    assert 20 <= found.stages["assign"][1] < 40
    assert found.stages["finetune"] == (40, 40)
    assert found.trials == 40
    small = forecast(recipe_of("space={width: {choices: [48, 96]}}", "budget.trials=40"))
    assert small.expected(SearchState()).trials == small.trials == 2, "the space has no more"


def test_many_trials_are_extrapolated_and_confirmation_is_part_of_it():
    many = forecast(recipe_of("budget.trials=1000")).expected(SearchState())
    assert many.stages["finetune"] == (1000, 1000)
    assert many.stages["dense"][1] == 2
    with_runs = forecast(recipe_of("budget.trials=16", "confirm={share: 0.5, seeds: 3}")).expected(SearchState())
    assert with_runs.runs == 4 * 2, "the front of 16 trials has about four members by two objectives"
    assert with_runs.stages["dense"] == (16 + 8, 2 + 4), "two widths with two further seeds each"


def test_what_the_store_has_is_not_run_again():
    plain = forecast(recipe_of())
    known = frozenset(plain.keys()["dense"])
    assert forecast(recipe_of(), known=known).expected(SearchState()).stages["dense"] == (40, 0)


def test_a_guess_follows_the_size_and_a_measured_time_the_guess():
    recipe, held = recipe_of(), held_by(recipe_of(), TWO)
    one = guess_s("finetune", recipe, DIGITS, held["finetune"])
    recipe.finetune.epochs *= 2
    assert guess_s("finetune", recipe, DIGITS, held["finetune"]) > 1.8 * one
    times = StageTimes.of([Timed("finetune", 1.0, 3.0), Timed("finetune", 2.0, 6.0)], "search")
    assert (times.seconds("finetune", 4.0), times.seconds("dense", 4.0)) == (12.0, 4.0)
    assert times.over(StageTimes({"dense": 2.0}, {"dense": 1}, "store")).seconds("dense", 4.0) == 8.0


def test_the_first_line_says_that_it_is_a_guess():
    recipe = recipe_of("budget.prices.cpu_hour=0.05")
    told = expected_line(forecast(recipe).expected(SearchState()), recipe)
    assert told.startswith("expected: 40 trials in about ")
    assert told.endswith("; a first guess by the size of data and model, right within a factor of about 4")
    assert "CPU h, " in told
    assert " USD" in told


def test_a_limit_that_ends_it_early_is_named():
    def told(*limits):
        recipe = recipe_of(*limits)
        return ends_early(forecast(recipe).expected(SearchState()), recipe)

    assert told() == told("budget.cpu_hours=1000") == told("budget.gpu_hours=0.001") == "", "there is no GPU"
    cheap = told("budget.cpu_hours=1000", "budget.money=0.0002", "budget.prices={cpu_hour: 0.04, currency: EUR}")
    assert cheap.startswith("budget.money of 0.0002 EUR is expected to end it after about ")
    assert cheap.endswith(" of 40 trials")


@functools.cache
def planned(n_trials):
    """Parameters of trials, and their stages."""
    recipe = recipe_of("seed=99", f"budget.trials={n_trials}")
    params = [{**recipe_of().parameters(), **point} for point in draw_points(recipe, n_trials)]
    return [(each, plan_trial(recipe_of(), "bank", each)) for each in params]


def played(recipe, seed, noise, n_ended=None):
    """The ledger of a search with a core for each of its parallel trials, and how long it took in all.

    Stages take times of their own: drawn around `SECONDS`, by the point as well. Ray takes nine seconds to start. The
    trials are not those that the forecast draws.
    """
    drawn = random.Random(seed)
    took: dict[str, float] = {}
    events = [{"event": "search", "time_s": 0.0, "recipe": recipe.to_dict(), "versions": {}}]
    slots, made = [9.0] * recipe.budget.parallel, dict[str, float]()
    ends = []
    for number, (params, stages) in enumerate(planned(recipe.budget.trials)):
        now = start = min(slots)
        slot, uses = slots.index(start), []
        for spec in stages:
            reused = spec.key in took
            if not reused:
                took[spec.key] = SECONDS[spec.stage] * (1 + params["n_features"] / 60) * drawn.lognormvariate(0, noise)
                made[spec.key] = now + took[spec.key]
            waited = max(0.0, made[spec.key] - now)
            use = {"stage": spec.stage, "key": spec.key, "reused": reused, "seconds": waited, "cpus": 1.0, "gpus": 0.0}
            saved, ran = (took[spec.key], 0.0) if reused else (0.0, took[spec.key])
            uses.append(use | {"saved_s": saved, "ran_s": ran})
            now += waited
        slots[slot] = now
        values = {"accuracy": 90.0 + drawn.random(), "interpretability": 60.0 + drawn.random()}
        ended = {"outcome": "complete", "stage": None, "cause": None, "values": values, "seconds": now - start}
        model = next(use["key"] for use in uses if use["stage"] == "finetune")
        ends.append((start, {"event": "trial", "trial": number, "params": params}))
        ends.append((now, {"event": "outcome", "trial": number, "stages": uses, "model": model} | ended))
    timed = [event | {"time_s": at} for at, event in sorted(ends, key=lambda pair: pair[0])]
    total_s, outcomes = max(slots), [at for at, event in ends if event["event"] == "outcome"]
    until = max(outcomes) if n_ended is None else sorted(outcomes)[n_ended - 1]
    return replay(events + [event for event in timed if event["time_s"] <= until]), total_s


@pytest.mark.parametrize("trials", [16, 40])
def test_after_the_third_trial_it_is_within_25_percent_of_what_it_takes(trials):
    """Twenty ledgers whose stages vary by 20 %, on two cores: 19 of them within 25 %, none off by a third."""
    recipe = recipe_of(f"budget.trials={trials}")
    found = forecast(recipe)
    off = []
    for seed in range(20):
        state, total_s = played(recipe, seed, 0.2, n_ended=3)
        off.append(abs(found.expected(state).total_s / total_s - 1.0))
    assert sorted(off)[18] < 0.25, off
    assert max(off) < 0.33, off


def test_it_stays_true_while_the_search_runs_and_ends_at_what_it_took():
    recipe = recipe_of("budget.trials=24")
    found = forecast(recipe)
    for n_ended in (3, 6, 12, 18, 23):
        state, total_s = played(recipe, 1, 0.2, n_ended=n_ended)
        assert found.expected(state).total_s == pytest.approx(total_s, rel=0.25), n_ended
    state, total_s = played(recipe, 1, 0.2)
    members = state.members(objectives_of(recipe))
    assert 0.0 < found.expected(state).left_s < 2.0 * len(members), "the front is still to be measured on test"
    for member in members:
        state.trials[member.trial].test = {"accuracy": 90.0}
    done = found.expected(state)
    assert (done.left_s, done.total_s) == (0.0, pytest.approx(total_s, rel=0.01))
    assert done.left.cpu_s == 0.0


def test_it_follows_a_budget_that_changes_while_the_search_runs():
    recipe = recipe_of("budget.trials=6")
    found, (state, _) = forecast(recipe), played(recipe, 1, 0.2, n_ended=3)
    few = found.expected(state)
    recipe.budget.trials = 40
    many = found.expected(state)
    assert (few.trials, many.trials) == (6, 40)
    assert many.left_s > 4 * few.left_s
    fresh = forecast(recipe).expected(state)
    assert (many.left_s, many.stages) == (fresh.left_s, fresh.stages)
    recipe.budget.trials = 6
    assert found.expected(state).left_s == few.left_s
    small = recipe_of("space={width: {choices: [48, 96]}}", "budget.trials=40")
    found = forecast(small)
    small.budget.trials = 1
    assert found.expected(SearchState()).trials == 1, "fewer than the points of the space"


@pytest.mark.parametrize(
    ("limit", "of"),
    [
        ("budget.time_limit_s=60", lambda found: found.total_s / 60),
        ("budget.cpu_hours=0.02", lambda found: found.spent.cpu_hours / 0.02),
        ("budget.money=0.1", lambda found: found.spent.cpu_hours * 5.0 / 0.1),
    ],
)
def test_it_ends_where_a_limit_of_the_budget_ends_the_search(limit, of):
    recipe = recipe_of("budget.trials=40", "budget.prices.cpu_hour=5", limit)
    state, _ = played(recipe, 1, 0.2, n_ended=3)
    found, whole = forecast(recipe).expected(state), forecast(recipe_of("budget.trials=40")).expected(state)
    assert found.limit == limit.partition("=")[0]
    assert 3 < found.trials < 40 == whole.trials
    assert found.left_s < whole.left_s
    assert 0.8 < of(found) <= 1.0 + 1e-9
    assert ends_early(found, recipe).endswith(f"is expected to end it after about {found.trials} of 40 trials")


def test_a_limit_that_is_spent_already_leaves_next_to_nothing():
    recipe = recipe_of("budget.trials=40", "budget.cpu_hours=0.001")
    state, _ = played(recipe, 1, 0.2, n_ended=3)
    found = forecast(recipe).expected(state)
    assert (found.left_s, found.left.cpu_s, found.trials) == (0.0, 0.0, len(state.trials))


def test_what_other_searches_left_in_the_store_is_learned_from_the_first_trials():
    """The store had the stages of trials that nobody foresaw: a search with the same seed has run before."""
    recipe = recipe_of("budget.trials=24")
    state, _ = played(recipe, 1, 0.2, n_ended=6)
    before = forecast(recipe).expected(state)
    for trial in state.finished():
        uses = [replace(use, reused=True, saved_s=use.took_s, ran_s=0.0) for use in trial.stages]
        trial.stages = tuple(uses)
    after = forecast(recipe).expected(state)
    assert 0.0 < after.left_s < 0.4 * before.left_s


def test_a_first_guess_that_was_too_short_is_not_repeated():
    found = forecast(recipe_of("budget.trials=24"))
    first = found.expected(SearchState(), 0.0)
    assert not first.overdue
    assert not found.expected(SearchState(), 10 * first.total_s).overdue, "no trial has begun"
    state = SearchState()
    apply(state, Proposed(0.0, 0, planned(24)[0][0]), 0.0)
    assert not found.expected(state, 20.0).overdue
    assert found.expected(state, 10 * first.total_s).overdue
    apply(state, Instructed(1.0, 1, "pause", {}, "ada@lab7", 1.0, True, "paused", None), 1.0)
    assert not found.expected(state, 20 * first.total_s).overdue, "a pause takes as long as it takes"


def test_time_that_passes_is_taken_off():
    recipe = recipe_of("budget.trials=24")
    state, _ = played(recipe, 1, 0.2, n_ended=6)
    found, last_s = forecast(recipe), state.elapsed_s
    now, later = found.expected(state, last_s), found.expected(state, last_s + 2.0)
    assert (later.left_s, later.total_s) == (pytest.approx(now.left_s - 2.0), pytest.approx(now.total_s))
    late = found.expected(state, last_s + 1e6)
    assert late.left_s == late.least_s, "what has not begun yet takes its time"
    assert 0.7 * now.left_s < late.left_s < now.left_s


ON = ("stopping.rung=0.3", "stopping.eta=2", "budget.trials=40")


def test_early_stopping_is_part_of_it():
    """Each trial comes to its rung; of the later ones about a third ends there, and the rest trains what is left."""
    plain, found = (forecast(recipe_of("budget.trials=40", *more)).expected(SearchState()) for more in ((), ON))
    assert found.stages["rung"] == (40, 40)
    assert found.stages["finetune"] == found.stages["evaluate"] == (40 - 14, 40 - 14)
    assert found.stages["dense"] == plain.stages["dense"]
    assert 0.5 * plain.left.cpu_s < found.left.cpu_s < plain.left.cpu_s


def of_trials(n, pruned):
    """Ended trials with a rung after three of ten epochs; every stage takes ten times as long as guessed."""
    recipe, state = recipe_of(*ON), SearchState()
    for number, point in enumerate(draw_points(recipe, n)):
        row = row_of(recipe.at(point), "bank", DIGITS, held_by(recipe, TWO), 3)
        row = row[:3] if number in pruned else row
        uses = tuple(StageUse(w.stage, w.key, False, 10 * w.seconds, 0.0, 10 * w.seconds, 1.0, 0.0) for w in row)
        outcome = "pruned" if number in pruned else "complete"
        state.trials[number] = TrialRecord(number, point, outcome, stages=uses, rung_epochs=(3, 10), known=number)
    return recipe, state


def test_times_at_the_rung_and_behind_it_count_as_what_they_are():
    recipe, state = of_trials(12, {8, 10})
    times = forecast(recipe)._times(list(state.trials.values()))
    assert set(times.ratios) == {"dense", "assign", "rung", "finetune", "evaluate"}
    assert list(times.ratios.values()) == pytest.approx([10.0] * 5)
    assert StageTimes({"finetune": 3.0}).seconds("rung", 2.0) == 6.0, "a rung that was never timed is fine-tuning"
