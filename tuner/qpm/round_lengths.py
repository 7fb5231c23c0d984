"""How many epochs each round of a training has; without torch, so that a recipe can be checked by it."""

from tuner.errors import UsageError


def round_lengths(epochs: int, rounds: int, round_epochs: int, stage: str) -> list[int]:
    """The epochs of each round: `round_epochs`, but the last takes the rest (docs/explanation/method.md#rounds).

    Raises:
        UsageError: the rounds before the last leave it no epoch, naming the fields of `stage`.
    """
    before = (rounds - 1) * round_epochs
    if before >= epochs:
        raise UsageError(
            f"{stage}.epochs is {epochs}, and {rounds - 1} of its {rounds} rounds take {before}",
            "epochs > (rounds - 1) * round_epochs, so that the last round has some",
            f"raise {stage}.epochs, or lower {stage}.rounds or {stage}.round_epochs",
        )
    return [round_epochs] * (rounds - 1) + [epochs - before]
