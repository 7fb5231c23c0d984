"""The largest strength of each feature in training: the common scale for all its maps."""

import numpy as np
import torch
from numpy.typing import NDArray

from tuner.features.bank import FeatureBank
from tuner.features.likeness import spread
from tuner.qpm.finetuning import QpmModel
from tuner.qpm.program_input import SMALLEST_STD

IMAGES = 2000  # at most this many training images are looked at, spread evenly
CHUNK = 100

# A feature whose whole map stayed below this share of its deviation could not move a logit by more than this share:
# such a feature is silent, and is not blown up to full strength.
SILENT = 0.02


@torch.no_grad()
def full_strength(model: QpmModel, bank: FeatureBank) -> NDArray[np.float32]:
    """The value of each feature's map that is shown at full strength, (n_features,) > 0.

    It is the largest value anywhere on those training images, so a map of another image is above it only where the
    feature is stronger than it ever was in training.

    Args:
        model: a fine-tuned or assigned model.
        bank: the feature bank it was trained on.
    """
    rows = spread(np.flatnonzero(bank.is_train), IMAGES)
    strongest = SILENT * model.std.clamp(min=SMALLEST_STD)
    for start in range(0, len(rows), CHUNK):
        samples = bank.samples(rows[start : start + CHUNK]).to(model.mean.device)
        maps, _, _ = model.eval()(
            samples.resident_patches.float(), None if samples.cls is None else samples.cls.float()
        )
        strongest = torch.maximum(strongest, maps.amax(dim=(0, 1)))
    values: NDArray[np.float32] = strongest.float().cpu().numpy()
    return values
