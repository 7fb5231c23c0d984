"""The parameters of `QPMClassifier` with their defaults, those of the stages; `QPMClassifier` documents them."""

from typing import Literal

import numpy as np
from sklearn.base import BaseEstimator

from tuner.features.settings import BackboneConfig


class Parameters(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """An estimator with these parameters; each keeps what it was given, and `fit` checks it."""

    def __init__(
        self,
        *,
        n_features: int | Literal["auto"] = "auto",
        features_per_class: int = 5,
        width: int = 512,
        hidden: int = 2048,
        n_layers: int = 4,
        pooling: str = "avg",
        activation: str = "relu",
        adapter_dropout: float = 0.0,
        cls_in_batch_norm: bool = True,
        batch_norm: bool = True,
        residual: bool = False,
        scale: bool = False,
        variant: str = "released",
        locality_bias: str = "variant",
        gap: float = 0.005,
        effort: int = 400_000,
        deadline_s: float = 600.0,
        control: str = "none",
        forced_pairs: int = 0,
        assign_on: str = "train",
        dense_epochs: int = 25,
        dense_batch_size: int = 32,
        dense_lr: float = 1e-3,
        dense_weight_decay: float = 7e-4,
        dense_diversity: float = 0.5,
        dense_l1: float = 0.0,
        dense_l1_vector: float = 0.0,
        dense_dropout: float = 0.2,
        dense_held_out: float = 0.0,
        finetune_epochs: int = 25,
        finetune_batch_size: int = 16,
        finetune_lr: float = 5e-3,
        finetune_weight_decay: float = 8e-4,
        finetune_diversity: float = 1.0,
        finetune_l1: float = 6.0,
        finetune_l1_vector: float = 0.0,
        finetune_grounding: float = 0.0,
        finetune_dropout: float = 0.0,
        finetune_rectified: bool = False,
        finetune_rounds: int = 1,
        finetune_round_epochs: int = 10,
        finetune_round_decay: float = 0.9,
        precision: str = "auto",
        reestimate_batch_norm: bool = True,
        shuffle: str = "full",
        grid: tuple[int, int] | None = None,
        backbone: str | BackboneConfig | None = None,
        random_state: int | np.random.RandomState | None = 0,
        device: str = "auto",
    ) -> None:
        self.n_features = n_features
        self.features_per_class = features_per_class
        self.width = width
        self.hidden = hidden
        self.n_layers = n_layers
        self.pooling = pooling
        self.activation = activation
        self.adapter_dropout = adapter_dropout
        self.cls_in_batch_norm = cls_in_batch_norm
        self.batch_norm = batch_norm
        self.residual = residual
        self.scale = scale
        self.variant = variant
        self.locality_bias = locality_bias
        self.gap = gap
        self.effort = effort
        self.deadline_s = deadline_s
        self.control = control
        self.forced_pairs = forced_pairs
        self.assign_on = assign_on
        self.dense_epochs = dense_epochs
        self.dense_batch_size = dense_batch_size
        self.dense_lr = dense_lr
        self.dense_weight_decay = dense_weight_decay
        self.dense_diversity = dense_diversity
        self.dense_l1 = dense_l1
        self.dense_l1_vector = dense_l1_vector
        self.dense_dropout = dense_dropout
        self.dense_held_out = dense_held_out
        self.finetune_epochs = finetune_epochs
        self.finetune_batch_size = finetune_batch_size
        self.finetune_lr = finetune_lr
        self.finetune_weight_decay = finetune_weight_decay
        self.finetune_diversity = finetune_diversity
        self.finetune_l1 = finetune_l1
        self.finetune_l1_vector = finetune_l1_vector
        self.finetune_grounding = finetune_grounding
        self.finetune_dropout = finetune_dropout
        self.finetune_rectified = finetune_rectified
        self.finetune_rounds = finetune_rounds
        self.finetune_round_epochs = finetune_round_epochs
        self.finetune_round_decay = finetune_round_decay
        self.precision = precision
        self.reestimate_batch_norm = reestimate_batch_norm
        self.shuffle = shuffle
        self.grid = grid
        self.backbone = backbone
        self.random_state = random_state
        self.device = device
