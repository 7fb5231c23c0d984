"""The table of stages of trials and baselines; all code about stages iterates over it.

To add a stage, add a row here, a function in `execute/runners.py` and, if it has settings, a section of the recipe. The
keys of trials, the order in displays and in the report, precision and cleanup follow from the row.

The lowest module in `tuner.search`. It imports neither torch nor Ray, so runners and models are given by name.
"""

import importlib
from dataclasses import dataclass
from typing import Any, Literal

from tuner.renamed import renamed_names

RUNNERS = "tuner.search.execute.runners"
SOLVER = "tuner.search.execute.program_runner"
BANKS = "tuner.search.execute.bank_runner"
RUNG = "tuner.search.execute.rung_runner"


@dataclass(frozen=True)
class Stage:
    """One stage.

    Attributes:
        name: its name, which is that of its settings and of its folder in the store.
        version: of its code. Raise it when its result changes for the same settings; the keys of later stages follow by
            their inputs.
        does: `train` a model epoch by epoch, with a precision, checkpoints and learning curves; `solve` the
            program; `measure` a model; or something `other`.
        runner: its function, as "module:function"; it takes a job and the folder of the artifact.
        reads: names of the earlier stages whose artifacts it reads, besides the bank.
        settings: sections of the recipe that shape its result.
        model: the class that loads its model, as "module:class"; empty if it makes none.
        resources: field of the recipe's resources with the resources of a run; empty: its own name.
        of_a_trial: whether it is part of every trial, in the order of the table; others belong to baselines.
        gives_the_model: whether its model is the trial's model.
        keeps_features: whether it keeps the features of the training images for the program.
        makes_a_bank: whether it makes a feature bank. Banks have keys of their own, which hold their own version, and
            its runner publishes them.
    """

    name: str
    version: int
    does: Literal["train", "solve", "measure", "other"]
    runner: str
    reads: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    model: str = ""
    resources: str = ""
    of_a_trial: bool = True
    gives_the_model: bool = False
    keeps_features: bool = False
    makes_a_bank: bool = False

    @property
    def kind(self) -> str:
        """The folder of its artifacts in a store."""
        return "banks" if self.makes_a_bank else f"stages/{self.name}"

    @property
    def curves(self) -> str:
        """The folder of its learning curves in a store, if it has some."""
        return f"curves/{self.name}"

    @property
    def runs_models(self) -> bool:
        """Whether it needs torch, and a GPU where there is one; a program needs neither."""
        return self.does != "solve"

    def load_runner(self) -> Any:
        """Its function, imported now."""
        return _named(self.runner)

    def load_model_class(self) -> Any:
        """The class of its model, imported now."""
        return _named(self.model)


_TABLE = (
    # only trials of a search over backbones have it; other searches have one bank, made before their first trial
    Stage(
        "bank",
        0,
        "other",
        f"{BANKS}:run_bank",
        resources="extract",
        of_a_trial=False,
        makes_a_bank=True,
    ),
    Stage(
        "dense",
        3,
        "train",
        f"{RUNNERS}:run_dense",
        settings=("adapter", "dense"),
        model="tuner.qpm:DenseModel",
        keeps_features=True,
    ),
    Stage("assign", 3, "solve", f"{SOLVER}:run_assign", reads=("dense",), settings=("assign",)),
    Stage(
        "finetune",
        3,
        "train",
        f"{RUNNERS}:run_finetune",
        reads=("dense", "assign"),
        settings=("finetune",),
        model="tuner.qpm:QpmModel",
        gives_the_model=True,
    ),
    # fine-tuning up to an epoch, and a measurement there; only trials of a search that stops early have it
    Stage(
        "rung",
        1,
        "measure",
        f"{RUNG}:run_rung",
        reads=("dense", "assign"),
        settings=("finetune",),
        resources="finetune",
        of_a_trial=False,
    ),
    Stage("evaluate", 3, "measure", f"{RUNNERS}:run_evaluate"),  # reads the measured stage: see `plan.evaluation`
    Stage(
        "probe",
        2,
        "train",
        f"{RUNNERS}:run_probe",
        model="tuner.qpm:LinearProbe",
        resources="dense",
        of_a_trial=False,
    ),
    # their settings are those of `tuner.search.systems.models`, made of the recipe's
    Stage(
        "sldd",
        1,
        "train",
        f"{RUNNERS}:run_sldd",
        reads=("dense",),
        model="tuner.qpm:SparseModel",
        resources="finetune",
        of_a_trial=False,
    ),
    Stage(
        "qsenn",
        1,
        "train",
        f"{RUNNERS}:run_qsenn",
        reads=("dense",),
        model="tuner.qpm:SparseModel",
        resources="finetune",
        of_a_trial=False,
    ),
    Stage(
        "resnet",
        1,
        "train",
        f"{RUNNERS}:run_resnet",
        settings=("resnet",),
        model="tuner.qpm.resnet.model:ResnetModel",
        resources="dense",
        of_a_trial=False,
        keeps_features=True,
    ),
    Stage(
        "resnet_qpm",
        1,
        "train",
        f"{RUNNERS}:run_resnet_qpm",
        reads=("resnet", "assign"),
        settings=("resnet_qpm",),
        model="tuner.qpm.resnet.model:ResnetQpm",
        resources="finetune",
        of_a_trial=False,
    ),
)

STAGES: dict[str, Stage] = {stage.name: stage for stage in _TABLE}
"""All stages by name, in order."""

CODE_VERSIONS = {stage.name: stage.version for stage in _TABLE if not stage.makes_a_bank}
"""Version of the code of each stage: part of every key, and kept with a search."""


def of_a_trial() -> list[Stage]:
    """The stages of every trial, in order; the last one measures."""
    return [stage for stage in STAGES.values() if stage.of_a_trial]


def trained() -> list[Stage]:
    """The stages of a trial that train."""
    return [stage for stage in of_a_trial() if stage.does == "train"]


def with_curves() -> list[Stage]:
    """The stages of a trial that leave learning curves: those that train, and the rung, which trains a part."""
    return [*trained(), rung_stage()]


def bank_stage() -> Stage:
    """The stage that makes the feature bank of a backbone which is searched."""
    return next(stage for stage in STAGES.values() if stage.makes_a_bank)


def program_stage() -> Stage:
    """The stage that solves the program."""
    return next(stage for stage in of_a_trial() if stage.does == "solve")


def measuring_stage() -> Stage:
    """The stage that measures."""
    return next(stage for stage in of_a_trial() if stage.does == "measure")


def rung_stage() -> Stage:
    """The stage that fine-tunes up to an epoch, and measures there."""
    return STAGES["rung"]


def model_stage() -> Stage:
    """The stage whose model is that of the trial."""
    return next(stage for stage in of_a_trial() if stage.gives_the_model)


def _named(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


# This was the module of the broker until version 0.2.
__getattr__ = renamed_names(
    __name__,
    {name: f"tuner.search.execute.broker.{name}" for name in ("StageBroker", "start_broker", "ON_THE_HEAD")},
)
