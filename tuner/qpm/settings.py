"""Settings of the method, one dataclass per stage; importing them does not import torch.

Defaults are the published DINO-QPM configuration (docs/explanation/method.md#published-settings) unless the help says otherwise.
"""

from dataclasses import dataclass
from typing import Any

from tuner.base.settings import setting

POOLINGS = ("avg", "max", "cls", "mean_avg", "concat_avg", "concat_max")
ACTIVATIONS = ("relu", "gelu", "sigmoid", "leaky_relu", "tanh")
PRECISIONS = ("auto", "float32", "bfloat16")
SHUFFLES = ("full", "blocks")  # see order.py


@dataclass
class AdapterConfig:
    """The MLP between frozen tokens and features (docs/explanation/method.md#adapter)."""

    width: int = setting(512, "features the adapter puts out before selection (U)", low=1)
    hidden: int = setting(2048, "hidden width (H)", low=1)
    n_layers: int = setting(4, "number of linear layers (L)", low=1, high=16)
    pooling: str = setting("avg", "how a feature is made from its map", choices=POOLINGS)
    activation: str = setting("relu", "activation after every layer", choices=ACTIVATIONS)
    dropout: float = setting(0.0, "inner dropout, not after the last layer", low=0.0, high=0.9)
    cls_in_batch_norm: bool = setting(True, "let the CLS token count in the batch statistics (parity)")
    batch_norm: bool = setting(True, "batch normalisation after every linear layer")
    residual: bool = setting(False, "add the token itself before the last activation; needs width = width of a token")
    scale: bool = setting(False, "multiply every feature map by a learnt number, then ReLU")


@dataclass
class TrainingConfig:
    """What both trained stages share; the defaults are those of the dense stage."""

    epochs: int = setting(25, "passes over the training images", low=1, unit="epochs")
    batch_size: int = setting(32, "images per step", low=2, unit="images")
    lr: float = setting(1e-3, "learning rate of schedule-free AdamW", low=0.0)
    weight_decay: float = setting(7e-4, "weight decay", low=0.0)
    diversity: float = setting(0.5, "weight of the feature-diversity loss (beta)", low=0.0)
    l1: float = setting(0.0, "weight of L1-FM, the mean absolute feature map", low=0.0)
    l1_vector: float = setting(0.0, "weight of L1-FV, the mean absolute pooled feature", low=0.0)
    grounding: float = setting(
        0.0, "weight of CHiQPM's grounding loss, which quiets features in images of classes without them", low=0.0
    )
    dropout: float = setting(0.2, "dropout on the pooled features", low=0.0, high=0.9)
    reestimate_batch_norm: bool = setting(True, "one pass over train at the averaged weights after training")
    precision: str = setting(
        "auto",
        "of the adapter in training; auto: bfloat16 where the device computes it fast, settled when a search starts",
        choices=PRECISIONS,
    )

    shuffle: str = setting(
        "full",
        "order of the images of an epoch: full: any; blocks: stretches of 4 MB of tokens mixed 256 MB at a time, for"
        " tokens on a slow disk",
        choices=SHUFFLES,
    )


@dataclass
class DenseConfig(TrainingConfig):
    """Dense training (docs/explanation/method.md#dense-stage)."""

    held_out: float = setting(
        0.0, "share of each class's training images that the dense stage is not trained on", low=0.0, high=0.9
    )
    grounding: float = setting(
        0.0, "0: before the program has chosen, no feature belongs to a class", low=0.0, high=0.0
    )


@dataclass
class AssignConfig:
    """The quadratic program (docs/explanation/method.md#assignment-stage)."""

    n_features: int = setting(50, "features selected (N_f)", low=1)
    features_per_class: int = setting(5, "features per class (N_f^c)", low=1)
    variant: str = setting("released", "pair set of the penalty", choices=("released", "paper"))
    locality_bias: str = setting(
        "variant", "locality bias: as the variant does, or on, or off", choices=("variant", "on", "off")
    )
    gap: float = setting(0.005, "relative gap to the proven bound at which the program may stop", low=0.0)
    effort: int = setting(
        400_000,
        "work after which the program stops: simplex iterations, a minute or so for 512 features and 200 classes",
        low=0,
    )
    deadline_s: float = setting(
        600.0,
        "wall time of the program, seconds: a safety net; an answer that it cuts short is marked so",
        low=0.0,
        unit="s",
    )
    control: str = setting(
        "none", "random: draw the assignment at random instead (a control)", choices=("none", "random")
    )
    forced_pairs: int = setting(
        0, "most similar class pairs that must share all features but one; CHiQPM: half as many as classes", low=0
    )
    on: str = setting(
        "train",
        "images that the program, the means and the deviations rest on: all of train, or what dense.held_out holds out",
        choices=("train", "held_out"),
    )


# settings younger than their stage's code version, with the value that changes nothing: a key does not name them
ADDED_SINCE: dict[str, Any] = {"shuffle": "full"}


def keyed(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings that enter a stage's key: a younger one only if it changes something, so that old keys stay."""
    return {name: value for name, value in settings.items() if ADDED_SINCE.get(name, ...) != value}


@dataclass
class RoundsConfig:
    """Training in rounds, the last without the grounding loss: each starts from the averaged weights of the one before it (docs/explanation/method.md#rounds)."""

    rounds: int = setting(1, "rounds of training", low=1, high=1000)
    round_epochs: int = setting(10, "epochs of every round but the last, which takes the rest", low=1, unit="epochs")
    round_decay: float = setting(0.9, "factor on the learning rate from round to round", low=0.0, high=1.0)


@dataclass
class FinetuneConfig(RoundsConfig, TrainingConfig):
    """Fine-tuning behind the fixed binary head (docs/explanation/method.md#finetune-stage)."""

    batch_size: int = setting(16, "images per step", low=2, unit="images")
    lr: float = setting(5e-3, "learning rate of schedule-free AdamW", low=0.0)
    weight_decay: float = setting(8e-4, "weight decay", low=0.0)
    diversity: float = setting(1.0, "weight of the feature-diversity loss (beta)", low=0.0)
    l1: float = setting(
        6.0,
        "weight of L1-FM, the mean absolute feature map; 6 does what the published 5 L1-FM + 1 L1-FV do where x is the"
        " mean of its map",
        low=0.0,
    )
    dropout: float = setting(0.0, "dropout on the pooled features", low=0.0, high=0.9)
    rectified: bool = setting(False, "a feature below its mean adds 0 to a class, not its negative z-score (CHiQPM)")


@dataclass
class PathConfig:
    """The regularisation path that selects features, and the one that gives their weights (docs/explanation/method.md#glm-path)."""

    held_out: float = setting(
        0.1, "share of every class that the paths are not fitted on, to score them", low=0.0, high=0.9
    )
    select_alpha: float = setting(0.8, "elastic net of the selection: share of the columns' norms", low=0.01, high=1.0)
    select_from: float = setting(0.1, "first lambda of the selection, as a share of the largest", low=0.0, high=1.0)
    select_to: float = setting(1e-4, "last lambda of the selection above zero, likewise", low=0.0, high=1.0)
    select_lambdas: int = setting(100, "lambdas of the selection, evenly spaced in their logarithm", low=2)
    path_alpha: float = setting(0.99, "elastic net of the weights: share of their absolute values", low=0.01, high=1.0)
    path_to: float = setting(1e-3, "last lambda of the weights, as a share of the largest", low=0.0, high=1.0)
    tolerance: float = setting(
        0.01, "violation of the optimality condition at which a lambda is done, as a share of it", low=0.0
    )
    most_steps: int = setting(
        2000, "steps after which a lambda is left unfinished", low=1, unit="passes over the images"
    )


@dataclass
class SparseConfig(TrainingConfig, PathConfig):
    """What SLDD and Q-SENN share: a sparse head with signed weights, and an adapter trained behind it."""

    n_features: int = setting(50, "features selected (N_f)", low=1)
    features_per_class: int = setting(5, "features per class, on average over classes", low=1)
    epochs: int = setting(50, "passes over the training images", low=1, unit="epochs")
    batch_size: int = setting(16, "images per step", low=2, unit="images")
    lr: float = setting(5e-3, "learning rate of schedule-free AdamW", low=0.0)
    weight_decay: float = setting(8e-4, "weight decay", low=0.0)
    diversity: float = setting(0.196, "weight of the feature-diversity loss (beta)", low=0.0)
    dropout: float = setting(0.1, "dropout on the pooled features", low=0.0, high=0.9)
    grounding: float = setting(0.0, "0: the grounding loss is one of binary heads", low=0.0, high=0.0)


@dataclass
class SlddConfig(SparseConfig):
    """DINO-SLDD (docs/explanation/method.md#sldd)."""

    path_lambdas: int = setting(100, "lambdas of the weights, evenly spaced in their logarithm", low=2)
    densest: float = setting(10.0, "the densest model of the path that counts, in nonzero weights per class", low=0.0)


@dataclass
class QsennConfig(RoundsConfig, SparseConfig):
    """DINO-QSENN (docs/explanation/method.md#qsenn)."""

    epochs: int = setting(100, "passes over the training images, of all rounds together", low=1, unit="epochs")
    rounds: int = setting(4, "times that the head is made anew and the adapter trained behind it", low=1, high=1000)
    round_epochs: int = setting(25, "epochs of every round but the last, which takes the rest", low=1, unit="epochs")
    round_decay: float = setting(1.0, "factor on the learning rate from round to round", low=0.0, high=1.0)


SPARSE_DENSE = DenseConfig(epochs=40, diversity=0.196)
"""The dense stage that SLDD and Q-SENN start from, as published."""
