"""The stages that make the model of each system, and what a method sets in the recipe."""

import dataclasses

from tuner.recipe import Recipe
from tuner.search.execute.plan import StageSpec, plan, split_of
from tuner.search.stages import model_stage
from tuner.search.systems.system import Tokens


def probe(recipe: Recipe, tokens: Tokens) -> list[StageSpec]:
    """A linear layer on frozen tokens (docs/explanation/method.md#linear-probe)."""
    return [StageSpec("probe", {"split": split_of(recipe)}, {"bank": tokens.key}, recipe.seed)]


def without_cls(_: Recipe, tokens: Tokens) -> str:
    """The probe of a backbone without CLS token."""
    return "" if tokens.has_cls else "on the mean token, as this backbone has no CLS"


def dense(recipe: Recipe, tokens: Tokens) -> list[StageSpec]:
    """The model before the program (docs/explanation/method.md#dense-model)."""
    return plan(recipe, tokens.key)[:1]


def qpm(recipe: Recipe, tokens: Tokens) -> list[StageSpec]:
    """The model of a trial."""
    stages = plan(recipe, tokens.key)
    return stages[: 1 + next(i for i, spec in enumerate(stages) if spec.stage == model_stage().name)]


def drawn(recipe: Recipe, _: Tokens) -> Recipe:
    """The assignment is drawn at random instead of by the program (docs/explanation/method.md#controls)."""
    return dataclasses.replace(recipe, assign=dataclasses.replace(recipe.assign, control="random"))


def paired(recipe: Recipe, tokens: Tokens) -> Recipe:
    """The most similar pairs of classes, half as many as there are classes, share all features but one."""
    pairs = dataclasses.replace(recipe.assign, forced_pairs=tokens.n_classes // 2)
    return dataclasses.replace(recipe, assign=pairs)
