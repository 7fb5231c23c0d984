"""The view of a search in MLflow's runs page: objectives against each other, their columns first.

MLflow keeps what its button "share view" saves in a tag of the experiment. The link that a search prints opens it, so
nobody has to put charts together. MLflow ignores fields that it does not know; without the tag it shows its usual page.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tuner.tracking.axes import Axis, axes_of, searched_in
from tuner.tracking.updates import safe_key

KEY = "front"
TAG = f"mlflow.sharedViewState.{KEY}"
PRIMARY = "mlflow.experiment.primaryMetric.name"
SECTION = "qpm-front"
MOST_RUNS = 1000  # that a chart shows
LONGEST = 5000  # characters of a tag
CURVES = ("finetune/accuracy", "dense/accuracy")
USUAL = ("n_features", "features_per_class", "width")


def runs_page(experiment: str) -> str:
    """The part of the address after the server's, of the runs of an experiment in this view."""
    shown = f"workflowType=machine_learning&compareRunsMode=CHART&viewStateShareKey={KEY}"
    return f"#/experiments/{experiment}/runs?{shown}"


def run_page(experiment: str, run: str, file: str = "") -> str:
    """The part of the address after the server's, of a run; with a file, of that file."""
    shown = f"/artifacts/{file}" if file else ""
    return f"#/experiments/{experiment}/runs/{run}{shown}?workflowType=machine_learning"


def experiment_tags(recipe: Mapping[str, Any]) -> dict[str, str]:
    """The tags that give the experiment of a search its view; none if no objective is known."""
    axes = axes_of(recipe)
    if not axes:
        return {}
    tags = {"mlflow.experimentKind": "custom_model_development"}
    if metrics := [axis.name for axis in axes if not axis.is_param]:
        tags[PRIMARY] = safe_key(metrics[0])
    view = json.dumps(saved_view(axes, searched_in(recipe)), separators=(",", ":"))
    return tags | ({TAG: view} if len(view) <= LONGEST else {})


def saved_view(axes: Sequence[Axis], searched: Sequence[str]) -> dict[str, Any]:
    """The state of MLflow's runs page (3.17).

    Args:
        axes: the objectives; the first one sorts the trials.
        searched: names of the searched parameters.
    """
    metrics = [safe_key(axis.name) for axis in axes if not axis.is_param]
    sizes = [safe_key(axis.name) for axis in axes if axis.is_param]
    params = list(dict.fromkeys([*sizes, *map(safe_key, searched), *USUAL]))
    columns = [_column("metrics", name) for name in (*metrics, "program/gap", "seconds")]
    columns += [_column("params", name) for name in params]
    columns += [_column("tags", name) for name in ("outcome", "rank", "picked")]
    first = axes[0]
    return {
        "searchFilter": "",
        "orderByKey": _column("params" if first.is_param else "metrics", safe_key(first.name)),
        "orderByAsc": first.direction == "min",
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": columns,
        "runsHiddenMode": "SHOW_ALL",
        "hideEmptyCharts": True,
        "isAccordionReordered": True,  # otherwise sections are sorted by name, and this one is not the first
        "compareRunSections": [
            {"uuid": SECTION, "name": "Front", "display": True, "isReordered": True, "columns": 2, "cardHeight": 420}
        ],
        "compareRunCharts": _charts(axes, metrics, params),
    }


def _charts(axes: Sequence[Axis], metrics: list[str], params: list[str]) -> list[dict[str, Any]]:
    """The first objective against each other one, all of them with the parameters, and learning curves."""
    across, *others = axes
    charts = [_chart("SCATTER", xaxis=_end(across), yaxis=_end(axis)) for axis in others]
    charts.append(_chart("PARALLEL", selectedParams=params, selectedMetrics=metrics, showAllRuns=True))
    charts += [_chart("LINE", metricKey=name, selectedMetricKeys=[name], xAxisKey="step") for name in CURVES]
    return [{**chart, "uuid": f"{SECTION}-{position}"} for position, chart in enumerate(charts)]


def _chart(kind: str, **settings: Any) -> dict[str, Any]:
    usual = {"type": kind, "metricSectionId": SECTION, "deleted": False, "isGenerated": False}
    return {**usual, "runsCountToCompare": MOST_RUNS, **settings}


def _end(axis: Axis) -> dict[str, str]:
    return {"key": safe_key(axis.name), "type": "PARAM" if axis.is_param else "METRIC"}


def _column(kind: str, name: str) -> str:
    return f"{kind}.`{name}`"
