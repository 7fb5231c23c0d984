"""The features of a model, one by one, for their page: which images, classes, parts and attributes each goes with."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tuner.base.progress import Progress
from tuner.base.text import readable
from tuner.data.dataset import Dataset
from tuner.features.bank import FeatureBank
from tuner.features.geometry import part_shown
from tuner.features.likeness import spread
from tuner.features.resize import resolved
from tuner.qpm.finetuning import QpmModel
from tuner.qpm.strength import IMAGES, full_strength
from tuner.report.feature_page import FeatureCard, TopImage, render_features
from tuner.search.outcome.choose import recorded_pick
from tuner.search.outcome.pictures import require_same_images, spoken
from tuner.search.outcome.report import chosen_parts
from tuner.search.record.front_view import require_points
from tuner.search.record.home import SearchHome

CHUNK = 100
MOST_IMAGES = 8  # of a feature
PICTURES = 400  # of the page, about 2 MB
FEWEST_IMAGES = 3
MOST_ATTRIBUTES = 3


@dataclass(frozen=True)
class Seen:
    """What a model does on some images: pooled features and the patch of each peak, both (n, n_features)."""

    rows: np.ndarray
    pooled: Tensor
    peaks: Tensor


def features_page(home: SearchHome, progress: Progress, report: str = "") -> str:
    """The page of the picked model's features, or of the knee's.

    Args:
        home: the search.
        progress: is told what is done.
        report: address of the search's report, relative to the page; empty: there is none.

    Raises:
        TunerError: there is no model yet, its images are not on this machine, or it is damaged.
    """
    state = home.state()
    view = home.front(state=state)
    require_points(view)
    chosen = recorded_pick(view, state)
    with progress.step(f"looking for the strongest images of each feature of trial {chosen.point.trial}"):
        recipe, _ = home.of_trial(chosen.point.params)
        model, tokens, dataset = chosen_parts(home, chosen)
        require_same_images(dataset, tokens)
        seen = look(model, tokens)
        cards = feature_cards(model, tokens, dataset, seen, resolved(recipe.backbone.geometry, tokens.backbone))
    return render_features(home.name, chosen.point.trial, cards, len(seen.rows), report)


@torch.no_grad()
def look(model: QpmModel, bank: FeatureBank) -> Seen:
    """A model over the training images, at most 2,000 of them, spread evenly."""
    rows = spread(np.flatnonzero(bank.is_train), IMAGES)
    pooled, peaks = [], []
    for start in range(0, len(rows), CHUNK):
        maps, values, _ = _run(model, bank, rows[start : start + CHUNK])
        pooled.append(values)
        peaks.append(maps.argmax(1))
    return Seen(rows, torch.cat(pooled), torch.cat(peaks))


def feature_cards(model: QpmModel, bank: FeatureBank, dataset: Dataset, seen: Seen, geometry: str) -> list[FeatureCard]:
    """One card for each feature, in the order of their numbers."""
    n_features = seen.pooled.shape[1]
    n_images = max(FEWEST_IMAGES, min(MOST_IMAGES, PICTURES // n_features))
    order = seen.pooled.argsort(dim=0, descending=True, stable=True)[:n_images]
    full = full_strength(model, bank)
    return [_card(model, bank, dataset, seen, j, order[:, j], float(full[j]), geometry) for j in range(n_features)]


def _card(
    model: QpmModel, bank: FeatureBank, dataset: Dataset, seen: Seen, j: int, top: Tensor, full: float, geometry: str
) -> FeatureCard:
    uses = model.assignment[:, j].bool().cpu().numpy()
    rows = seen.rows[top.numpy()]
    with torch.no_grad():
        maps, _, _ = _run(model, bank, rows)
    height, width = model.map_grid
    images = [
        TopImage(
            part_shown(dataset.pictures.image(int(row)), geometry),
            maps[i, :, j].reshape(height, width).numpy(),
            spoken(bank.class_names[bank.labels[row]]),
            bool(uses[bank.labels[row]]),
            readable(bank.paths[row]),
        )
        for i, row in enumerate(rows)
    ]
    return FeatureCard(
        j,
        [spoken(name) for name, used in zip(bank.class_names, uses, strict=True) if used],
        images,
        full,
        _part(bank, dataset.part_names, rows, seen.peaks[top, j].numpy(), model.map_grid),
        _attributes(bank, dataset.attribute_names, seen, j),
    )


def _run(model: QpmModel, bank: FeatureBank, rows: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
    samples = bank.samples(rows).to(model.mean.device)
    cls = None if samples.cls is None else samples.cls.float()
    maps, pooled, logits = model.eval()(samples.resident_patches.float(), cls)
    return maps.float().cpu(), pooled.float().cpu(), logits.cpu()


def _part(
    bank: FeatureBank, part_names: Sequence[str], rows: np.ndarray, peaks: np.ndarray, grid: tuple[int, int]
) -> tuple[str, float] | None:
    """The visible part that is nearest to the peak most often, by its name, or its number from 1
    (docs/explanation/method.md#parts).
    """
    if bank.parts is None:
        return None
    parts = bank.parts[rows]
    seen = parts[:, :, 2] > 0
    marked = seen.any(axis=1)
    if not marked.any():
        return None
    x, y = peaks % grid[1] + 0.5, peaks // grid[1] + 0.5
    away = (parts[:, :, 0] - x[:, None]) ** 2 + (parts[:, :, 1] - y[:, None]) ** 2
    nearest = np.where(seen, away, np.inf)[marked].argmin(axis=1)
    common = int(np.bincount(nearest).argmax())
    return _named("part", part_names, common), float((nearest == common).sum() / len(rows))


def _attributes(bank: FeatureBank, attribute_names: Sequence[str], seen: Seen, j: int) -> Sequence[tuple[str, float]]:
    """Those with which it fires most, by their names, or numbers from 1
    (docs/explanation/method.md#attribute-alignment).
    """
    if bank.image_attributes is None:
        return ()
    judged, values = bank.image_attributes[seen.rows], seen.pooled[:, j].numpy()
    present, absent = judged == 1, judged == 0
    known = present.any(axis=0) & absent.any(axis=0)
    if not known.any():
        return ()
    scale = max(float((values - values.min()).mean()), 1e-10)
    with_it = (present * values[:, None]).sum(axis=0) / np.maximum(present.sum(axis=0), 1)
    without = (absent * values[:, None]).sum(axis=0) / np.maximum(absent.sum(axis=0), 1)
    more = np.where(known, (with_it - without) / scale, -np.inf)
    best = np.argsort(-more, kind="stable")[:MOST_ATTRIBUTES]
    return [(_named("attribute", attribute_names, int(a)), float(more[a])) for a in best if more[a] > 0]


def _named(kind: str, names: Sequence[str], number: int) -> str:
    """A name for people: "has_bill_shape::dagger" is "bill shape: dagger"; without one, the number from 1."""
    if number >= len(names):
        return f"{kind} {number + 1}"
    return readable(names[number]).removeprefix("has_").replace("::", ": ").replace("_", " ")
