"""An outcome constraint of a search, such as `accuracy >= 80`: a trial that violates it is no member of the front."""

import re
from collections.abc import Mapping
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
        value = known.get(self.name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
            return 1.0
        beyond = self.bound - value if self.sense == ">=" else value - self.bound
        share = beyond / max(abs(self.bound), 1.0)
        return share if share > ROUNDING else 0.0
