"""Training in rounds, each from the averaged weights of the one before it at a lower learning rate
(docs/explanation/method.md#rounds).

CHiQPM fine-tunes so; Q-SENN makes its head anew before each round.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tuner.errors import UsageError
from tuner.features.samples import Samples
from tuner.qpm.classifier import Classifier
from tuner.qpm.settings import FinetuneConfig, QsennConfig
from tuner.qpm.training import DivergedError, Progress, fit


def round_lengths(config: FinetuneConfig | QsennConfig, stage: str) -> list[int]:
    """The epochs of each round.

    Raises:
        UsageError: the rounds before the last leave it no epoch.
    """
    before = (config.rounds - 1) * config.round_epochs
    if before >= config.epochs:
        raise UsageError(
            f"{stage}.epochs is {config.epochs}, and {config.rounds - 1} of its {config.rounds} rounds take {before}",
            "epochs > (rounds - 1) * round_epochs, so that the last round has some",
            f"raise {stage}.epochs, or lower {stage}.rounds or {stage}.round_epochs",
        )
    return [config.round_epochs] * (config.rounds - 1) + [config.epochs - before]


def fit_rounds(
    model: Classifier,
    train: Samples,
    config: FinetuneConfig | QsennConfig,
    *,
    stage: str,
    seed: int,
    begin: Callable[[int], None] | None = None,
    progress: Progress | None = None,
    checkpoint: Path | None = None,
) -> None:
    """Train `model` in place by `fit`, in rounds; with one round it is `fit`. Curves and progress count all epochs.

    Args:
        model: on its device, at its starting weights.
        train: samples on the same device.
        config: settings of the stage.
        stage: its name, for errors and the random stream; each round has a stream of its own.
        seed: of batch order and dropout.
        begin: called with the number of each round, from 0, before it; it may change the head.
        progress: called after each epoch.
        checkpoint: file of the first round; those of the others lie beside it.

    Raises:
        DivergedError: the loss became NaN or infinite.
        UsageError: the rounds leave no epoch to the last; a checkpoint is of another run.
    """
    curves: list[dict[str, float]] = []
    for number, epochs in enumerate(round_lengths(config, stage)):
        done = len(curves)

        def report(epoch: int, _: int, row: dict[str, float], done: int = done) -> None:
            if progress is not None:
                progress(done + epoch, config.epochs, row | {"epoch": done + epoch})

        if begin is not None:
            begin(number)
        settings = replace(config, epochs=epochs, lr=config.lr * config.round_decay**number)
        name = f"{stage} {number + 1}" if number else stage
        file = checkpoint.with_name(f"{checkpoint.name}.{number + 1}") if checkpoint and number else checkpoint
        try:
            fit(model, train, settings, stage=name, seed=seed, progress=report, checkpoint=file)
        except DivergedError as error:
            raise DivergedError(stage, done + error.epoch, error.lr) from None
        curves += [row | {"epoch": done + row["epoch"]} for row in model.curves]
    model.curves = curves
