"""The schema of a recipe: a tree of dataclasses, composed of the settings that each component declares."""

import copy
import dataclasses
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from tuner.base.settings import setting
from tuner.data.settings import DataConfig
from tuner.features.settings import BackboneConfig, BackboneSettings
from tuner.qpm.resnet.settings import ResnetFinetuneConfig, ResnetSource
from tuner.qpm.settings import AdapterConfig, AssignConfig, DenseConfig, FinetuneConfig
from tuner.recipe.samplers import SamplerConfig, SamplerSettings
from tuner.recipe.stopping import StoppingConfig

# Short names of the fields people search over; every other field is named by its dotted path.
SHORT_NAMES = {
    "n_features": "assign.n_features",
    "features_per_class": "assign.features_per_class",
    "width": "adapter.width",
    "hidden": "adapter.hidden",
    "l1": "finetune.l1",
}

# Parts of a recipe that say how a search runs, not what a trial's value is; they may change on resuming.
RUNTIME_PARTS = ("budget", "stopping", "confirm", "resources", "tracking")

# Fields that say where things lie on one machine; what lies there is in the feature bank's key.
PLACES = (
    *("title", "data.root", "data.masks", "data.split_file", "data.manifest"),
    *("backbone.weights", "backbone.batch_size", "resnet.weights"),
)


@dataclass
class PricesConfig:
    """What resources cost, for `budget.money` and for the cost that is shown."""

    cpu_hour: float = setting(0.0, "price of one CPU core for an hour; 0: free, or not known", low=0.0)
    gpu_hour: float = setting(0.0, "price of one GPU for an hour; 0: free, or not known", low=0.0)
    currency: str = setting("USD", "of the prices, as it is shown")


@dataclass
class BudgetConfig:
    """How much a search may spend; it ends at whichever limit is first."""

    trials: int = setting(40, "trials in all; a larger number on a later start means more", low=1)
    parallel: int = setting(4, "trials in flight at once", low=1, high=1024)
    time_limit_s: float = setting(
        0.0, "search time in seconds, over all starts, after which the search ends; 0: no limit", low=0.0, unit="s"
    )
    cpu_hours: float = setting(
        0.0, "CPU hours that stages may hold, over all starts: cores times run time; 0: no limit", low=0.0, unit="h"
    )
    gpu_hours: float = setting(
        0.0,
        "GPU hours that stages may hold, over all starts: GPU shares times run time; 0: no limit",
        low=0.0,
        unit="h",
    )
    money: float = setting(
        0.0, "money that these hours may cost, at `budget.prices`, in their currency; 0: no limit", low=0.0
    )
    prices: PricesConfig = field(default_factory=PricesConfig)
    patience: int = setting(
        0,
        "end when this many trials have added nothing beyond noise to the hypervolume; 0: never",
        low=0,
        unit="trials",
    )
    tolerance: float = setting(
        0.01, "share of the hypervolume up to which growth counts as nothing, for `budget.patience`", low=0.0, high=1.0
    )
    retries: int = setting(2, "new attempts at a trial whose coordinator died, and at a stage that hung", low=0)


@dataclass
class ConfirmConfig:
    """How the front of a search is confirmed: members are trained and measured again, so that it has error bars."""

    seeds: int = setting(
        3, "seeds of each confirmed member in all, that of the search included; 1: no further ones", low=1, high=100
    )
    splits: int = setting(
        1, "validation splits of each confirmed member in all, that of the search included", low=1, high=100
    )
    share: float = setting(
        0.5,
        "largest share of all runs, trials and confirmations together, that a search spends on confirming, at least "
        "one member; 0: none",
        low=0.0,
        high=0.9,
    )

    @property
    def runs(self) -> int:
        """Runs that confirm one member: all seeds on all splits, but for the search's own run."""
        return self.seeds * self.splits - 1

    @property
    def kept(self) -> float:
        """The share of each limit of the budget that trials leave for confirming."""
        return self.share if self.runs else 0.0

    def most_members(self, n_trials: int) -> int:
        """How many members a search confirms by itself after so many trials, if its front has as many."""
        if self.kept == 0:
            return 0
        return max(1, math.floor(n_trials * self.kept / (1 - self.kept) / self.runs + 1e-9))


@dataclass
class StageResources:
    """What one run of a stage holds while it runs."""

    cpus: float = setting(1.0, "CPU cores, also the number of threads", low=0.0, unit="cores")
    gpus: float = setting(
        0.0,
        "share of a GPU, 0.25 lets four runs share one; -1: what the cluster says (`QPM_TUNER_GPU_SHARE`), "
        "else one GPU where there is one",
        low=0.0,
        automatic=-1.0,
        unit="GPUs",
    )
    timeout_s: float = setting(
        -1.0,
        "wall time of one run in seconds, after which it counts as hung and is tried again; 0: never; "
        "-1: when it has not got on for ten minutes, or longer where it was seen to need longer",
        low=0.0,
        automatic=-1.0,
        unit="s",
    )


@dataclass
class ResourcesConfig:
    """Resources of each stage, and of each worker that extracts features on a cluster."""

    extract: StageResources = field(default_factory=lambda: StageResources(1.0, -1.0))
    dense: StageResources = field(default_factory=lambda: StageResources(1.0, -1.0))
    assign: StageResources = field(default_factory=StageResources)
    finetune: StageResources = field(default_factory=lambda: StageResources(1.0, -1.0))
    evaluate: StageResources = field(default_factory=lambda: StageResources(1.0, -1.0))


@dataclass
class TrackingConfig:
    """The MLflow mirror."""

    uri: str = setting("", "MLflow tracking URI; empty: MLFLOW_TRACKING_URI, else sqlite beside the store")
    enabled: bool = setting(True, "mirror the search to MLflow")


@dataclass
class Recipe:
    """A whole search, validated."""

    title: str = setting("", "one line that says what this search is about")
    data: DataConfig = field(default_factory=DataConfig)
    backbone: BackboneSettings = field(default_factory=BackboneConfig)
    adapter: AdapterConfig = field(default_factory=AdapterConfig)
    dense: DenseConfig = field(default_factory=DenseConfig)
    assign: AssignConfig = field(default_factory=AssignConfig)
    finetune: FinetuneConfig = field(default_factory=FinetuneConfig)
    resnet: ResnetSource = field(default_factory=ResnetSource)
    resnet_qpm: ResnetFinetuneConfig = field(default_factory=ResnetFinetuneConfig)
    protocol: str = setting(
        "validation",
        "validation: objectives on a split cut from train; paper: train on all of train, report test",
        choices=("validation", "paper"),
    )
    validation_fraction: float = setting(0.2, "share of each class's training images held out", low=0.01, high=0.9)
    seed: int = setting(0, "seed of splits, proposals, training and program", low=0, high=2**32 - 1)
    space: dict[str, Any] = setting({}, "what is searched: {name: {choices: [..]}} or {low, high, step, log}")
    objectives: list[str] = setting(
        ["accuracy", "plausibility_undilated", "class_independence"],
        "metrics or parameters to optimise, `name`, `name:max` or `name:min`",
    )
    constraints: list[str] = setting(
        [], "what a member of the front has to satisfy, `NAME >= NUMBER` or `NAME <= NUMBER` of a metric or parameter"
    )
    reference: dict[str, float] = setting(
        {}, "the worst value of an objective that still counts, by name: the hypervolume's reference point"
    )
    points: list[dict[str, Any]] = setting(
        [], "points of the space that are tried first, in this order: [{NAME: VALUE, ..}, ..]"
    )
    sampler: SamplerSettings = field(default_factory=SamplerConfig)
    budget: BudgetConfig = field(default_factory=BudgetConfig)
    stopping: StoppingConfig = field(default_factory=StoppingConfig)
    confirm: ConfirmConfig = field(default_factory=ConfirmConfig)
    resources: ResourcesConfig = field(default_factory=ResourcesConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)

    def to_dict(self) -> dict[str, Any]:
        """The recipe as plain nested dictionaries."""
        return dataclasses.asdict(self)

    def to_yaml(self) -> str:
        """The recipe as YAML, in the order of its fields."""
        return yaml.safe_dump(self.to_dict(), sort_keys=False, allow_unicode=True)

    def at(self, params: Mapping[str, Any]) -> "Recipe":
        """The recipe of one trial: searched fields replaced by the trial's parameters."""
        trial = copy.deepcopy(self)
        for name, value in params.items():
            group, _, last = SHORT_NAMES.get(name, name).rpartition(".")
            setattr(lookup(trial, group) if group else trial, last, value)
        return trial

    def parameters(self) -> dict[str, Any]:
        """The named parameters of this recipe: the usual four, every searched field, every size that is optimised."""
        sizes = [name for name in (entry.partition(":")[0] for entry in self.objectives) if name in SHORT_NAMES]
        names = dict.fromkeys(["n_features", "features_per_class", "width", "seed", *self.space, *sizes])
        return {name: lookup(self, SHORT_NAMES.get(name, name)) for name in names}


def walk(config: Any, prefix: str = "") -> Iterator[tuple[str, Any, dataclasses.Field[Any]]]:
    """Every field of a config and of the groups in it: (dotted key, value, declaration)."""
    for info in dataclasses.fields(config):
        value = getattr(config, info.name)
        if dataclasses.is_dataclass(value):
            yield from walk(value, f"{prefix}{info.name}.")
        else:
            yield f"{prefix}{info.name}", value, info


def lookup(recipe: Recipe, path: str) -> Any:
    """The value of a dotted key."""
    value: Any = recipe
    for part in path.split("."):
        value = getattr(value, part)
    return value
