"""The description of a search's run: the pick, cautions, a link to the charts, the picture of the front.

Text comes first, since MLflow folds away what is longer than a few lines.
"""

from collections.abc import Mapping

from tuner.recipe.protocol import CHOSEN_ON_TEST
from tuner.tracking.view import runs_page

PICTURE = "front.svg"


def description(tags: Mapping[str, str], experiment: str, run: str, *, picture: bool) -> str:
    """Markdown, from what the run's tags say.

    Args:
        tags: of the run.
        experiment: id in MLflow.
        run: id in MLflow.
        picture: whether the picture of the front is among its files.
    """
    parts = []
    if "pick" in tags:
        parts.append(f"Picked `{tags['pick']}`: {tags.get('pick_reason', '')}".strip())
    if CHOSEN_ON_TEST in tags:
        parts.append(f"Caution: {tags[CHOSEN_ON_TEST]}.")
    parts.append(f"[Charts of all trials]({runs_page(experiment)})")
    if picture:
        parts.append(f"![The front](get-artifact?path={PICTURE}&run_uuid={run})")
    return "\n\n".join(parts)
