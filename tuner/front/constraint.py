"""An outcome constraint of a search, such as `accuracy >= 80`: a trial that violates it is no member of the front."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal

from tuner.errors import UsageError

_FORM = re.compile(r"\s*([A-Za-z][\w.]*)\s*(>=|<=)\s*([-+]?[\d.]+(?:[eE][-+]?\d+)?)\s*")
EXAMPLE = "such as 'accuracy >= 80' or 'n_features <= 20'"
ROUNDING = 1e-9  # of a bound, within which a value still satisfies it


@dataclass(frozen=True)
class Constraint:
    """A bound on a metric or a parameter.

    Attributes:
        name: of the metric or parameter.
        sense: whether the bound is the smallest or the largest value allowed.
        bound: in the metric's unit.
    """

    name: str
    sense: Literal[">=", "<="]
    bound: float

    @classmethod
    def parse(cls, text: str) -> "Constraint":
        """The constraint that a text states.

        Raises:
            UsageError: it states none.
        """
        found = _FORM.fullmatch(text)
        try:
            bound = float(found[3]) if found else float("nan")
        except ValueError:
            bound = float("nan")
        if found is None or not isfinite(bound):
            raise UsageError(f"constraint {text!r}", "NAME >= NUMBER or NAME <= NUMBER", f"write it out, {EXAMPLE}")
        return cls(found[1], found[2], bound)  # type: ignore[arg-type]

    def __str__(self) -> str:
        return f"{self.name} {self.sense} {self.bound:g}"

    def violation(self, known: Mapping[str, Any]) -> float:
        """How far a trial is beyond the bound, as a share of the bound (of 1, where that is smaller).

        Args:
            known: the trial's parameters and values by name.

        Returns:
            0 where it satisfies the constraint; 1 where the trial has no such number.
        """
        share = self.excess(known)
        if share is None:
            return 1.0
        return share if share > ROUNDING else 0.0

    def excess(self, known: Mapping[str, Any]) -> float | None:
        """How far a trial is beyond the bound, as `violation` has it; negative: how far it is from the bound.

        Returns:
            None where the trial has no such number.
        """
        value = known.get(self.name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
            return None
        beyond = self.bound - value if self.sense == ">=" else value - self.bound
        return float(beyond / max(abs(self.bound), 1.0))


def satisfaction(constraints: Sequence[Constraint], violated: Sequence[bool]) -> str:
    """How many complete trials satisfy the constraints, and what that means for the front; empty without constraints.

    Args:
        constraints: of the search.
        violated: of each complete trial, whether it violates one of them.
    """
    if not constraints or not violated:
        return ""
    wanted, count, good = " and ".join(map(str, constraints)), len(violated), violated.count(False)
    trials = "complete trial" if count == 1 else "complete trials"
    if not good:
        return f"none of the {count} {trials} satisfies {wanted}, so the front is that of trials that do not"
    if good == count:
        return f"all {count} {trials} satisfy {wanted}" if count > 1 else f"the complete trial satisfies {wanted}"
    verb = "satisfies" if good == 1 else "satisfy"
    return f"{good} of {count} {trials} {verb} {wanted}; the others are no members of the front"
