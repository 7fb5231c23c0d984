"""Training in rounds, each from the averaged weights of the one before it at a lower learning rate
(docs/explanation/method.md#rounds).

CHiQPM fine-tunes so; Q-SENN makes its head anew before each round.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tuner.features.samples import Samples
from tuner.qpm.classifier import Classifier
from tuner.qpm.curves import of_training
from tuner.qpm.round_lengths import round_lengths
from tuner.qpm.settings import FinetuneConfig, QsennConfig
from tuner.qpm.training import DivergedError, Progress, fit
from tuner.qpm.validation import Validation


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
    until: int | None = None,
    validation: Samples | None = None,
) -> None:
    """Train `model` in place by `fit`, in rounds; with one round it is `fit`. Curves and progress count all epochs.

    The last of several rounds is without the grounding loss.

    Args:
        model: on its device, at its starting weights.
        train: samples on the same device.
        config: settings of the stage.
        stage: its name, for errors and the random stream; each round has a stream of its own.
        seed: of batch order and dropout.
        begin: called with the number of each round, from 0, before it; it may change the head.
        progress: called after each epoch.
        checkpoint: file of the first round; those of the others lie beside it.
        until: epochs after which training breaks off, as one of so many epochs that will be continued from the
            checkpoint; the model is the averaged one at that epoch. None: all.
        validation: held-out images for the learning curves, on or near the same device; None: none.

    Raises:
        DivergedError: the loss became NaN or infinite.
        UsageError: the rounds leave no epoch to the last; a checkpoint is of another run.
    """
    curves: list[dict[str, float]] = []

    def counted(row: dict[str, float], done: int) -> dict[str, float]:
        """With the epoch counted over all rounds, and 0 for a term that only earlier rounds had."""
        return {**dict.fromkeys(of_training(curves[:1])[0] if curves else (), 0.0), **row, "epoch": done + row["epoch"]}

    lengths = round_lengths(config.epochs, config.rounds, config.round_epochs, stage)
    for number, length in enumerate(lengths):
        done = len(curves)
        epochs = length if until is None else min(length, until - done)
        if epochs <= 0:
            break

        def report(epoch: int, _: int, row: dict[str, float], done: int = done) -> None:
            if progress is not None:
                progress(done + epoch, until or config.epochs, counted(row, done))

        if begin is not None:
            begin(number)
        settings = replace(config, epochs=epochs, lr=config.lr * config.round_decay**number)
        if number and number == len(lengths) - 1:
            settings.grounding = 0.0
        name = f"{stage} {number + 1}" if number else stage
        file = checkpoint.with_name(f"{checkpoint.name}.{number + 1}") if checkpoint and number else checkpoint
        watched = None if validation is None else Validation(validation, config.epochs, done)
        try:
            fit(model, train, settings, stage=name, seed=seed, progress=report, checkpoint=file, validation=watched)
        except DivergedError as error:
            raise DivergedError(stage, done + error.epoch, error.lr) from None
        curves += [counted(row, done) for row in model.curves]
    model.curves = curves
