"""From the poorest features there are, few classes, few images, few or equal features, to a program that is solved."""

import json

import numpy as np
import pytest

from tests.qpm.program.brute import brute_force
from tuner.errors import InfeasibleError, UsageError
from tuner.qpm.program import solve
from tuner.qpm.program.instance import coefficients
from tuner.qpm.program.instance.coefficients import locality_bias, penalised_pairs, problem_from_features, similarity
from tuner.qpm.program.instance.threshold import find_threshold

KINDS = ("plain", "counts", "equal", "dead", "tiny", "huge", "offset", "sparse", "class absent", "noise on a constant")


def draw(kind: str, seed: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Features, labels and number of classes."""
    rng = np.random.default_rng([KINDS.index(kind), seed])
    n_images, n, n_classes = int(rng.integers(1, 16)), int(rng.integers(1, 9)), int(rng.integers(1, 5))
    x, labels = np.abs(rng.normal(size=(n_images, n))), rng.integers(0, n_classes, n_images)
    if kind == "class absent":
        n_classes += 1
    changed = {
        "counts": np.round(x),
        "equal": np.repeat(x[:, :1], n, axis=1),
        "dead": x * (rng.random(n) < 0.6),
        "tiny": x * 1e-9,
        "huge": x * 1e200,
        "offset": x + 1e6,
        "sparse": (rng.random(x.shape) < 0.3).astype(float),
        "noise on a constant": 1.0 + 1e-15 * x,
    }
    return changed.get(kind, x), labels, n_classes


@pytest.mark.parametrize("variant", coefficients.VARIANTS)
@pytest.mark.parametrize("kind", KINDS)
def test_poor_features_become_a_program_that_is_solved(kind: str, variant: str) -> None:
    solved = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        x, labels, n_classes = draw(kind, seed)
        n_features = int(rng.integers(1, max(int((np.ptp(x, axis=0) > 0).sum()), 1) + 1))
        k = int(rng.integers(1, n_features + 1))
        peak = np.full(x.shape, 0.25) if seed % 2 else rng.random(x.shape)
        bias = locality_bias(x, peak, rng.random(x.shape) < seed / 10)
        assert np.isfinite(bias).all()
        try:
            problem, _, info = problem_from_features(
                x, labels, n_classes=n_classes, n_features=n_features, features_per_class=k, variant=variant, bias=bias
            )
        except InfeasibleError:
            continue
        json.dumps(info, allow_nan=False)
        assert (problem.pairs[2] >= 0).all()
        assert problem.pairs[2].max(initial=0.0) <= 1.0
        assert info["n_pairs"] == len(problem.pairs[0])
        best, solution = brute_force(problem), solve(problem)
        slack = 1e-6 * max(abs(best), 1e-6 * problem.size)
        assert solution.status == "optimal"
        assert solution.objective >= best - slack
        assert solution.bound >= best - slack
        solved += 1
    assert solved or kind == "noise on a constant"


@pytest.mark.parametrize("variant", coefficients.VARIANTS)
def test_two_classes_have_two_kinds_of_features(variant: str) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    x = rng.random((60, 9)) + np.outer(labels, [1, 1, 1, 1, 1, -1, -1, -1, -1])
    problem = problem_from_features(x, labels, n_features=4, features_per_class=2, variant=variant).problem
    assert set(np.unique(similarity(problem.relevance))) == {-1.0, 0.0, 1.0}
    assert set(problem.pairs[2].tolist()) <= {0.0, 1.0}, "rounding decides what a pair costs"
    kinds = problem.relevance[:, 0] > 0
    alike = {(i, j) for i in range(9) for j in range(i) if kinds[i] == kinds[j]}
    charged = {(j, i) for i, j, weight in zip(*(side.tolist() for side in problem.pairs), strict=True) if weight > 0}
    assert charged in (set(), alike)


def test_where_most_pairs_have_no_similarity_the_least_similar_is_the_threshold() -> None:
    a = np.eye(8)
    a[1] = a[0] + 0.5 * a[1]
    a[3] = a[2] + 0.9 * a[3]
    (i, j, weight), info = penalised_pairs(a, 5, "paper")
    cosine = similarity(a)
    assert set(zip(i.tolist(), j.tolist(), strict=True)) == {(0, 1), (2, 3)}
    assert info["threshold"] == min(cosine[0, 1], cosine[2, 3]) > 0
    assert sorted(weight.tolist()) == [0.0, 1.0]
    assert info["clique_size"] >= 5
    inside = set(info["clique"])
    assert not inside >= {0, 1}
    assert not inside >= {2, 3}


@pytest.mark.parametrize("variant", coefficients.VARIANTS)
@pytest.mark.parametrize("n_features", [1, 2, 3, 6])
def test_no_similarity_at_all_costs_nothing(variant: str, n_features: int) -> None:
    for a in (np.eye(6), np.zeros((6, 3))):
        (i, _, _), info = penalised_pairs(a, n_features, variant)
        assert len(i) == info["n_pairs"] == 0
        assert info["clique_size"] >= n_features
        json.dumps(info, allow_nan=False)


@pytest.mark.parametrize("n", [3, 4, 7])
def test_all_candidates_at_once_have_a_threshold(n: int) -> None:
    rng = np.random.default_rng(n)
    found = find_threshold(similarity(rng.normal(size=(n, 4))), n)
    assert np.isfinite(found.value)


def test_the_size_of_huge_features_does_not_matter() -> None:
    x, labels, n_classes = draw("plain", 4)
    first, second = (
        problem_from_features(x * 2.0**e, labels, n_classes=n_classes, n_features=2, features_per_class=1).problem
        for e in (0, 900)
    )
    assert np.array_equal(first.relevance, second.relevance)


def test_maps_that_are_all_alike_have_no_bias() -> None:
    x = np.full((10, 6), 0.3)
    assert not locality_bias(x, np.full(x.shape, 1 / 49), np.zeros(x.shape, dtype=bool)).any()
    noisy = x * (1 + 1e-15 * np.random.default_rng(0).normal(size=x.shape))
    assert not locality_bias(noisy, np.full(x.shape, 1 / 49), np.zeros(x.shape, dtype=bool)).any()


@pytest.mark.parametrize(
    ("labels", "words"), [(np.zeros(0, int), "no images"), (np.array([0.5, 1.0]), "float64"), (np.array([0, -1]), "-1")]
)
def test_labels_that_are_none_are_refused(labels: np.ndarray, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        problem_from_features(
            np.random.default_rng(0).random((len(labels), 4)), labels, n_features=2, features_per_class=1
        )
