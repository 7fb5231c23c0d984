"""Error bars of a front: statistics of made-up runs whose answer is known."""

import math

import numpy as np
import pytest

from tuner.base.metric import METRICS
from tuner.front import bootstrap, uncertainty
from tuner.front.bootstrap import Run, geometric_mean
from tuner.front.confirmation import SURE, ErrorBars, weigh
from tuner.front.pareto import Objective

ACCURACY = Objective("accuracy", "max", 0.0, 100.0)
SIZE = Objective("n_features", "min", 0.0, 50.0, unit="")


def runs(*values, seeds=None, images=None, **more):
    """Runs with these accuracies, of seeds 1, 2, ..."""
    seeds = seeds or range(1, len(values) + 1)
    return [Run(s, 0, {"accuracy": v, **more}, images or {}) for s, v in zip(seeds, values, strict=True)]


def bars(confirmed, objectives=(ACCURACY,), **options):
    searched = {member: runs(99.0, seeds=[0], n_features=10.0)[0] for member in confirmed}
    return weigh(searched, confirmed, objectives, **options)


def test_mean_deviation_and_number_are_those_of_the_confirmation_runs_not_of_the_selected_one():
    found = bars({3: runs(80.0, 84.0, 88.0, n_features=10.0)})[3]
    assert found.runs == 3
    assert found.mean["accuracy"] == 84.0
    assert found.deviation["accuracy"] == 4.0
    assert found.error["accuracy"] == pytest.approx(4.0 / math.sqrt(3), rel=0.08)
    assert found.shown({"accuracy": 99.0, "sid5": 1.0}) == {"accuracy": 84.0, "sid5": 1.0, "n_features": 10.0}


def test_a_member_dominated_in_every_seed_is_not_on_the_front():
    found = bars({0: runs(80.0, 81.0, 82.0, 83.0), 1: runs(78.0, 79.0, 80.0, 81.0)})
    assert (found[0].probability, found[1].probability) == (1.0, 0.0)
    assert found[0].beyond_noise
    assert not found[1].beyond_noise


def test_what_makes_all_members_worse_at_once_says_nothing_about_which_is_better():
    luck = [0.0, 9.0, -7.0, 4.0]  # far larger than the difference
    found = bars({0: runs(*(80.5 + x for x in luck)), 1: runs(*(80.0 + x for x in luck))})
    assert found[0].probability == 1.0
    apart = bars({0: runs(*(80.5 + x for x in luck)), 1: runs(*(80.0 + x for x in luck), seeds=[5, 6, 7, 8])})
    assert 0.3 < apart[0].probability < 0.7  # of different seeds: not comparable run by run


def test_members_alike_have_even_chances():
    rng = np.random.default_rng(0)
    shares = []
    for draw in range(40):
        a, b = (runs(*(80 + rng.standard_normal(6))) for _ in range(2))
        found = bars({0: a, 1: b}, draws=200, seed=draw)
        assert found[0].probability + found[1].probability == pytest.approx(1.0, abs=0.02)
        shares.append(found[0].probability)
    assert np.mean(shares) == pytest.approx(0.5, abs=0.12)


def test_equal_members_do_not_dominate_each_other():
    same = runs(80.0, 82.0)
    assert [e.probability for e in bars({0: same, 1: same}).values()] == [1.0, 1.0]


def test_a_member_best_in_an_objective_without_noise_stays():
    confirmed = {0: runs(80.0, 70.0, n_features=5.0), 1: runs(90.0, 91.0, n_features=10.0)}
    assert [e.probability for e in bars(confirmed, (ACCURACY, SIZE)).values()] == [1.0, 1.0]


def test_the_error_of_a_mean_over_seeds_is_not_too_small():
    """Of many fronts of noise, the bootstrap's error agrees with the deviation of the means."""
    rng = np.random.default_rng(1)
    tables = 80 + 2 * rng.standard_normal((150, 4))
    errors = [bars({0: runs(*table)}, draws=300)[0].error["accuracy"] for table in tables]
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(tables.mean(axis=1).std(), rel=0.12)


def test_without_confirmation_the_error_is_that_of_the_images():
    images = np.repeat([0.0, 100.0], [50, 150]).astype(np.float32)
    drawn = runs(75.0, images={"accuracy": images}, n_images=200.0)[0]
    found = weigh({0: drawn}, {}, [ACCURACY])[0]
    assert (found.runs, found.probability, found.mean) == (0, None, {})
    assert not found.beyond_noise
    assert found.error["accuracy"] == pytest.approx(uncertainty.standard_error(75.0, 200), rel=0.08)
    binomial = weigh({0: Run(0, 0, {"accuracy": 75.0, "n_images": 200.0})}, {}, [ACCURACY])[0]
    assert binomial.error["accuracy"] == pytest.approx(uncertainty.standard_error(75.0, 200), rel=0.08)


def test_a_metric_that_is_no_share_has_an_error_from_its_images_where_it_applies():
    values = np.random.default_rng(2).normal(60, 10, 400).astype(np.float32)
    values[:300] = np.nan  # no mask
    mean = float(np.nanmean(values))
    found = weigh({0: Run(0, 0, {"plausibility": mean}, {"plausibility": values})}, {}, [ACCURACY])[0]
    assert found.error["plausibility"] == pytest.approx(np.nanstd(values) / 10, rel=0.1)


def test_images_are_the_same_for_all_members():
    """One member is half a point better on every image: however hard the images drawn are, it is better."""
    hard = np.random.default_rng(3).normal(60, 20, 100).astype(np.float32)
    made = {
        member: [Run(s, 0, {"plausibility": float(x.mean())}, {"plausibility": x}) for s in (1, 2)]
        for member, x in enumerate((hard, hard + 0.5))
    }
    objective = Objective("plausibility", "max", 0.0, 100.0)
    found = weigh({m: made[m][0] for m in made}, made, [objective])
    assert (found[0].probability, found[1].probability) == (0.0, 1.0)
    assert found[0].error["plausibility"] > 1.0


def test_a_composite_metric_varies_with_its_parts():
    values = {"plausibility_undilated": 40.0, "class_independence": 90.0, "contrastiveness": 99.0}
    metric = METRICS["interpretability"]
    whole = metric.of(values)
    assert float(geometric_mean([np.float64(v) for v in values.values()])) == pytest.approx(whole)
    single = np.random.default_rng(4).normal(40, 12, 225).astype(np.float32)
    run = Run(0, 0, {**values, "interpretability": whole}, {"plausibility_undilated": single})
    found = weigh({0: run}, {}, [Objective("interpretability", "max", 0.0, 100.0)])[0]
    slope = whole / 3 / 40.0
    assert found.error["interpretability"] == pytest.approx(slope * single.std() / 15, rel=0.15)


def test_one_run_is_no_evidence_of_noise_and_lacking_metrics_are_left_out():
    found = bars({0: runs(80.0), 1: runs(70.0, 71.0)})
    assert (found[0].runs, found[0].probability, found[0].deviation) == (1, None, {})
    other = weigh({0: runs(80.0)[0]}, {0: runs(80.0, 81.0)}, [Objective("sid5", "max", 0.0, 100.0)])[0]
    assert other.probability is None
    assert "sid5" not in other.error


def test_members_without_runs_are_expected_to_lose_what_the_others_lost_and_to_be_as_noisy():
    confirmed = {0: runs(80.0, 81.0, 82.0, 83.0), 1: runs(70.0, 71.0, 72.0, 73.0)}
    searched = {0: runs(91.5)[0], 1: runs(81.5)[0]}  # ten points too good, all of them
    beside = {2: runs(91.5)[0], 3: runs(60.0)[0]}
    found = weigh(searched | beside, confirmed, [ACCURACY])
    assert 0.3 < found[0].probability < 0.7  # as good as member 2 will turn out to be
    assert found[1].probability == 0.0
    assert (found[2].probability, found[2].runs, found[2].mean) == (None, 0, {})
    alone = weigh({0: searched[0]}, {0: confirmed[0]}, [ACCURACY])
    assert alone[0].probability == 1.0
    close = weigh({0: searched[0]}, {0: confirmed[0]}, [ACCURACY], {5: runs(91.0)[0], 6: runs(60.0)[0]})
    assert 0.5 < close[0].probability < 0.95  # a trial just behind the front may be better


def test_the_draws_follow_from_the_seed_alone():
    confirmed = {0: runs(80.0, 84.0, 79.0), 1: runs(81.0, 80.0, 83.0)}
    assert bars(confirmed) == bars(dict(reversed(confirmed.items())))
    assert bars(confirmed, seed=1) != bars(confirmed)


def test_sure_is_the_usual_level():
    assert SURE == 0.95
    assert ErrorBars(runs=4, probability=0.95).beyond_noise
    assert not ErrorBars(runs=4, probability=0.94).beyond_noise
    assert bootstrap.DRAWS >= 1000
