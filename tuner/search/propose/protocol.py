"""What a sampler is: given what is known of a search, it names points to try, the most wanted first."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True)
class Tried:
    """A trial whose end is known to the proposal.

    Attributes:
        params: its point, by the names of the space.
        values: of the objectives, each to be maximised; None if it has none.
        violations: how far it is beyond each constraint of the recipe, as a share of the bound; 0: satisfied.
        pruned: it paused at its rung, and there is no forecast of its values.
    """

    params: Mapping[str, Any]
    values: tuple[float, ...] | None
    violations: tuple[float, ...] = ()
    pruned: bool = False

    @property
    def measured(self) -> bool:
        """Whether it ran as a trial should; False: no such model, or no value of an objective."""
        return self.values is not None or self.pruned


@dataclass(frozen=True)
class History:
    """What a proposal may use; it depends on numbers of trials only, never on timing.

    Attributes:
        n_objectives: values of a trial.
        constraints: of the recipe, as text, in the order of `Tried.violations`.
        ended: trials of older searches, then those of this one up to `number - lag`, by number.
        running: points of the trials after these.
    """

    n_objectives: int
    constraints: tuple[str, ...] = ()
    ended: Sequence[Tried] = ()
    running: Sequence[Mapping[str, Any]] = field(default=())


class Sampler(Protocol):
    """Proposes points. It keeps nothing between calls, so that a search can be continued by any process."""

    def points(self, history: History, number: int, seed: int) -> Iterator[Mapping[str, Any]]:
        """Points for one trial, the most wanted first; the first one that is feasible and untried is taken.

        Args:
            history: what is known.
            number: the trial's number in the search.
            seed: of the recipe.

        Returns:
            An iterator, perhaps endless; when it ends, the search has no more points.
        """
        ...
