"""What tells runs apart at a glance: member of the front, picked, their colours in every chart, their descriptions."""

from collections.abc import Collection, Mapping, Sequence

from tuner.tracking import description
from tuner.tracking.axes import Axis

COLOUR = "mlflow.runColor"  # where MLflow keeps the colour that somebody gives a run
MEMBER, DOMINATED, PICKED = "#0067a3", "#868e97", "#b94e00"  # as in the report's pictures


def of_trial(
    run: str,
    tags: Mapping[str, str],
    values: Mapping[str, float],
    params: Mapping[str, str],
    axes: Sequence[Axis],
    members: Collection[int] | None,
    chosen: str,
) -> dict[str, str]:
    """The tags of the run of a trial that has ended; a colour or description that somebody gave it stays.

    Args:
        run: id in MLflow.
        tags: of the run.
        values: its metrics.
        params: its parameters.
        axes: the objectives.
        members: the trials on the front; None: unknown, so that those marked as members stay.
        chosen: name of the run of the picked trial; empty: none.
    """
    was_member = tags.get("pareto") == "true"
    is_member = was_member if members is None else int(tags["qpm.trial"]) in members
    is_picked = tags["qpm.run"] == chosen
    marks = {"pareto": str(is_member).lower()} | ({"picked": "true"} if is_picked else {})
    if tags.get(COLOUR, MEMBER) in (MEMBER, DOMINATED, PICKED):
        marks[COLOUR] = PICKED if is_picked else MEMBER if is_member else DOMINATED
    after = {key: value for key, value in tags.items() if key != "picked"} | marks
    now = tags.get(description.NOTE, "")
    picture = is_member and tags.get("qpm.picture") == "true"
    told = description.of_trial(after, values, params, axes, run, picture=picture)
    marks |= description.rewritten(now, tags, told)
    return {key: value for key, value in marks.items() if tags.get(key) != value}
