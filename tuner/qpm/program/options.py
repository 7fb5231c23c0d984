"""The options of a solve: length of the heuristics, use of cuts, growth of the tree.

The defaults are tuned on published instances, and an answer repeats only under the same options. They change how soon
a gap is proven, never whether an answer or a bound is right. Limits of work and time are arguments of `solve` itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from numbers import Integral, Real
from typing import Any

from tuner.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class SolverOptions:
    """Options of `solve`; checked when made, never changed. Shares and gaps are fractions, not percent.

    Args:
        starts: tabu searches, the first from the greedy selection, the others from greedy selections with noise.
        noise: standard deviation of that noise, as a share of the mean value of a candidate.
        patience: swaps without a better selection after which a tabu search ends; 0: descent only.
        return_tenure: least and most swaps for which a feature that left may not come back.
        leave_tenure: least and most swaps for which a feature that came may not leave.
        swap_work: work of all starts together, swaps x candidates x classes: some seconds, so that the root gets its
            turn.
        fewest_swaps: swaps that the starts may make in any case.
        exact_swaps: swaps by value with distinct rows that are tried before a selection counts as locally optimal.
        perturb_above: relative gap after the root above which the incumbent is perturbed and searched again.
        perturbations: how often.
        perturbed_share: features of the incumbent that a perturbation draws out, as a share of all.
        class_value_tolerance: violation from which a class-value cut is added at the root, in units of relevance.
        pair_tolerance: likewise for a pair of candidates, in units of a binary variable.
        clique_violation: likewise for a clique at the root, in units of a binary variable.
        node_clique_violation: likewise at the nodes of the tree.
        root_cliques: most clique cuts in a round at the root.
        node_cliques: most clique cuts in a round at a node.
        largest_clique_rank: largest t of the clique inequalities t s(K) - y(K) <= t (t + 1) / 2.
        cliques_below: clique cuts wait until the class values are off by less than this share of the gap.
        round_gain: the root ends when a round with clique cuts closes less than this share of the gap.
        start_mixes: the first class-value cuts are tight at these mixes of the incumbent and the uniform point.
        purge_after: solves with a dual of zero after which a row of the root is dropped.
        node_class_share: a class at a node whose value is off by less than this share of the open gap, split evenly
            over the classes, is left for later.
        bucket_ratio: of the bounds between which nodes count as equally urgent, as a share of the open gap.
        polish_every: rounds of separation between two roundings of a node's point.
        level: gap that the next tree is to prove, as a share of the present gap.
        last_level: relative gap below which the tree goes for the target gap at once.
        level_growth: nodes of a tree, as a multiple of those of the one before, below which it goes there at once.
        small_tree: nodes up to which a tree does not count for that.
        explicit_size: candidates x (classes + forced pairs) up to which a program with forced pairs is solved as a
            whole; beyond, the selection found without them gets its best rows.
        scip: further parameters of SCIP for the tree, by their names there.

    Raises:
        UsageError: naming the option that is out of range.
    """

    starts: int = 3
    noise: float = 0.15
    patience: int = 150
    return_tenure: tuple[int, int] = (8, 12)
    leave_tenure: tuple[int, int] = (4, 7)
    swap_work: float = 4e8
    fewest_swaps: int = 100
    exact_swaps: int = 60
    perturb_above: float = 5e-3
    perturbations: int = 5
    perturbed_share: float = 0.2
    class_value_tolerance: float = 1e-6
    pair_tolerance: float = 1e-5
    clique_violation: float = 0.02
    node_clique_violation: float = 0.1
    root_cliques: int = 1000
    node_cliques: int = 100
    largest_clique_rank: int = 6
    cliques_below: float = 0.3
    round_gain: float = 2e-4
    start_mixes: tuple[float, ...] = (0.2, 0.4, 0.6)
    purge_after: int = 3
    node_class_share: float = 0.3
    bucket_ratio: float = 0.9
    polish_every: int = 10
    level: float = 0.55
    last_level: float = 1e-3
    level_growth: float = 1.5
    small_tree: int = 30
    explicit_size: int = 10_000
    scip: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in _COUNTS:
            _require(_is_whole(value := getattr(self, name)), name, value, "a whole number >= 0")
        for name in _FROM_ONE:
            value = getattr(self, name)
            _require(_is_whole(value) and value > 0, name, value, "a whole number >= 1")
        for name in _AMOUNTS:
            _require(_is_amount(value := getattr(self, name)), name, value, "a finite number >= 0")
        for name in _SHARES:
            value = getattr(self, name)
            _require(_is_amount(value) and 0.0 < value < 1.0, name, value, "a number between 0 and 1, both excluded")
        for name in ("return_tenure", "leave_tenure"):
            value = getattr(self, name)
            pair = isinstance(value, tuple) and len(value) == 2 and all(map(_is_whole, value))
            _require(pair and value[0] <= value[1], name, value, "two whole numbers >= 0, the smaller first")
        mixes = isinstance(self.start_mixes, tuple) and all(_is_amount(m) and m <= 1.0 for m in self.start_mixes)
        _require(mixes, "start_mixes", self.start_mixes, "numbers from 0 to 1")
        named = isinstance(self.scip, Mapping) and all(isinstance(name, str) for name in self.scip)
        _require(named, "scip", self.scip, "a mapping from names of SCIP's parameters to values")


_COUNTS = (
    "starts", "patience", "fewest_swaps", "exact_swaps", "perturbations", "root_cliques", "node_cliques", "small_tree",
    "explicit_size",
)  # fmt: skip
_FROM_ONE = ("largest_clique_rank", "purge_after", "polish_every")
_AMOUNTS = (
    "noise", "swap_work", "perturb_above", "class_value_tolerance", "pair_tolerance", "clique_violation",
    "node_clique_violation", "cliques_below", "round_gain", "node_class_share", "last_level", "level_growth",
)  # fmt: skip
_SHARES = ("perturbed_share", "bucket_ratio", "level")


def _is_whole(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 0


def _is_amount(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and isfinite(value) and float(value) >= 0.0


def _require(holds: bool, name: str, value: object, expected: str) -> None:
    if not holds:
        raise UsageError(f"option {name} = {value!r}", expected, "leave it out for its default")


DEFAULTS = SolverOptions()
