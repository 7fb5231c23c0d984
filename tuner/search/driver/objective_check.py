"""Checks before extraction and training that the data provide values for all objectives and constraints.

A trial that lacks a value for an objective cannot be ranked, and a search of such trials ends without a front. One that
lacks a value for a constraint violates it.
"""

import numpy as np

from tuner.base.metric import METRICS, DataNeed, Metric
from tuner.data.dataset import Dataset
from tuner.data.splits import stratified_split
from tuner.errors import UsageError
from tuner.recipe import Recipe, constraints_of, objectives_of
from tuner.recipe.objectives import extremes


def refuse_unmeasurable(recipe: Recipe, dataset: Dataset) -> None:
    """Refuse objectives that are no goals, and objectives and constraints without a value on this data, or at a size.

    Raises:
        UsageError: naming the objective or constraint, and what is missing.
    """
    for constraint in (c for c in constraints_of(recipe) if c.name in METRICS):
        for need in METRICS[constraint.name].data_needs:
            if not _has(need, recipe, dataset):
                _refuse(METRICS[constraint.name], need, dataset, "constraint on")
    for metric in (METRICS[o.name] for o in objectives_of(recipe) if o.name in METRICS):
        if metric.no_goal:
            raise UsageError(
                f"objective {metric.name} is no goal: {metric.no_goal}",
                f"a goal, such as {', '.join(_always()[:3])} or interpretability",
                "drop the objective; the value is measured and shown all the same",
            )
        for need in metric.data_needs:
            if not _has(need, recipe, dataset):
                _refuse(metric, need, dataset, "objective")
        for limit in metric.size_needs:
            sizes = extremes(recipe, limit.size)
            if min(sizes) < limit.least:
                of = limit.size.replace("_", " ")
                raise UsageError(
                    f"objective {metric.name} has no value below {limit.least} {of}; the space has {sizes}",
                    f"at least {limit.least} {of} in every trial",
                    f"set 'space.{limit.size}={{choices: [{limit.least}, ..]}}', or drop the objective",
                )


def _has(need: DataNeed, recipe: Recipe, dataset: Dataset) -> bool:
    """Whether the data set provides what is needed, such as a mask on at least one measured image."""
    found = need.of(dataset)
    if found is None or not need.per_image:
        return found is not None
    return bool(found.any() and found[_measured(recipe, dataset)].any())


def _refuse(metric: Metric, need: DataNeed, dataset: Dataset, role: str) -> None:
    where, found = "", need.of(dataset)
    goals = ", ".join(_always()[:3])
    instead = f"set 'objectives=[{goals}]'" if role == "objective" else ""
    if found is not None and (given := int(found.sum())):
        where = f" among the images that are measured ({given} of {len(dataset)} images have one)"
    raise UsageError(
        f"{role} {metric.name} needs {need.what}, and data set {dataset.name} has none{where}",
        f"{'objectives' if instead else 'constraints'} that can be measured on these images, such as {goals}",
        f"{need.todo}, or {instead or 'drop the constraint'}",
    )


def _always() -> list[str]:
    """The goals that every model has a value for."""
    return [name for name, one in METRICS.items() if not (one.needs or one.parts or one.no_goal)]


def _measured(recipe: Recipe, dataset: Dataset) -> np.ndarray:
    """Indices of the images that objectives are measured on: test under `protocol: paper`, else cut from train."""
    if recipe.protocol == "paper":
        return np.flatnonzero(~dataset.is_train)
    train = np.flatnonzero(dataset.is_train)
    seed, names = recipe.data.split_seed, dataset.class_names
    content = None if dataset.together is None else dataset.together[train]
    held_out = stratified_split(dataset.labels[train], recipe.validation_fraction, seed, names, content)
    return np.asarray(train[held_out])
