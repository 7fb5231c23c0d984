"""From a trial's recipe to its four stages, each named by the hash of all that makes it.

The keys follow from settings alone, so they are known before anything runs: a stage that two trials share has
one key, and `n_features` does not enter the dense stage's.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tuner.qpm.settings import keyed
from tuner.recipe import Recipe

# Raise a stage's number when its result changes for the same settings; later stages follow by their inputs.
CODE_VERSIONS = {"dense": 2, "assign": 2, "finetune": 2, "evaluate": 2, "probe": 2}


@dataclass(frozen=True)
class StageSpec:
    """One stage to run: everything its result depends on, and nothing else.

    Attributes:
        stage: dense, assign, finetune, evaluate or probe (a baseline).
        settings: the stage's own settings, as plain JSON.
        inputs: keys of what it reads: the bank and earlier stages.
        seed: seed of the stage's generators.
    """

    stage: str
    settings: dict[str, Any]
    inputs: dict[str, str]
    seed: int

    @cached_property
    def key(self) -> str:
        """Hash of code version, settings, inputs and seed: the artifact's name."""
        return digest({"code": CODE_VERSIONS[self.stage], **dataclasses.asdict(self)})

    @property
    def kind(self) -> str:
        """The artifact's folder in the store."""
        return f"stages/{self.stage}"


def digest(content: Any) -> str:
    """Hash of a JSON value, stable under the order of keys (32 hexadecimal digits)."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def plan(recipe: Recipe, bank: str) -> list[StageSpec]:
    """The stages of one trial, in order.

    Args:
        recipe: the trial's recipe, parameters filled in (`Recipe.at`), precision settled (`settle_precision`).
        bank: key of the feature bank.
    """
    parts = recipe.to_dict()
    assert "auto" not in (recipe.dense.precision, recipe.finetune.precision), "a key names what `auto` came to"
    # The split is part of what the dense stage saw; `split` repeats in evaluate, which reads both sides.
    split = {
        "protocol": recipe.protocol,
        "validation_fraction": recipe.validation_fraction,
        "split_seed": recipe.data.split_seed,
    }
    adapter, assign = parts["adapter"], keyed(parts["assign"])
    dense = StageSpec(
        "dense", {"adapter": adapter, "dense": parts["dense"], "split": split}, {"bank": bank}, recipe.seed
    )
    program = StageSpec("assign", {"assign": assign, "split": split}, {"bank": bank, "dense": dense.key}, recipe.seed)
    finetune = StageSpec(
        "finetune",
        {"finetune": parts["finetune"], "split": split},
        {"bank": bank, "dense": dense.key, "assign": program.key},
        recipe.seed,
    )
    held_out = "test" if recipe.protocol == "paper" else "validation"
    return [dense, program, finetune, evaluation(finetune, held_out)]


def plan_trial(recipe: Recipe, bank: str, params: Mapping[str, Any]) -> list[StageSpec]:
    """The stages of a trial of the search, from its parameters as the ledger has them."""
    return plan(recipe.at({name: params[name] for name in recipe.space}), bank)


def evaluation(model: StageSpec, held_out: str) -> StageSpec:
    """The stage that measures what stage `model` made (dense, finetune or probe) on `validation` or `test`."""
    settings = {"model": model.stage, "held_out": held_out, "split": model.settings["split"]}
    return StageSpec("evaluate", settings, {**model.inputs, model.stage: model.key}, model.seed)
