"""Searches: propose, run and record trials, and use their results.

The public interface, also available from `tuner`: `run_search`, `open_search`, `list_searches`, `Search`, `Choice`.
Subpackages; each uses only those below it:

systems     the methods of the published table by name, compared over seeds
driver      runs a search: lease, recipe, trials, derived files
outcome     the front on the test split, pick, explain, report
watch       display: progress, tables, MLflow
execute     stages of trials on Ray
session     the Ray session they run on
propose     which parameters come next
record      the ledger and the state derived from it
"""

from typing import TYPE_CHECKING

from tuner.base.lazy import lazy_attributes

if TYPE_CHECKING:
    from tuner.search.choice import Choice
    from tuner.search.search import Search
    from tuner.search.start import list_searches, open_search, run_search

__all__ = ["Choice", "Search", "list_searches", "open_search", "run_search"]

__getattr__, __dir__ = lazy_attributes(
    __name__,
    {
        "tuner.search.choice": ("Choice",),
        "tuner.search.search": ("Search",),
        "tuner.search.start": ("list_searches", "open_search", "run_search"),
    },
)
