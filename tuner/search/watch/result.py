"""The result of running a search."""

from dataclasses import dataclass, field

from tuner.recipe import Recipe
from tuner.search.record.home import SearchHome
from tuner.search.record.restoration import SearchState


@dataclass
class SearchResult:
    """The state of a search after a run.

    Attributes:
        home: the search.
        recipe: the recipe that was run.
        state: the state of the search afterwards.
        files: derived files by name, as paths or URLs.
        interrupted: whether the user stopped it.
        already_complete: whether there was nothing left to do.
        ended_by_limit: a message if the time limit has ended the search; else empty.
        tracking: where the MLflow data are, or what went wrong with them.
        stopped_by: who has instructed it to stop; empty: nobody.
    """

    home: SearchHome
    recipe: Recipe
    state: SearchState
    files: dict[str, str] = field(default_factory=dict)
    interrupted: bool = False
    already_complete: bool = False
    ended_by_limit: str = ""
    tracking: str = ""
    stopped_by: str = ""
