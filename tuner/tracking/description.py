"""The descriptions of runs: in short what became of a search or a trial, links, and the picture of the front.

Links come first and the picture last, since MLflow folds away what is longer than a few lines.
"""

import hashlib
from collections.abc import Mapping, Sequence

from tuner.base.metric import METRICS
from tuner.base.steps import duration
from tuner.front import uncertainty, words
from tuner.recipe.protocol import CHOSEN_ON_TEST
from tuner.tracking.axes import Axis
from tuner.tracking.updates import LONGEST_VALUE, safe_key
from tuner.tracking.view import run_page, runs_page

NOTE, DIGEST = "mlflow.note.content", "qpm.note"
PICTURE, REPORT = "front.svg", "report.html"
FORMER = ("Picked `trial-", "Caution: ")  # how earlier versions, which kept no digest, began it
BECAME = {
    "pruned": "Stopped early",
    "stopped": "Stopped",
    "skipped": "Skipped",
    "infeasible": "Its program has no solution",
    "failed": "Failed",
}

Tags = Mapping[str, str]
Values = Mapping[str, float]


def of_search(tags: Tags, values: Values, axes: Sequence[Axis], experiment: str, run: str, files: Sequence[str]) -> str:
    """Markdown for the run of the search.

    Args:
        tags: of the run.
        values: its metrics.
        axes: the objectives.
        experiment: id in MLflow.
        run: id in MLflow.
        files: names of those of its files that can be shown.
    """
    links = [f"[Charts of all trials]({runs_page(experiment)})"]
    if REPORT in files:
        links.append(f"[Report]({run_page(experiment, run, REPORT)})")
    parts = [" · ".join(links)]
    if CHOSEN_ON_TEST in tags:
        parts.append(f"Caution: {tags[CHOSEN_ON_TEST]}.")
    if "pick" in tags:
        parts.append(f"Picked `{tags['pick']}`: {tags.get('pick_reason', '')}".strip())
    if values.get("trials"):
        parts.append(_so_far(values, axes))
    if PICTURE in files:
        parts.append(_picture(run))
    return "\n\n".join(parts)


def _so_far(values: Values, axes: Sequence[Axis]) -> str:
    """The state of a search: members, best values, the largest gap, time."""
    n = int(values["trials"])
    sentences = [f"{int(values.get('front_size', 0))} of {n} trial{'' if n == 1 else 's'} on the front."]
    best = {axis.name: values.get(f"best/{safe_key(axis.name)}") for axis in axes}
    told = [_value(name, value) for name, value in best.items() if value is not None]
    if told:
        sentences.append(f"Best values, perhaps of different trials: {', '.join(told)}.")
    if (gap := values.get("program/gap")) is not None:
        sentences.append(f"Largest gap of a program: {gap:.2g} %.")
    if seconds := values.get("seconds"):
        sentences.append(f"Search time: {duration(seconds)}.")
    return " ".join(sentences)


def of_trial(tags: Tags, values: Values, params: Tags, axes: Sequence[Axis], run: str, *, picture: bool) -> str:
    """Markdown for the run of a trial that has ended.

    Args:
        tags: of the run.
        values: its metrics.
        params: its parameters.
        axes: the objectives.
        run: id in MLflow.
        picture: whether its picture of the front is among its files.
    """
    parts = [" ".join(filter(None, [_became(tags), _measured(values, params, axes)]))]
    if "confirmed/runs" in values:
        parts.append(_confirmed(tags, values, axes))
    if picture:
        parts.append(_picture(run))
    return "\n\n".join(parts)


def _became(tags: Tags) -> str:
    """What became of a trial, in a sentence."""
    outcome = tags.get("outcome", "")
    if outcome != "complete":
        at = tags.get("rung", "") if outcome == "pruned" else ""
        cause = tags.get("cause", "")
        return f"{BECAME.get(outcome, outcome)}{f' at {at}' if at else ''}{f': {cause}' if cause else ''}.".strip()
    place = "On the front." if tags.get("pareto") == "true" else "Not on the front."
    return f"{place} Picked." if tags.get("picked") == "true" else place


def _measured(values: Values, params: Tags, axes: Sequence[Axis]) -> str:
    """The objectives of a trial, with their errors; empty if it has none."""
    told = []
    for axis in axes:
        key = safe_key(axis.name)
        if axis.is_param:
            told += [f"{words.name(axis.name)} {params[key]}"] if key in params else []
        elif key in values:
            told.append(_value(axis.name, values[key], uncertainty.beside(axis.name, values)))
    text = ", ".join(told)
    return f"{text[0].upper()}{text[1:]}." if text else ""


def _confirmed(tags: Tags, values: Values, axes: Sequence[Axis]) -> str:
    """What the runs with other seeds say."""
    told = []
    for axis in axes:
        mean, deviation = (values.get(f"confirmed/{axis.name}_{of}") for of in ("mean", "deviation"))
        if mean is not None and deviation is not None:
            told.append(_value(axis.name, mean, f"± {uncertainty.plus_minus(deviation)}"))
    beyond = "beyond noise" if tags.get("beyond_noise") == "true" else "not beyond noise"
    runs = (
        f"Over {int(values['confirmed/runs'])} runs, mean and standard deviation: {', '.join(told)}; " if told else ""
    )
    return f"{runs}{beyond}." if runs else f"{beyond.capitalize()}."


def _value(metric: str, value: float, beside: str = "") -> str:
    """ "accuracy 98.9 % (± 0.7, n = 269)"."""
    unit = METRICS[metric].unit if metric in METRICS else ""
    return f"{words.name(metric)} {words.value(value, unit)}{f' ({beside})' if beside else ''}"


def _picture(run: str) -> str:
    return f"![The front](get-artifact?path={PICTURE}&run_uuid={run})"


def rewritten(now: str, tags: Tags, text: str) -> dict[str, str]:
    """The tags that make a text the description; none if it is, or if somebody has written another one.

    Args:
        now: the description.
        tags: of the run.
        text: the description that it should have.
    """
    text = text[:LONGEST_VALUE]
    if now == text or (now and tags.get(DIGEST) != _digest(now) and not now.startswith(FORMER)):
        return {}
    return {NOTE: text, DIGEST: _digest(text)}


def _digest(text: str) -> str:
    """By which the mirror knows a description as its own."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]
