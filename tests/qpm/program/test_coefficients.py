"""A, R, P, b from features and labels: against definitions, and the threshold scan against its slow walk."""

from math import floor

import numpy as np
import pytest

from tuner.errors import InfeasibleError, UsageError
from tuner.qpm.program import problem_from_features
from tuner.qpm.program.instance import coefficients
from tuner.qpm.program.instance.threshold import find_threshold


def slow_scan(similarity: np.ndarray, t: int) -> float | None:
    """docs/explanation/program.md#pair-threshold by the letter with sets and loops; None where no graph of the walk
    has the clique."""
    n = len(similarity)
    entries = np.sort(similarity.ravel())
    start = n * n * (t - 2) / (t - 1)
    step = (start - (entries == 0).sum()) / 100
    bounds = [entries[floor(start) - int(i * step)] for i in range(100)]

    def graph(bound: float) -> list[set[int]]:
        return [{v for v in range(n) if v != u and similarity[u, v] < bound} for u in range(n)]

    def greedy(near: list[set[int]]) -> int:
        best = 0
        for start_at in range(n):
            if len(near[start_at]) < t:
                continue
            left, size = set(near[start_at]), 1
            while left:
                pick = min(left, key=lambda v: (-len(near[v]), v))
                left &= near[pick]
                size += 1
            best = max(best, size)
            if best >= t:
                return best
        return best

    def ramsey(near: list[set[int]], vertices: set[int]) -> tuple[set[int], set[int]]:
        if not vertices:
            return set(), set()
        v = min(vertices)
        c1, i1 = ramsey(near, vertices & near[v])
        c2, i2 = ramsey(near, vertices - near[v] - {v})
        return max(c1 | {v}, c2, key=len), max(i1, i2 | {v}, key=len)

    def clique(near: list[set[int]]) -> int:
        far = [set(range(n)) - near[u] - {u} for u in range(n)]
        left, best = set(range(n)), 0
        while left:
            removed, independent = ramsey(far, left)
            best = max(best, len(independent))
            if best >= t:
                return best
            left -= removed
        return best

    last, edges = 99, -1
    for i, bound in enumerate(bounds):
        near = graph(bound)
        if sum(map(len, near)) == edges:
            continue
        edges = sum(map(len, near))
        size = greedy(near)
        if size <= t:
            last = i if size == t else max(i - 1, 0)
            break
    for i in range(last, -1, -1):
        if clique(graph(bounds[i])) >= t:
            return float(bounds[i])
    return None


@pytest.mark.parametrize("variant", coefficients.VARIANTS)
def test_threshold_equals_the_slow_walk(variant: str) -> None:
    defined = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        n, t = int(rng.integers(12, 40)), int(rng.integers(3, 10))
        r = coefficients.similarity(rng.normal(size=(n, 12)) + rng.random(12))
        directed = np.triu(np.maximum(r, 0), 1) if variant == "paper" else r
        s = directed + directed.T
        slow = slow_scan(s, t)
        if slow is not None:
            assert find_threshold(s, t).value == slow
            defined += 1
    assert defined >= 8


@pytest.mark.parametrize("variant", coefficients.VARIANTS)
def test_pairs_follow_the_definition_and_the_clique_is_compatible(variant: str) -> None:
    rng = np.random.default_rng(5)
    a = rng.normal(size=(60, 9)) + rng.random(9)
    (i, j, weight), info = coefficients.penalised_pairs(a, 12, variant)
    r = coefficients.similarity(a)
    used = np.maximum(r, 0) if variant == "paper" else r
    expected = {(p, q) for p in range(60) for q in range(p + 1, 60) if used[p, q] >= info["threshold"]}
    assert set(zip(i.tolist(), j.tolist(), strict=True)) == expected
    assert len(expected) == info["n_pairs"] > 0
    nonzero = used[np.triu_indices(60, 1)]
    nonzero = nonzero[nonzero != 0]
    assert np.allclose(weight, (used[i, j] - nonzero.min()) / (nonzero.max() - nonzero.min()))
    assert info["clique_size"] >= 12
    inside = {(p, q) for p in info["clique"] for q in info["clique"] if p < q}
    assert not inside & expected


@pytest.mark.parametrize("n_features", [1, 2])
def test_one_and_two_features_have_a_threshold_too(n_features: int) -> None:
    a = np.random.default_rng(0).normal(size=(20, 5))
    _, info = coefficients.penalised_pairs(a, n_features)
    assert info["clique_size"] == n_features


def test_the_clique_size_is_n_features_not_fifty() -> None:
    a = np.random.default_rng(1).random(size=(150, 30))
    sizes = [coefficients.penalised_pairs(a, n, "paper")[1]["n_pairs"] for n in (10, 30, 60)]
    assert sizes[0] > sizes[1] > sizes[2]


def features(n_images: int = 120, n: int = 20, n_classes: int = 6) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    labels = np.arange(n_images) % n_classes
    x = np.maximum(rng.normal(size=(n_images, n)) + 2 * rng.random((n_classes, n))[labels], 0)
    return x, labels


def test_relevance_is_the_scaled_correlation() -> None:
    x, labels = features()
    a = coefficients.relevance(x, labels, 6)
    expected = np.array([[np.corrcoef(x[:, j], labels == c)[0, 1] for c in range(6)] for j in range(x.shape[1])])
    assert np.allclose(a, expected / np.abs(expected).max())


def test_dead_features_are_dropped_and_kept_points_at_columns() -> None:
    x, labels = features()
    x[:, 4] = 0.0
    x[:, 11] = 3.5
    bias = np.arange(20.0)
    problem, kept, info = coefficients.problem_from_features(x, labels, n_features=8, features_per_class=3, bias=bias)
    assert info["n_dead"] == 2
    assert kept.tolist() == [j for j in range(20) if j not in (4, 11)]
    assert problem.linear.tolist() == kept.tolist()
    assert problem.n_features == 8
    with pytest.raises(InfeasibleError):
        coefficients.problem_from_features(x, labels, n_features=19, features_per_class=3)


@pytest.mark.parametrize("break_it", ["nan", "label", "shape", "variant"])
def test_bad_features_are_refused(break_it: str) -> None:
    x, labels = features()
    variant = "released"
    if break_it == "nan":
        x[3, 2] = np.nan
    if break_it == "label":
        labels[0] = 6
    if break_it == "shape":
        labels = labels[:-1]
    if break_it == "variant":
        variant = "printed"
    with pytest.raises(UsageError):
        coefficients.problem_from_features(x, labels, n_classes=6, n_features=8, features_per_class=3, variant=variant)


def test_locality_bias_prefers_features_that_look_at_one_place() -> None:
    x, _ = features()
    rng = np.random.default_rng(0)
    peak = np.full_like(x, 0.1)
    peak[:, :5] = 0.6
    border = np.zeros(x.shape, dtype=bool)
    border[:, 10:] = rng.random((len(x), 10)) < 0.9
    b = coefficients.locality_bias(x, peak, border)
    assert b.shape == (20,)
    assert np.abs(b).max() == pytest.approx(0.1 * 10**0.5)
    assert b[:5].mean() > b[5:].mean()
    assert np.isfinite(coefficients.locality_bias(np.zeros_like(x), peak, border)).all()


def test_the_scan_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    from tuner.qpm.program.instance import threshold

    s = coefficients.similarity(np.random.default_rng(9).normal(size=(30, 8)))
    first = find_threshold(2 * s, 5)
    monkeypatch.setattr(threshold, "_scan", lambda *_: pytest.fail("scanned twice"))
    assert find_threshold(2 * s, 5) is first


@pytest.mark.parametrize("size", ["n_features", "features_per_class", "forced_pairs"])
@pytest.mark.parametrize("value", [2.0, True, "2"])
def test_a_size_that_is_no_whole_number_is_refused(size: str, value: object) -> None:
    rng = np.random.default_rng(0)
    sizes = {"n_features": 5, "features_per_class": 2, "forced_pairs": 1, size: value}
    with pytest.raises(UsageError, match=f"{size} = "):
        problem_from_features(rng.random((20, 8)), np.arange(20) % 4, **sizes)  # type: ignore[arg-type]
