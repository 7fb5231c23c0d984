"""Settings of the ResNet baselines; defaults are the published ones (docs/explanation/method.md#resnet)."""

from dataclasses import dataclass, fields
from typing import Any

from tuner.base.settings import setting


@dataclass
class ResnetTraining:
    """What both trainings share; the defaults are those of the baseline."""

    epochs: int = setting(150, "passes over the training images", low=1, unit="epochs")
    batch_size: int = setting(16, "images per step", low=2, unit="images")
    augment: bool = setting(True, "crop, flip, jitter and TrivialAugment in training; false: centre crops only")
    lr: float = setting(5e-3, "learning rate of SGD", low=0.0)
    momentum: float = setting(0.9, "momentum of SGD", low=0.0, high=1.0)
    weight_decay: float = setting(5e-4, "weight decay", low=0.0)
    step_epochs: int = setting(30, "epochs after which the learning rate falls", low=1, unit="epochs")
    decay: float = setting(0.4, "factor by which it falls", low=0.0, high=1.0)
    diversity: float = setting(0.196, "weight of the feature-diversity loss (beta)", low=0.0)
    dropout: float = setting(0.2, "dropout on the pooled features", low=0.0, high=0.9)


@dataclass
class ResnetConfig(ResnetTraining):
    """End-to-end training of a ResNet with a linear head."""

    crop: int = setting(224, "side of the random crop in training, of the centre crop otherwise", low=32, unit="pixels")


@dataclass
class ResnetFinetuneConfig(ResnetTraining):
    """Fine-tuning of the whole ResNet behind the fixed binary head."""

    epochs: int = setting(40, "passes over the training images", low=1, unit="epochs")
    lr: float = setting(1e-4, "learning rate of SGD", low=0.0)
    momentum: float = setting(0.95, "momentum of SGD", low=0.0, high=1.0)
    step_epochs: int = setting(10, "epochs after which the learning rate falls", low=1, unit="epochs")
    dropout: float = setting(0.1, "dropout on the pooled features", low=0.0, high=0.9)


@dataclass
class ResnetSource(ResnetConfig):
    """The ResNet of a recipe: which one it is, and how it is trained. Both baselines start from it."""

    depth: int = setting(50, "layers", choices=(18, 34, 50))
    weights: str = setting(
        "", "initial weights: local file or folder, hub name, or `none` for random ones; empty: ImageNet from the hub"
    )

    def training(self) -> dict[str, Any]:
        """The settings that shape the training; depth and weights are in the key of the bank of pixels."""
        return {info.name: getattr(self, info.name) for info in fields(ResnetConfig)}


@dataclass
class ResnetShape:
    """What a trained ResNet is made of: kept with its weights."""

    depth: int = setting(50, "layers", choices=(18, 34, 50))
    crop: int = setting(224, "side of the centre crop", low=32, unit="pixels")
    width: int = setting(2048, "channels used as features", low=1)
