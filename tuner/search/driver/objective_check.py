"""Check before anything is extracted or trained that the data have values of all objectives.

A trial without a value of an objective is lost, and a search of such trials ends without a front.
"""

import numpy as np

from tuner.data.dataset import Dataset
from tuner.data.splits import stratified_split
from tuner.errors import UsageError
from tuner.qpm.metrics.table import METRICS, Metric
from tuner.recipe import Recipe, objectives_of
from tuner.recipe.objectives import extremes


def refuse_unmeasurable(recipe: Recipe, dataset: Dataset) -> None:
    """Refuse objectives that have no value on this data, or at some size that the search may try.

    Raises:
        UsageError: naming the objective, and what is missing.
    """
    for metric in (METRICS[o.name] for o in objectives_of(recipe) if o.name in METRICS):
        if not _has(metric, recipe, dataset):
            _refuse(metric, dataset)
        sizes = extremes(recipe, "features_per_class")
        if min(sizes) < metric.least:
            raise UsageError(
                f"objective {metric.name} has no value below {metric.least} features per class; the space has {sizes}",
                f"at least {metric.least} features per class in every trial",
                f"set 'space.features_per_class={{choices: [{metric.least}, ..]}}', or drop the objective",
            )


def _has(metric: Metric, recipe: Recipe, dataset: Dataset) -> bool:
    """Whether the data set has what a metric needs: masks, on at least one of the images it is measured on."""
    if metric.needs == "masks":
        return bool(dataset.has_mask.any() and dataset.has_mask[_measured(recipe, dataset)].any())
    if metric.needs == "class attributes":
        return dataset.class_attributes is not None
    return metric.needs != "image attributes" or dataset.image_attributes is not None


def _refuse(metric: Metric, dataset: Dataset) -> None:
    todo = "use a data set with attributes, such as cub, or drop the objective"
    if metric.needs == "masks":
        todo = "set data.masks to a folder of object masks, or drop the objective"
    where = ""
    if metric.needs == "masks" and (given := int(dataset.has_mask.sum())):
        where = f" among the images that are measured ({given} of {len(dataset)} images have one)"
    always = [name for name, other in METRICS.items() if not other.needs and other.least == 1]
    raise UsageError(
        f"objective {metric.name} needs {metric.needs}, and data set {dataset.name} has none{where}",
        f"objectives that these images have a value of, such as {', '.join(always[:3])} or interpretability",
        todo,
    )


def _measured(recipe: Recipe, dataset: Dataset) -> np.ndarray:
    """Indices of the images that objectives are measured on: test under `protocol: paper`, else cut from train."""
    if recipe.protocol == "paper":
        return np.flatnonzero(~dataset.is_train)
    train = np.flatnonzero(dataset.is_train)
    seed, names = recipe.data.split_seed, dataset.class_names
    content = None if dataset.content is None else dataset.content[train]
    held_out = stratified_split(dataset.labels[train], recipe.validation_fraction, seed, names, content)
    return np.asarray(train[held_out])
