"""Which training images the dense stage is not trained on, so that the program sees features of unmemorised images
(docs/explanation/method.md#held-out-assignment).

A dense model at 100 % on its images hides from the program which classes are alike.
"""

from typing import TYPE_CHECKING

import numpy as np

from tuner.data.splits import stratified_split
from tuner.errors import UsageError
from tuner.qpm.program.instance.arrays import Bools

if TYPE_CHECKING:
    from tuner.features.samples import Samples

FEWEST_TRAINED = 2  # images of a class that stay with the dense stage
FEWEST = FEWEST_TRAINED + 1  # of a class, so that one can be held out
TODO = "set dense.held_out=0 and assign.on=train, or add images"
_STREAM = 0xDE  # apart from other draws with the same seed


def trained_images(train: "Samples", share: float, seed: int) -> Bools:
    """Cut a share of every class from the images of the dense stage; the same for the same images, share and seed.

    Copies of an image stay on one side. At least one image of a class is cut; where there are no copies, two are left.

    Args:
        train: the training images.
        share: of each class, in [0, 1); 0 cuts nothing.
        seed: of the draw.

    Returns:
        (n,) bool, True where the dense stage trains on the image.

    Raises:
        UsageError: a class has fewer than three images, or fewer than two that differ.
    """
    labels = train.labels.cpu().numpy()
    trained = np.ones(len(labels), dtype=np.bool_)
    if share == 0.0:
        return trained
    classes, counts = np.unique(labels, return_counts=True)
    if (counts < FEWEST).any():
        worst = int(counts.argmin())
        raise UsageError(
            f"class {classes[worst]} has {counts[worst]} training images, and dense.held_out={share:g}",
            f"at least {FEWEST} of each class: {FEWEST_TRAINED} to train on, one to hold out",
            TODO,
        )
    content = None if train.content is None else train.content.cpu().numpy()
    if content is not None and len(np.unique(content)) < len(content):
        try:
            return ~stratified_split(labels, share, seed, content=content)
        except UsageError as error:
            raise UsageError(f"dense.held_out={share:g}: {error.what}", error.expected, TODO) from None
    draw = np.random.default_rng([seed, _STREAM])
    for label, count in zip(classes, counts, strict=True):
        n_cut = min(max(round(share * count), 1), count - FEWEST_TRAINED)
        trained[draw.permutation(np.flatnonzero(labels == label))[:n_cut]] = False
    return trained
