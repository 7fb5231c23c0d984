"""The stages that make the model of each system, and what a method sets in the recipe.

Each method has the published number of epochs where the recipe has the published 25 + 25, and in proportion elsewhere.
Learning rate, weight decay, batch size and precision are the recipe's.
"""

import dataclasses
from dataclasses import replace
from typing import Any

from tuner.qpm.settings import SPARSE_DENSE, DenseConfig, FinetuneConfig, QsennConfig, SlddConfig, SparseConfig, keyed
from tuner.recipe import Recipe
from tuner.search.execute.plan import StageSpec, plan, split_of
from tuner.search.stages import model_stage
from tuner.search.systems.system import Tokens

HELD_OUT = 0.2  # ours: share of each class's training images
GROUNDING = 3.0  # CHiQPM: weight of the grounding loss in all rounds but the last
ROUNDS, ROUND_EPOCHS, LAST_EPOCHS, ROUND_DECAY = 4, 10, 40, 0.9  # CHiQPM: 10 + 10 + 10 + 40 epochs


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
    return replace(recipe, assign=replace(recipe.assign, control="random"))


def held_out(recipe: Recipe, _: Tokens) -> Recipe:
    """The program rests on images that the dense model was not trained on
    (docs/explanation/method.md#held-out-assignment)."""
    dense, assign = replace(recipe.dense, held_out=HELD_OUT), replace(recipe.assign, on="held_out")
    return replace(recipe, dense=dense, assign=assign)


def chiqpm(recipe: Recipe, tokens: Tokens) -> Recipe:
    """CHiQPM's program and training on the adapter (docs/explanation/method.md#chiqpm)."""
    tuned = replace(
        recipe.finetune,
        rectified=True,
        grounding=GROUNDING,
        rounds=ROUNDS,
        round_epochs=_epochs(ROUND_EPOCHS, recipe.finetune),
        round_decay=ROUND_DECAY,
    )
    tuned.epochs = (ROUNDS - 1) * tuned.round_epochs + _epochs(LAST_EPOCHS, recipe.finetune)
    pairs = replace(recipe.assign, variant="paper", forced_pairs=tokens.n_classes // 2)
    return replace(recipe, assign=pairs, finetune=tuned)


def signed(recipe: Recipe, _: Tokens) -> Recipe:
    """The dense stage that SLDD and Q-SENN start from."""
    epochs = max(1, round(recipe.dense.epochs * SPARSE_DENSE.epochs / DenseConfig().epochs))
    return replace(recipe, dense=replace(recipe.dense, epochs=epochs, diversity=SPARSE_DENSE.diversity))


def sldd(recipe: Recipe, tokens: Tokens) -> list[StageSpec]:
    """SLDD (docs/explanation/method.md#sldd)."""
    config = SlddConfig(**_shared(recipe), epochs=_epochs(SlddConfig().epochs, recipe.finetune))
    return _behind_dense("sldd", config, recipe, tokens)


def qsenn(recipe: Recipe, tokens: Tokens) -> list[StageSpec]:
    """Q-SENN (docs/explanation/method.md#qsenn)."""
    usual = QsennConfig()
    epochs = _epochs(usual.round_epochs, recipe.finetune)
    config = QsennConfig(**_shared(recipe), epochs=usual.rounds * epochs, round_epochs=epochs)
    return _behind_dense("qsenn", config, recipe, tokens)


def _behind_dense(stage: str, config: SparseConfig, recipe: Recipe, tokens: Tokens) -> list[StageSpec]:
    first = plan(recipe, tokens.key)[0]
    settings = {stage: keyed(dataclasses.asdict(config)), "split": first.settings["split"]}
    return [first, StageSpec(stage, settings, {**first.inputs, first.stage: first.key}, recipe.seed)]


def _shared(recipe: Recipe) -> dict[str, Any]:
    """What a sparse method takes from the recipe."""
    tuned = recipe.finetune
    names = ("batch_size", "lr", "weight_decay", "precision", "reestimate_batch_norm", "shuffle")
    sizes = {"n_features": recipe.assign.n_features, "features_per_class": recipe.assign.features_per_class}
    return sizes | {name: getattr(tuned, name) for name in names}


def _epochs(published: int, tuned: FinetuneConfig) -> int:
    """Epochs in proportion to those of the recipe's fine-tuning."""
    return max(1, round(published * tuned.epochs / FinetuneConfig().epochs))
