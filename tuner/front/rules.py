"""What a person asks of a model: limits and distances that leave some trials, then one rule that takes one of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from tuner.errors import UsageError
from tuner.front import words
from tuner.front.aspiration import pick_by_aspiration
from tuner.front.by_number import pick_trial
from tuner.front.choice import Rule
from tuner.front.knee import pick_knee
from tuner.front.lexicographic import pick_in_order
from tuner.front.limits import Limit
from tuner.front.near_best import pick_within
from tuner.front.weighted import pick_by_weights


@dataclass(frozen=True)
class Rules:
    """The rules of a pick, combined: limits, then distances, then at most one of the last five.

    Attributes:
        at_most: parameters or values -> the largest number allowed.
        at_least: parameters or values -> the smallest number allowed.
        within: objectives -> allowed distance from the best value, in the metric's unit.
        trial: this trial.
        knee: the best trade-off; the default, unless there are distances, within which the best in the other
            objectives is taken.
        aspire: objectives -> the value that is aspired to; what comes closest.
        weights: every objective -> its weight in a sum of objectives scaled by their natural range.
        order: objectives by importance: the best in the first, among equals the best in the next.
    """

    at_most: Mapping[str, float] = field(default_factory=dict)
    at_least: Mapping[str, float] = field(default_factory=dict)
    within: Mapping[str, float] = field(default_factory=dict)
    trial: int | None = None
    knee: bool = False
    aspire: Mapping[str, float] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    order: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Refuse two rules that each take one, and limits that exclude each other.

        Raises:
            UsageError: naming them.
        """
        given = self._takers()
        if len(given) > 1:
            raise UsageError(
                f"{words.listing(given)} are {len(given)} rules that each take one trial",
                "any number of limits and distances, and at most one of trial, knee, aspire, weights and order",
                "keep one of them",
            )
        for name in self.at_most:
            if name in self.at_least and self.at_least[name] > self.at_most[name]:
                raise UsageError(
                    f"{name} at least {self.at_least[name]:g} and at most {self.at_most[name]:g}",
                    "a lower limit that is not above the upper one",
                    "change one of them, or leave one out",
                )

    @property
    def given(self) -> bool:
        """Whether there is any rule."""
        return self.narrows or bool(self._takers())

    @property
    def narrows(self) -> bool:
        """Whether there are limits or distances."""
        return bool(self.at_most or self.at_least or self.within)

    @property
    def limits(self) -> list[Limit]:
        """The limits, upper ones first."""
        upper = [Limit(name, bound, "most") for name, bound in self.at_most.items()]
        return upper + [Limit(name, bound, "least") for name, bound in self.at_least.items()]

    def rule(self) -> Rule:
        """What takes one of the trials within the limits."""
        taker: Rule | None = None
        if self.trial is not None:
            taker = partial(pick_trial, number=self.trial)
        elif self.aspire:
            taker = partial(pick_by_aspiration, wishes=self.aspire)
        elif self.weights:
            taker = partial(pick_by_weights, weights=self.weights)
        elif self.order:
            taker = partial(pick_in_order, order=self.order)
        elif self.knee:
            taker = pick_knee
        if self.within:
            return partial(pick_within, distances=self.within, then=taker)
        return taker or pick_knee

    def _takers(self) -> list[str]:
        known = {"trial": self.trial is not None, "knee": self.knee}
        known |= {name: bool(getattr(self, name)) for name in ("aspire", "weights", "order")}
        return [name for name, given in known.items() if given]
