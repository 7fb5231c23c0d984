"""qpm-tuner: search the accuracy-interpretability trade-off of DINO-QPM classifiers.

    import tuner

    search = tuner.run_search("digits", store="runs", name="digits", trials=16)
    search.front()                                        # a DataFrame
    choice = search.pick(within={"accuracy": 1.0})        # with its reason
    choice.export("picked")
    tuner.load_model("picked").predict(["photo.png"])

Names are imported on first use. `tuner.qpm` is the method alone, `tuner.qpm.program` its quadratic program.
"""

from typing import TYPE_CHECKING

from tuner.base.lazy import lazy_attributes
from tuner.renamed import understand_old_names

if TYPE_CHECKING:
    from tuner.estimator import QPMClassifier
    from tuner.model import load_model
    from tuner.recipe import load_recipe
    from tuner.search import Choice, Search, list_searches, open_search, run_search

__version__ = "0.1.0"

__all__ = [
    "Choice",
    "QPMClassifier",
    "Search",
    "__version__",
    "list_searches",
    "load_model",
    "load_recipe",
    "open_search",
    "run_search",
]

__getattr__, _public = lazy_attributes(
    __name__,
    {
        "tuner.estimator": ("QPMClassifier",),
        "tuner.model": ("load_model",),
        "tuner.recipe": ("load_recipe",),
        "tuner.search": ("Choice", "Search", "list_searches", "open_search", "run_search"),
    },
)


def __dir__() -> list[str]:
    """The public names, for completion."""
    return ["__version__", *_public()]


understand_old_names()
