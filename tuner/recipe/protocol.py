"""Tells when a search chooses on the test images: under `protocol=paper` with more than one trial
(docs/explanation/method.md#no-test-leak).

One sentence, said wherever figures of such a search are shown.
"""

from tuner.recipe.schema import Recipe

CHOSEN_ON_TEST = "chosen_on_test"


def chosen_on_test(protocol: object, trials: object) -> str:
    """What has to be said of a search; empty if nothing was chosen on test.

    Args:
        protocol: of the recipe.
        trials: asked for, or run if these are more.
    """
    if protocol != "paper" or not isinstance(trials, int) or trials < 2:
        return ""
    return (
        f"protocol=paper measures all {trials} trials on the test images, and the best of them are chosen there: their "
        "figures are too good; quote those of a search with one trial, or search with protocol=validation"
    )


def caution(recipe: Recipe, asked: int | None, n_trials: int) -> str:
    """The same of a search under way.

    Args:
        recipe: its recipe.
        asked: trials that its last run was asked for; None: as many as the recipe says.
        n_trials: trials proposed so far.
    """
    return chosen_on_test(recipe.protocol, max(asked or recipe.budget.trials, n_trials))
