"""Turns a trial's recipe into its stages, each named by the hash of everything that determines it.

The keys depend only on settings, so they are known before anything runs. A stage that two trials share has one
key; `n_features` does not enter the key of the dense stage.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tuner.base.metric import added_metrics
from tuner.qpm.settings import keyed
from tuner.recipe import Recipe
from tuner.search.record.searched_banks import Bank, SearchedBanks, bank_key
from tuner.search.stages import CODE_VERSIONS, STAGES, Stage, bank_stage, measuring_stage, model_stage, of_a_trial

PATHS = ("root", "masks", "split_file", "manifest", "weights")  # of data and backbone


@dataclass(frozen=True)
class StageSpec:
    """One stage to run: everything its result depends on, and nothing else.

    Attributes:
        stage: its name in the table of stages.
        settings: the stage's own settings, as plain JSON.
        inputs: keys of what it reads: the bank and earlier stages.
        seed: seed of the stage's generators.
        partner: of a rung, the key of the fine-tuning that continues it; of that fine-tuning, the key of the rung. It
            spares work and changes no result, so it is not in the key. Empty: none.
        named: the key of a feature bank, which follows from contents of images and weights; empty for other stages,
            whose key follows from the rest.
    """

    stage: str
    settings: dict[str, Any]
    inputs: dict[str, str]
    seed: int
    partner: str = ""
    named: str = ""

    @cached_property
    def key(self) -> str:
        """Hash of code version, settings, inputs and seed: the artifact's name."""
        if self.named:
            return self.named
        content = dataclasses.asdict(self)
        del content["partner"], content["named"]
        return digest({"code": CODE_VERSIONS[self.stage], **content})

    @property
    def row(self) -> Stage:
        """The stage's row in the table."""
        return STAGES[self.stage]

    @property
    def kind(self) -> str:
        """The artifact's folder in the store."""
        return self.row.kind

    @property
    def deadline_s(self) -> float:
        """Time limit of its program, seconds; 0: it has no program or no deadline."""
        return float(self.settings.get(self.stage, {}).get("deadline_s", 0.0)) if self.row.does == "solve" else 0.0


def digest(content: Any) -> str:
    """Hash of a JSON value, stable under the order of keys (32 hexadecimal digits)."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def plan(recipe: Recipe, bank: Bank) -> list[StageSpec]:
    """The stages of one trial, in order; where the backbone is searched, the first one makes its feature bank.

    Args:
        recipe: the trial's recipe, parameters filled in (`Recipe.at`), precision settled (`settle_precision`).
        bank: key of the feature bank, or the banks of a search over backbones.
    """
    parts = recipe.to_dict()
    assert "auto" not in (recipe.dense.precision, recipe.finetune.precision), "keys need a resolved precision"
    split = split_of(recipe)
    held_out = "test" if recipe.protocol == "paper" else "validation"
    key, made = bank_key(bank, recipe), dict[str, StageSpec]()
    if isinstance(bank, SearchedBanks):
        made[bank_stage().name] = making(recipe, bank)
    for stage in of_a_trial():
        if stage.does == "measure":
            made[stage.name] = evaluation(made[model_stage().name], held_out)
            continue
        settings = {name: keyed(parts[name]) for name in stage.settings} | {"split": split}
        inputs = {"bank": key} | {name: made[name].key for name in stage.reads}
        made[stage.name] = StageSpec(stage.name, settings, inputs, recipe.seed)
    return list(made.values())


def making(recipe: Recipe, banks: SearchedBanks) -> StageSpec:
    """The stage that makes the feature bank of a trial; another trial or search may have made it before."""
    data = dataclasses.replace(recipe.data, split_seed=banks.split_seed)
    settings = {"data": _anywhere(dataclasses.asdict(data)), "backbone": _anywhere(dataclasses.asdict(recipe.backbone))}
    return StageSpec(bank_stage().name, settings, {}, 0, named=banks.of(recipe).key)


def _anywhere(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings whose paths are whole, since a worker may run in another folder than the driver."""
    there = {name: Path(text) for name in PATHS if (text := settings.get(name))}
    return settings | {name: str(path.absolute()) for name, path in there.items() if path.exists()}


def split_of(recipe: Recipe) -> dict[str, Any]:
    """Which images are on which side: part of what the dense stage saw, and of the evaluation, which reads both."""
    return {
        "protocol": recipe.protocol,
        "validation_fraction": recipe.validation_fraction,
        "split_seed": recipe.data.split_seed,
    }


def plan_trial(recipe: Recipe, bank: Bank, params: Mapping[str, Any]) -> list[StageSpec]:
    """The stages of a trial of the search, from its parameters as the ledger has them."""
    return plan(recipe.at({name: params[name] for name in recipe.space}), bank)


def evaluation(model: StageSpec, held_out: str) -> StageSpec:
    """The stage that measures the model that stage `model` made, on `validation` or `test`."""
    settings = {"model": model.stage, "held_out": held_out, "split": model.settings["split"], **added_metrics()}
    return StageSpec(measuring_stage().name, settings, {**model.inputs, model.stage: model.key}, model.seed)
