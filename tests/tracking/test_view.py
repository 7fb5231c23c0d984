"""The view that the link of a search opens: what it shows first, and that MLflow has room for it."""

import json
from typing import Any

from tuner.recipe import load_recipe
from tuner.tracking.axes import Axis, axes_of
from tuner.tracking.view import LONGEST, TAG, experiment_tags, runs_page


def view(*objectives: str, **recipe: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(experiment_tags({"objectives": list(objectives), **recipe})[TAG])
    return found


def test_the_objectives_are_the_first_columns_and_the_first_one_sorts() -> None:
    shown = view("accuracy", "plausibility", space={"n_features": [10, 50], "l1": {}})
    assert shown["selectedColumns"][:2] == ["metrics.`accuracy`", "metrics.`plausibility`"]
    assert "params.`l1`" in shown["selectedColumns"]
    assert (shown["orderByKey"], shown["orderByAsc"]) == ("metrics.`accuracy`", False)


def test_a_size_is_a_parameter_and_less_of_it_comes_first() -> None:
    shown = view("n_features", "accuracy")
    assert (shown["orderByKey"], shown["orderByAsc"]) == ("params.`n_features`", True)
    (scatter,) = [chart for chart in shown["compareRunCharts"] if chart["type"] == "SCATTER"]
    assert scatter["xaxis"] == {"key": "n_features", "type": "PARAM"}
    assert scatter["yaxis"] == {"key": "accuracy", "type": "METRIC"}


def test_each_other_objective_is_drawn_against_the_first() -> None:
    shown = view("accuracy", "plausibility:max", "n_features:min")
    drawn = [(c["xaxis"]["key"], c["yaxis"]["key"]) for c in shown["compareRunCharts"] if c["type"] == "SCATTER"]
    assert drawn == [("accuracy", "plausibility"), ("accuracy", "n_features")]
    assert len({chart["uuid"] for chart in shown["compareRunCharts"]}) == len(shown["compareRunCharts"])


def test_directions_are_those_of_the_recipe_the_metric_or_the_size() -> None:
    recipe = {"objectives": ["accuracy", "width", "n_features:max", "an_unknown_one", 3]}
    found = [Axis("accuracy", "max"), Axis("width", "min", True), Axis("n_features", "max", True)]
    assert axes_of(recipe) == [*found, Axis("an_unknown_one", "max")]
    assert axes_of({}) == []
    assert experiment_tags({}) == {}


def test_the_view_of_every_preset_fits_into_a_tag() -> None:
    for name in ("digits", "cub"):
        assert TAG in experiment_tags(load_recipe(name, []).to_dict())
    many = {f"finetune.setting_{number}": {"low": 0, "high": 1} for number in range(400)}
    assert TAG not in experiment_tags({"objectives": ["accuracy"], "space": many}), "cut short, it could not be read"
    assert LONGEST == 5000


def test_the_link_opens_the_charts_of_the_runs() -> None:
    assert runs_page("7") == (
        "#/experiments/7/runs?workflowType=machine_learning&compareRunsMode=CHART&viewStateShareKey=front"
    )
    assert TAG.endswith(".front")
