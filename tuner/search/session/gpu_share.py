"""The share of a GPU that a stage holds where its recipe leaves it to the cluster (`gpus: -1`).

A cluster whose GPU workers come and go has none while nobody works. What its stages hold must not depend on who worked
just before, so whoever sets the cluster up says it in one place.
"""

import os

from tuner.errors import UsageError

VARIABLE = "QPM_TUNER_GPU_SHARE"


def gpu_share(gpus: float, *, grows: bool) -> float:
    """The share: that of `$QPM_TUNER_GPU_SHARE`, else one GPU if there is one.

    Args:
        gpus: GPUs of the cluster now.
        grows: whether there may be more later; where there may not and there is none, the share is 0.

    Raises:
        UsageError: the variable is no share.
    """
    if not (gpus or grows):
        return 0.0
    asked = os.environ.get(VARIABLE, "").strip()
    if not asked:
        return 1.0 if gpus else 0.0
    try:
        share = float(asked)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:  # a stage uses one GPU at most
        raise UsageError(
            f"{VARIABLE} is {asked!r}",
            "a share of a GPU from 0 (stages run on CPUs) to 1",
            "set it where the cluster sets its variables, such as to 0.5, or leave it out",
        )
    return share
