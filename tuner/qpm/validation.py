"""Learning curves on held-out images, measured while a stage trains without touching it
(docs/explanation/method.md#learning-curves).
"""

import copy
import math
from dataclasses import dataclass

import torch
from schedulefree import AdamWScheduleFree
from torch import Tensor

from tuner.features.feeding import gathered
from tuner.features.samples import Samples
from tuner.qpm.batch_norm import reestimate_batch_norm
from tuner.qpm.classifier import BATCH, Activations, Classifier
from tuner.qpm.curves import VALIDATION
from tuner.qpm.losses import loss_terms
from tuner.qpm.settings import TrainingConfig

SHARE = 4  # at most one held-out image to so many training images, which bounds what a measurement costs
NORM_IMAGES = 64  # training images that the batch-norm statistics of a measured model rest on, at least
NORM_TOKENS = 4096  # and their tokens


def is_due(epoch: int, epochs: int) -> bool:
    """Whether there is a measurement after an epoch: 1, 2, 3, 5, 8, 13, ... (Fibonacci's numbers), and the last."""
    one, two = 1, 2
    while one < epoch:
        one, two = two, one + two
    return epoch in (one, epochs)


def evenly(n: int, most: int) -> Tensor:
    """At most `most` of n rows, evenly spaced, (m,) int64."""
    m = min(n, most)
    return torch.arange(m) * n // max(m, 1)


@dataclass(frozen=True)
class Validation:
    """Held-out images that a stage is measured on while it trains.

    Args:
        samples: these images, near the device that trains.
        epochs: of the whole stage, all rounds together.
        done: epochs of the rounds before.
    """

    samples: Samples
    epochs: int
    done: int = 0

    def measure(
        self,
        epoch: int,
        model: Classifier,
        optimizer: AdamWScheduleFree,
        train: Samples,
        rows: Tensor,
        config: TrainingConfig,
    ) -> dict[str, float]:
        """Loss, cross-entropy and accuracy (%) after an epoch of a round, and the images they rest on.

        Model, optimiser and random state stay bit for bit as they are. The loss has the terms that are trained on,
        in training's precision, without dropout, at the averaged weights.

        Args:
            epoch: counted from 1 in this round.
            model: in training.
            optimizer: of its weights.
            train: the training images.
            rows: (m,) int64, those that are trained on.
            config: settings of this round.

        Returns:
            Nothing where no measurement is due, or the loss is not finite.
        """
        if not is_due(self.done + epoch, self.epochs):
            return {}
        at_the_mean = averaged(model, optimizer)
        if config.reestimate_batch_norm:
            n_some = max(NORM_IMAGES, -(-NORM_TOKENS // train.patches.shape[1]))
            some = rows[evenly(len(rows), n_some)]
            reestimate_batch_norm(at_the_mean, gathered(train, some, n_some))
        at_the_mean.eval()
        chosen = evenly(len(self.samples), max(1, len(rows) // SHARE))
        sums = torch.zeros(3, device=train.device)
        with torch.no_grad():
            for patches, cls, labels in gathered(self.samples, chosen, BATCH):
                activations: Activations = at_the_mean(patches, cls)
                terms = loss_terms(activations, labels, at_the_mean.weight, config)
                correct = 100.0 * (activations.logits.argmax(1) == labels).float().mean()
                values = torch.stack([*terms.values()]).sum(), terms["cross_entropy"], correct
                sums += torch.stack(values) * len(labels)
        loss, entropy, accuracy = (sums / len(chosen)).cpu().tolist()
        if not (math.isfinite(loss) and math.isfinite(entropy)):
            return {}
        found = {"loss": loss, "cross_entropy": entropy, "accuracy": accuracy, "n_images": len(chosen)}
        return {f"{VALIDATION}{name}": value for name, value in found.items()}


def averaged(model: Classifier, optimizer: AdamWScheduleFree) -> Classifier:
    """A copy of a model in training, at the averaged weights xbar instead of y.

    The optimiser's own way there and back rounds, and would change the training.
    """
    copied = copy.deepcopy(model)
    for group in optimizer.param_groups:
        names = {id(weight) for weight in group["params"]}
        for weight, copy_of_it in zip(model.parameters(), copied.parameters(), strict=True):
            state = optimizer.state.get(weight, {})
            if id(weight) in names and "z" in state:
                copy_of_it.data.lerp_(state["z"], 1 - 1 / group["betas"][0])
    return copied
