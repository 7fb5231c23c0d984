"""Validates a recipe: bounds and choices of every field, the space, the objectives."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from tuner.base.secrets import holds_secret, is_address
from tuner.base.spelling import did_you_mean
from tuner.errors import InfeasibleError, UsageError
from tuner.qpm.round_lengths import round_lengths
from tuner.recipe.backbones import check_backbones
from tuner.recipe.bounds import allowed_space, check_reference
from tuner.recipe.objectives import extremes, objectives_of
from tuner.recipe.points import check_points
from tuner.recipe.schema import SHORT_NAMES, Recipe, lookup, walk
from tuner.recipe.space import bounds, check_dimension, searched_name, show_values

SMALLEST_SHARE = 1e-4  # of a CPU or GPU: Ray counts no finer
MOST_CHOICES = 4000  # all of them are kept with each search, and read at each start


def check_recipe(recipe: Recipe) -> None:
    """Check bounds, choices, space and objectives.

    Raises:
        UsageError: naming the first field that is wrong.
    """
    for path, value, info in walk(recipe):
        _check_value(path, value, info)
        if isinstance(value, str) and path != "title":
            _check_address(path, value)
    _check_size(recipe)
    _check_shares(recipe)
    _check_confirm(recipe)
    _check_money(recipe)
    check_backbones(recipe)
    for name in recipe.space:
        _check_dimension(name, recipe)
    _check_forced_pairs(recipe)
    _check_held_out(recipe)
    _check_rounds(recipe)
    objectives_of(recipe)
    allowed = dataclasses.replace(recipe, space=allowed_space(recipe))
    check_reference(recipe)
    check_points(recipe)
    if not _is_feasible_somewhere(allowed):
        under = f" under {' and '.join(recipe.constraints)}" if allowed.space != recipe.space else ""
        raise InfeasibleError(
            f"no point of the space {_space_line(recipe.space)} is feasible{under}",
            "features_per_class <= n_features <= width somewhere in it",
            "widen space.width or space.n_features, or lower space.features_per_class",
        )


def _is_feasible_somewhere(recipe: Recipe) -> bool:
    """Whether the three sizes can satisfy k <= m <= U (docs/explanation/program.md#feasibility)."""
    least, most = min(extremes(recipe, "features_per_class")), max(extremes(recipe, "width"))
    dimension = recipe.space.get("n_features", {})
    if "low" not in dimension:
        return any(least <= m <= most for m in extremes(recipe, "n_features"))
    low, step = dimension["low"], dimension.get("step", 1)
    first = low + max(0, math.ceil((least - low) / step)) * step
    return bool(first <= min(dimension["high"], most))


def _check_address(path: str, value: str) -> None:
    if (path == "tracking.uri" or is_address(value)) and holds_secret(value):
        raise UsageError(
            f"{path} holds a user, a password or a key (not shown here), and others can read stored recipes",
            "an address without credentials",
            "set the whole address in MLFLOW_TRACKING_URI instead"
            if path == "tracking.uri"
            else "download what is there, and write its path",
        )


def _check_size(recipe: Recipe) -> None:
    choices = {name: len(dimension.get("choices", ())) for name, dimension in recipe.space.items()}
    if sum(choices.values()) > MOST_CHOICES:
        name = max(choices, key=lambda name: choices[name])
        raise UsageError(
            f"space.{name} has {choices[name]:,} choices, and the space {sum(choices.values()):,} in all",
            f"at most {MOST_CHOICES:,} in all",
            f"write a range: 'space.{name}={{low: .., high: .., step: ..}}'",
        )


def _check_shares(recipe: Recipe) -> None:
    """Refuse what Ray would refuse only once a stage is to begin."""
    for stage in dataclasses.fields(recipe.resources):
        for kind in ("cpus", "gpus"):
            path = f"resources.{stage.name}.{kind}"
            share = float(lookup(recipe, path))
            if 0.0 < share < SMALLEST_SHARE:
                raise UsageError(f"{path}={share:g}", f"0, or at least {SMALLEST_SHARE:g}", "give a larger share")
            if kind == "gpus" and share > 1.0 and not share.is_integer():
                raise UsageError(f"{path}={share:g}", "a share of one GPU, or a whole number", "round it")


def _check_forced_pairs(recipe: Recipe) -> None:
    most = max(bounds(recipe.space.get("assign.forced_pairs", {"choices": [recipe.assign.forced_pairs]})))
    if most > 0 and recipe.assign.control == "random":
        raise UsageError(
            f"assign.forced_pairs={most} with assign.control=random",
            "class pairs forced by the program: a random assignment has none",
            "set assign.forced_pairs=0, or assign.control=none",
        )


def _check_rounds(recipe: Recipe) -> None:
    """Refuse rounds of fine-tuning that would leave the last of them no epoch, somewhere in the space."""
    fields = {name: f"finetune.{name}" for name in ("epochs", "rounds", "round_epochs")}
    ends = {name: bounds(recipe.space.get(path, {"choices": [lookup(recipe, path)]})) for name, path in fields.items()}
    least, most = min(ends["epochs"]), {name: max(ends[name]) for name in ("rounds", "round_epochs")}
    round_lengths(least, most["rounds"], most["round_epochs"], "finetune")


def _check_held_out(recipe: Recipe) -> None:
    """Refuse programs that are to rest on held-out images where a trial may hold out none."""
    wanted = "held_out" in bounds(recipe.space.get("assign.on", {"choices": [recipe.assign.on]}))
    least = min(bounds(recipe.space.get("dense.held_out", {"choices": [recipe.dense.held_out]})))
    if wanted and least == 0.0:
        raise UsageError(
            "assign.on=held_out with dense.held_out=0",
            "images that the dense stage is not trained on, in every trial",
            "set dense.held_out, for example to 0.2, or assign.on=train",
        )


def _check_money(recipe: Recipe) -> None:
    prices = recipe.budget.prices
    if recipe.budget.money > 0 and prices.cpu_hour == prices.gpu_hour == 0:
        raise UsageError(
            f"budget.money={recipe.budget.money:g} without a price",
            "the price of a CPU hour, of a GPU hour, or of both",
            "set budget.prices.cpu_hour or budget.prices.gpu_hour",
        )
    if not (prices.currency.isprintable() and 0 < len(prices.currency) <= 8):
        raise UsageError(
            f"budget.prices.currency={prices.currency[:20]!r}",
            "1 to 8 printable letters, such as EUR",
            "shorten it",
        )


def _check_confirm(recipe: Recipe) -> None:
    if recipe.protocol == "paper" and recipe.confirm.splits > 1:
        raise UsageError(
            f"confirm.splits={recipe.confirm.splits} with protocol=paper, which has no validation split",
            "further seeds only",
            "set confirm.splits=1, and more confirm.seeds",
        )


def _check_value(path: str, value: Any, info: dataclasses.Field[Any]) -> None:
    choices, low, high = (info.metadata.get(name) for name in ("choices", "low", "high"))
    if choices is not None and value not in choices:
        known = [str(choice) for choice in choices]
        raise UsageError(f"{path}={value!r}", f"one of {', '.join(known)}", did_you_mean(str(value), known))
    if isinstance(value, float) and not math.isfinite(value):
        raise UsageError(f"{path}={value}", "a finite number", "give a number")
    if low is not None and value < low and value != (automatic := info.metadata.get("automatic")):
        allowed = f"at least {low}" if automatic is None else f"{automatic:g}, or at least {low:g}"
        raise UsageError(f"{path}={value}", allowed, f"{info.metadata['help']}: raise it")
    if high is not None and value > high:
        raise UsageError(f"{path}={value}", f"at most {high}", f"{info.metadata['help']}: lower it")


def _check_dimension(name: str, recipe: Recipe) -> None:
    path = SHORT_NAMES.get(searched_name(name), name)
    info = next(info for key, _, info in walk(recipe) if key == path)
    check_dimension(name, recipe.space[name])
    if path.endswith(".precision") and "auto" in bounds(recipe.space[name]):
        raise UsageError(
            f"space.{name} holds auto",
            "number types by name, since auto is settled once for a whole search",
            "write float32, bfloat16 or both",
        )
    for value in bounds(recipe.space[name]):
        _check_value(f"space.{name}", value, info)


def _space_line(space: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={show_values(bounds(dimension))}" for name, dimension in space.items()) or "{}"
