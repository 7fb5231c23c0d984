"""One run of an ablation: settings to metrics, through dense, program and fine-tuning, with the library's functions.

Where the program's coefficients come from (`table`) and where mean and deviation come from (`statistics`) are settings
of their own here, so that each can be changed alone.
"""

import copy
import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tuner.data.splits import stratified_split
from tuner.features.bank import FeatureBank
from tuner.features.samples import Samples
from tuner.qpm.assignment import Assignment
from tuner.qpm.classifier import batches, pooled_features
from tuner.qpm.dense import DenseModel, train_dense
from tuner.qpm.evaluation import evaluate
from tuner.qpm.finetuning import assigned_model, finetune
from tuner.qpm.program import solve
from tuner.qpm.program.instance.coefficients import problem_from_features, relevance
from tuner.qpm.randomness import generator
from tuner.qpm.settings import AdapterConfig, AssignConfig, DenseConfig, FinetuneConfig
from tuner.qpm.training import fit

Floats = np.ndarray


@dataclass(frozen=True)
class Settings:
    """What shapes a run; the defaults are a small adapter, trained for 12 + 6 epochs.

    Args:
        seed: of the cuts, initial weights, batches, solver and control.
        bank: `plain`, `mirrored` (mirrored train images join dense, program and fine-tuning) or `parity` (pixels as
            published for DINO-QPM).
        image_size: side of the input, pixels.
        validation: share of the official train split kept apart; settings are chosen on it.
        early: epochs of the dense model of `table` "early".
        held_out: share of train, by class, that the dense model is not trained on.
        warm_up: epochs on all of train before the folds of `table` "cross" part.
        table: images and model behind A and R. `train`: all that the dense model was trained on. `held_out`: those it
            was not trained on. `rest`: those it was trained on, where a share was held out. `early`: all of train, by
            the same dense model after `early` epochs. `cross`: all of train, each image by the one of two models from
            a common warm-up that was not trained on it afterwards.
        statistics: images and model behind mean and deviation: `table`, or `all` of train by the final dense model.
        l1_ramp: raise the weight of L1 evenly from epoch to epoch, up to `l1` in the last.
    """

    seed: int
    bank: str = "plain"
    image_size: int = 224
    validation: float = 0.2
    width: int = 256
    hidden: int = 256
    n_layers: int = 3
    dense_epochs: int = 12
    dense_weight_decay: float = 7e-4
    dense_dropout: float = 0.2
    batch_norm: bool = True
    held_out: float = 0.0
    early: int = 0
    warm_up: int = 0
    table: str = "train"
    statistics: str = "table"
    control: str = "none"
    variant: str = "released"
    n_features: int = 50
    features_per_class: int = 5
    l1: float = 6.0
    l1_ramp: bool = False
    finetune_epochs: int = 6

    @property
    def key(self) -> str:
        """Hash of all settings."""
        return _hash(asdict(self))

    def adapter(self) -> AdapterConfig:
        return AdapterConfig(width=self.width, hidden=self.hidden, n_layers=self.n_layers)

    def dense(self, epochs: int) -> DenseConfig:
        made = DenseConfig(epochs=epochs, weight_decay=self.dense_weight_decay, dropout=self.dense_dropout)
        return replace(made, reestimate_batch_norm=self.batch_norm)


@dataclass(frozen=True)
class Sides:
    """The images of a run: `held_out` and `rest` part `train`; with a mirrored bank these hold its views, too, and
    `plain_train` does not."""

    train: Samples
    rest: Samples
    held_out: Samples
    plain_train: Samples
    validation: Samples
    test: Samples


def sides(settings: Settings, bank: FeatureBank, images: Samples, mirrored: Samples | None = None) -> Sides:
    """Cut a bank as the settings say.

    Args:
        images: all of the bank's.
        mirrored: the same images, mirrored; their views join the train sides.
    """

    def cut(of: np.ndarray, share: float, *purpose: str) -> np.ndarray:
        seed = generator(settings.seed, "ablation", *purpose).initial_seed()
        content = None if bank.content is None else bank.content[of]
        return stratified_split(bank.labels[of], share, seed, bank.class_names, content)

    official = np.flatnonzero(bank.is_train)
    kept = cut(official, settings.validation, "validation")
    train = official[~kept]
    out = cut(train, settings.held_out, "held out")

    def views(index: np.ndarray) -> Samples:
        plain = images.subset(index)
        return plain if mirrored is None else _joined(plain, mirrored.subset(index))

    return Sides(
        train=views(train),
        rest=views(train[~out]),
        held_out=views(train[out]),
        plain_train=images.subset(train),
        validation=images.subset(official[kept]),
        test=images.subset(~bank.is_train),
    )


def run(settings: Settings, parts: Sides, kept: Path) -> dict[str, Any]:
    """Train, solve, fine-tune and measure.

    Args:
        parts: the images.
        kept: folder where dense models are kept for runs that share them.

    Returns:
        `test` and `validation`: metric name to value, of the tuned model. `assigned_accuracy`: accuracy in percent of
        the model before fine-tuning, by side. `train_accuracy` in percent of the dense model on its own images.
        `likeness`: correlation in percent, over all pairs of classes, of the cosine of their relevances A with that of
        their attributes; it shows what A knows of which classes are alike, without the program's own noise.
        `gap`: proven gap of the program. `seconds`: wall time of the parts that were computed.
    """
    start = time.monotonic()
    dense, x, labels = _dense_and_table(settings, parts, kept)
    seen = parts.rest if settings.held_out else parts.train
    at_table = time.monotonic()
    features, matrix, gap = _assignment(settings, x, labels, parts.train.n_classes)
    stats = x if settings.statistics == "table" else pooled_features(dense, parts.train).double().numpy()
    mean, std = stats[:, features].mean(0), stats[:, features].std(0)
    assignment = Assignment(features, matrix, mean, std)
    at_program = time.monotonic()
    assigned = assigned_model(dense, assignment)
    tuned = _finetuned(settings, dense, assignment, parts.train)
    at_tuned = time.monotonic()
    return {
        "test": evaluate(tuned, parts.plain_train, parts.test, device="cpu"),
        "validation": evaluate(tuned, parts.plain_train, parts.validation, device="cpu") if settings.validation else {},
        "assigned_accuracy": {"test": _accuracy(assigned, parts.test)},
        "train_accuracy": _accuracy(dense, seen),
        "likeness": _likeness(x, labels, parts.train),
        "gap": gap,
        "seconds": {
            "dense": round(at_table - start, 1),
            "program": round(at_program - at_table, 1),
            "finetune": round(at_tuned - at_program, 1),
            "evaluate": round(time.monotonic() - at_tuned, 1),
        },
    }


def _dense_and_table(settings: Settings, parts: Sides, kept: Path) -> tuple[DenseModel, Floats, Floats]:
    """The dense model that fine-tuning starts from, and the features (n, width) and labels behind the program."""
    if settings.table == "cross":
        return _cross(settings, parts.train, kept)
    seen = parts.rest if settings.held_out else parts.train
    dense = _dense(settings, seen, settings.dense_epochs, kept)
    by, on = dense, seen
    if settings.table == "held_out":
        on = parts.held_out
    elif settings.table == "early":
        by = _dense(settings, seen, settings.early, kept)
    elif settings.table != ("rest" if settings.held_out else "train"):
        raise ValueError(f"table {settings.table!r} with a held-out share of {settings.held_out}")
    return dense, pooled_features(by, on).double().numpy(), on.labels.numpy()


def _dense(settings: Settings, train: Samples, epochs: int, kept: Path) -> DenseModel:
    """A dense model; the batches of an epoch do not depend on how many follow, so a shorter run is an early state of
    a longer one."""
    config = settings.dense(epochs)
    return _once(
        settings,
        kept,
        f"{len(train)} images, {config}",
        lambda: train_dense(train, settings.adapter(), config, seed=settings.seed, device="cpu"),
    )


def _cross(settings: Settings, train: Samples, kept: Path) -> tuple[DenseModel, Floats, Floats]:
    """Two models and the final one from a common warm-up: each image is seen by the model whose fold it is not in.

    Column j means the same feature in all of them only as far as training after the warm-up leaves it in place.
    """
    warm = _dense(settings, train, settings.warm_up, kept)
    config = settings.dense(settings.dense_epochs - settings.warm_up)

    def onward(samples: Samples, name: str) -> DenseModel:
        def trained() -> DenseModel:
            model = copy.deepcopy(warm)
            fit(model, samples, config, stage=f"dense {name}", seed=settings.seed)
            return model

        return _once(settings, kept, f"{name} after {settings.warm_up}: {len(samples)} images, {config}", trained)

    seed = generator(settings.seed, "ablation", "folds").initial_seed()
    fold = torch.as_tensor(stratified_split(train.labels.numpy(), 0.5, seed))
    x = np.empty((len(train), settings.width))
    for name, unseen in (("fold 1", fold), ("fold 2", ~fold)):
        model = onward(train.subset(~unseen), name)
        x[unseen.numpy()] = pooled_features(model, train.subset(unseen)).double().numpy()
    return onward(train, "final"), x, train.labels.numpy()


def _once(settings: Settings, kept: Path, what: str, train: Callable[[], DenseModel]) -> DenseModel:
    """The model kept under these words, bank, cuts and adapter, or else a new one, kept from now on."""
    cuts = {name: getattr(settings, name) for name in ("seed", "bank", "image_size", "validation", "held_out")}
    folder = kept / _hash({"what": what, "adapter": asdict(settings.adapter()), **cuts})
    if not (folder / "model.json").is_file():
        model = train()
        folder.mkdir(parents=True, exist_ok=True)
        model.save(folder)
    return DenseModel.load(folder)


def _assignment(settings: Settings, x: Floats, labels: Floats, n_classes: int) -> tuple[Floats, Floats, float]:
    """Features and rows, by the program or drawn, and the program's proven gap (0 for a draw)."""
    k, n = settings.features_per_class, settings.n_features
    if settings.control == "random":
        rng = np.random.default_rng([settings.seed, 0xAB])
        features = np.sort(rng.choice(np.flatnonzero(x.std(0) > 1e-6), n, replace=False))
        rows: set[tuple[int, ...]] = set()
        while len(rows) < n_classes:
            rows.add(tuple(sorted(rng.choice(n, k, replace=False).tolist())))
        matrix = np.zeros((n_classes, n), dtype=np.bool_)
        np.put_along_axis(matrix, rng.permutation(sorted(rows)), True, axis=1)
        return features, matrix, 0.0
    sizes = {"n_features": n, "features_per_class": k, "n_classes": n_classes}
    problem, live, _ = problem_from_features(x, labels, variant=settings.variant, **sizes)
    goal = AssignConfig()
    solution = solve(problem, deadline_s=goal.deadline_s, gap=goal.gap, seed=settings.seed, effort=goal.effort)
    return live[solution.features], solution.assignment, float(solution.gap)


def _likeness(x: Floats, labels: Floats, train: Samples) -> float | None:
    """What the relevances know of which classes are alike; None without attributes."""
    if train.class_attributes is None:
        return None
    attributes = train.class_attributes.double().numpy()
    pairs = np.triu_indices(train.n_classes, 1)
    cosines = []
    for rows in (relevance(x[:, x.std(0) > 1e-6], labels, train.n_classes).T, attributes):
        unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        cosines.append((unit @ unit.T)[pairs])
    return float(100 * np.corrcoef(cosines)[0, 1])


def _finetuned(settings: Settings, dense: DenseModel, assignment: Assignment, train: Samples) -> Any:
    epochs = settings.finetune_epochs
    config = FinetuneConfig(epochs=epochs, l1=settings.l1, reestimate_batch_norm=settings.batch_norm)
    if settings.l1_ramp:
        config.l1 = settings.l1 / epochs

    def ramp(done: int, total: int, _: dict[str, float]) -> None:
        if settings.l1_ramp:
            config.l1 = settings.l1 * min(done + 1, total) / total  # read anew in each epoch

    return finetune(dense, assignment, train, config, seed=settings.seed, device="cpu", progress=ramp)


def _accuracy(model: Any, samples: Samples) -> float:
    with torch.no_grad():
        right = [made.logits.argmax(1) == samples.labels[rows] for rows, made in batches(model, samples)]
    return float(100 * torch.cat(right).double().mean())


def _joined(first: Samples, second: Samples) -> Samples:
    """The images of both."""
    names = ("patches", "cls", "labels", "masks", "has_mask", "image_attributes")
    both = {name: (getattr(first, name), getattr(second, name)) for name in names}
    joined: dict[str, Any] = {name: torch.cat(pair) for name, pair in both.items() if pair[0] is not None}
    return replace(first, **joined)


def _hash(what: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:20]
