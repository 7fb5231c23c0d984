"""The pair threshold: the tightest similarity bound at which a heuristic still finds N features pairwise below it.

docs/explanation/program.md#pair-threshold, with t = N as the clique size. A walk tightens the bound while a greedy
search finds a clique of more
than t vertices in the graph of pairs below it; a second walk loosens it until Ramsey's clique removal really returns
t vertices. Vertex sets are Python integers, one bit a vertex, so a walk of 100 graphs takes a fraction of a second.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256
from math import floor

import numpy as np

from tuner.qpm.program.instance.arrays import Bools, Floats, Ints

_STEPS = 100
_CACHE_SIZE = 64
_cache: OrderedDict[tuple[bytes, int], Threshold] = OrderedDict()


@dataclass(frozen=True)
class Threshold:
    """The bound found on the symmetric similarity S.

    Args:
        value: pairs with S < value are compatible; inf where all are.
        clique: (m,) compatible candidates found there, m >= t unless no graph of the walk gave one.
        step: position in the walk, 0 = Turan's bound, 99 = tightest.
    """

    value: float
    clique: Ints
    step: int


def find_threshold(similarity: Floats, t: int) -> Threshold:
    """Scan for the threshold of a symmetric similarity; the last 64 answers are remembered.

    Args:
        similarity: (n, n) symmetric S, zero diagonal.
        t: clique size asked for, n_features.
    """
    similarity = np.ascontiguousarray(similarity, dtype=np.float64)
    key = sha256(similarity.tobytes()).digest(), t
    if key not in _cache:
        _cache[key] = _scan(similarity, t)
        while len(_cache) > _CACHE_SIZE:
            _cache.popitem(last=False)
    return _cache[key]


def _scan(similarity: Floats, t: int) -> Threshold:
    n = len(similarity)
    if t < 3:  # Turan's bound needs three: fewer features are compatible wherever they are least similar
        return _fewest(similarity, t)
    bounds = _walk(np.sort(similarity, axis=None), n, t)
    last, n_edges = len(bounds) - 1, -1
    for i, bound in enumerate(bounds):
        graph = _below(similarity, bound)
        if int(graph.sum()) == n_edges:
            continue
        n_edges = int(graph.sum())
        size = greedy_clique_size(graph, t)
        if size <= t:
            last = i if size == t else max(i - 1, 0)
            break
    clique = np.zeros(0, dtype=np.int64)
    for i in range(last, -1, -1):
        clique = ramsey_clique(_below(similarity, bounds[i]), t)
        if len(clique) >= t or i == 0:
            return Threshold(bounds[i], clique, i)
    raise AssertionError("the walk ends at step 0")


def _walk(entries: Floats, n: int, t: int) -> list[float]:
    """The bounds to try, loosest first: from Turan's index down to as many entries as are zero.

    Where more are zero than Turan asks for (clamped similarities of few classes), there is nothing to walk: pairs with
    no similarity are compatible by themselves, so the least that is above zero is the one bound; none at all if all
    entries are zero.
    """
    start, zeros = n * n * (t - 2) / (t - 1), int((entries == 0).sum())
    if entries[0] >= 0 and start < zeros:
        return [float(entries[zeros]) if zeros < len(entries) else float("inf")]
    step = max(start - zeros, 0.0) / _STEPS
    return [float(entries[max(floor(start) - int(i * step), 0)]) for i in range(_STEPS)]


def _fewest(similarity: Floats, t: int) -> Threshold:
    """One feature conflicts with nothing; two are best taken from the least similar pair."""
    apart = similarity + np.diag(np.full(len(similarity), np.inf))
    if t == 1 or len(similarity) < 2:
        return Threshold(float("inf"), np.arange(min(t, len(similarity))), 0)
    i, j = np.unravel_index(int(apart.argmin()), apart.shape)
    return Threshold(float(np.nextafter(apart[i, j], np.inf)), np.sort(np.array([i, j], dtype=np.int64)), 0)


def _below(similarity: Floats, bound: float) -> Bools:
    graph = similarity < bound
    np.fill_diagonal(graph, False)
    return graph


def _bitsets(graph: Bools) -> list[int]:
    """Each row as an integer, bit v = neighbour v."""
    packed = np.packbits(graph, axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in packed]


def greedy_clique_size(graph: Bools, t: int) -> int:
    """Size of the first greedy clique of at least t vertices, else of the largest.

    From each vertex of degree >= t, repeatedly take the candidate of largest degree (lowest index among equals).

    Args:
        graph: (n, n) symmetric adjacency without loops.
        t: size that ends the search.
    """
    degree = graph.sum(axis=1)
    by_degree = np.argsort(-degree, kind="stable")
    neighbours = _bitsets(graph[np.ix_(by_degree, by_degree)])
    best = 0
    for start in np.argsort(by_degree)[degree >= t].tolist():  # in the order of the original indices
        candidates, size = neighbours[start], 1
        while candidates:
            candidates &= neighbours[(candidates & -candidates).bit_length() - 1]
            size += 1
        best = max(best, size)
        if best >= t:
            break
    return best


def ramsey_clique(graph: Bools, t: int) -> Ints:
    """A large clique by clique removal with Ramsey's recursion on the complement (Boppana and Halldorsson).

    Args:
        graph: (n, n) symmetric adjacency without loops.
        t: a clique of t vertices ends the search.
    """
    conflict = ~graph
    np.fill_diagonal(conflict, False)
    neighbours = _bitsets(conflict)
    left, best = (1 << len(graph)) - 1, 0
    while left.bit_count() > best.bit_count():
        removed, independent = _ramsey(neighbours, left)
        if independent.bit_count() > best.bit_count():
            best = independent
        if best.bit_count() >= t:
            break
        left &= ~removed
    return np.array([v for v in range(len(graph)) if best >> v & 1], dtype=np.int64)


def _ramsey(neighbours: list[int], vertices: int) -> tuple[int, int]:
    """(clique, independent set) of the induced graph: R(G) = the larger of v + R(neighbours) and R(the others).

    The recursion on neighbours and others of the lowest vertex, unrolled over a stack.
    """
    results: list[tuple[int, int]] = []
    todo: list[tuple[int, int]] = [(vertices, -1)]
    while todo:
        current, vertex = todo.pop()
        if vertex >= 0:
            others_clique, others_free = results.pop()
            near_clique, near_free = results.pop()
            near_clique |= 1 << vertex
            others_free |= 1 << vertex
            results.append(
                (
                    near_clique if near_clique.bit_count() >= others_clique.bit_count() else others_clique,
                    near_free if near_free.bit_count() >= others_free.bit_count() else others_free,
                )
            )
        elif not current:
            results.append((0, 0))
        else:
            lowest = (current & -current).bit_length() - 1
            rest = current & ~(1 << lowest)
            todo += [(0, lowest), (rest & ~neighbours[lowest], -1), (rest & neighbours[lowest], -1)]
    return results[0]
