"""The page of a model's features: each one's strongest images, its classes, its parts and attributes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tuner.front import words
from tuner.report import tiles
from tuner.report.templates import render
from tuner.report.tiles import PALETTE, Map, Pixels

TILE_PX = 132
MOST_CLASSES = 30  # named; the others are counted


@dataclass(frozen=True)
class TopImage:
    """An image on which a feature is strong.

    Args:
        image: its pixels, (h, w, 3).
        map: the feature's map on it, (grid_h, grid_w).
        label: its class.
        uses: whether that class uses the feature.
        path: relative to the data set's folder.
    """

    image: Pixels
    map: Map
    label: str
    uses: bool
    path: str


@dataclass(frozen=True)
class FeatureCard:
    """One feature.

    Args:
        index: among the selected ones, as everywhere in the report.
        classes: names of the classes that use it.
        images: those on which it is strongest, the strongest first.
        full: its strongest value on the training images, shown at full strength.
        part: the part that is nearest to its peak most often, and the share of these images, 0 to 1; None: unknown.
        attributes: the attributes it goes with most, each with how much more it fires with it than without, in units
            of its mean; empty: unknown.
    """

    index: int
    classes: Sequence[str]
    images: Sequence[TopImage]
    full: float
    part: tuple[str, float] | None = None
    attributes: Sequence[tuple[str, float]] = ()


def render_features(search: str, trial: int, cards: Sequence[FeatureCard], looked_at: int, report: str = "") -> str:
    """The page; every text of the input is escaped, and nothing is fetched.

    Args:
        search: its name.
        trial: whose model it is.
        cards: one for each feature.
        looked_at: the number of training images that were looked at.
        report: address of the search's report, relative to the page; empty: there is none.
    """
    shown = [_card(card) for card in cards]
    classes = _by_class(cards)
    return render(
        "features.html", search=search, trial=trial, cards=shown, classes=classes, looked_at=looked_at, report=report
    )


def _card(card: FeatureCard) -> dict[str, Any]:
    paint = PALETTE[0]  # one colour throughout: here features are not compared on one image
    return {
        "index": card.index,
        "classes": _counted(card.classes),
        "n_classes": len(card.classes),
        "part": _part(card),
        "attributes": [f"{name} (+{100 * more:.0f} %)" for name, more in card.attributes],
        "images": [
            {
                "uri": tiles.data_uri(tiles.overlay(top.image, [top.map], [paint], [card.full], TILE_PX)),
                "alt": f"{top.label}: where feature {card.index} is active",
                "label": top.label,
                "uses": top.uses,
                "path": top.path,
                "strength": _strength(top, card.full),
            }
            for top in card.images
        ],
    }


def _counted(classes: Sequence[str]) -> str:
    """The first classes by name, the others by their number."""
    more = len(classes) - MOST_CLASSES
    shown = [*classes[:MOST_CLASSES], *([f"{more} more"] if more > 0 else [])]
    return words.listing(shown) if shown else "none"


def _strength(top: TopImage, full: float) -> str:
    """How strong the feature gets on an image, in percent of its strongest; empty if it never fires."""
    return f"{100 * max(0.0, float(top.map.max(initial=0.0))) / full:.0f}\u00a0%" if full > 0 else ""


def _by_class(cards: Sequence[FeatureCard]) -> list[tuple[str, list[int]]]:
    """Each class with the features that it uses, by name."""
    found: dict[str, list[int]] = {}
    for card in cards:
        for name in card.classes:
            found.setdefault(name, []).append(card.index)
    return sorted(found.items())


def _part(card: FeatureCard) -> str:
    if card.part is None:
        return ""
    name, share = card.part
    n = len(card.images)
    return f"{name}, nearest to its peak in {round(share * n)} of these {n} images"
