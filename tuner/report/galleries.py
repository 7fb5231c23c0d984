"""The picked model's features as pictures: per class, and one class against another.

A feature has the same colour in all pictures of a page, and the same scale, set in training, everywhere.
"""

from typing import Any

from tuner.front import words
from tuner.report import tiles, verdicts
from tuner.report.tiles import Colour
from tuner.report.views import ClassView, ComparisonView, FeatureView, PickView

TILE_PX, LARGE_PX, BAR_PX = 176, 420, (240, 14)


class Painter:
    """Turns features into tiles, each feature in one colour and on one scale throughout."""

    def __init__(self, views: list[ClassView]) -> None:
        """Choose the colours and scales of all features that will be shown."""
        features = [f for view in views for f in view.features]
        self.paints: dict[int, Colour] = tiles.colours(f.index for f in features)
        self.from_training = all(f.full is not None for f in features)
        self.full: dict[int, float] = {}
        for feature in features:
            full = feature.strongest if feature.full is None else feature.full
            self.full[feature.index] = max(full, self.full.get(feature.index, 0.0))

    def legend(self) -> dict[str, str]:
        """The colour bar of strengths, and the meaning of full strength."""
        full = "the strongest the feature is anywhere on the training images (at most 2,000), the same in every picture"
        relative = "the strongest the feature is among the pictures of this page, nothing more"
        note = f"{verdicts.NO_SCALE}other pages cannot be compared, and a silent feature may look active."
        bar = tiles.data_uri(tiles.scale_bar(tiles.PALETTE[0], *BAR_PX))
        return {
            "uri": bar,
            "alt": "How strengths from 0 % to 100 % are painted",
            "full": full if self.from_training else relative,
            "note": "" if self.from_training else note,
        }

    def picture(self, view: ClassView, features: list[FeatureView], width: int) -> str:
        """The class's image under the heat of these features, as a data URI."""
        pixels = tiles.overlay(
            view.image,
            [f.map for f in features],
            [self.paints[f.index] for f in features],
            [self.full[f.index] for f in features],
            width,
        )
        return tiles.data_uri(pixels)

    def tile(self, view: ClassView, feature: FeatureView) -> dict[str, Any]:
        """One feature on the class's image, with what to write below it."""
        largest = max(abs(f.contribution) for f in view.features) or 1.0
        kind = verdicts.speaks(feature)
        return {
            "uri": self.picture(view, [feature], TILE_PX),
            "alt": f"{view.name}: where feature {feature.index} is active",
            "feature": feature.index,
            "label": feature.label,
            "colour": "rgb({}, {}, {})".format(*self.paints[feature.index]),
            "contribution": words.signed(feature.contribution),
            "kind": kind,
            "speaks": "adds nothing" if kind == "neither" else f"speaks {kind} it",
            "width": round(100 * abs(feature.contribution) / largest, 1),
            "strongest": self.strongest(feature),
        }

    def strongest(self, feature: FeatureView) -> str:
        """How strong the map gets on this image, on the feature's scale."""
        full = self.full[feature.index]
        return f"{100 * feature.strongest / full:.0f}\u00a0%" if full > 0 else "0\u00a0%"

    def example(self, view: ClassView, width: int = TILE_PX) -> dict[str, Any]:
        """The class's image as it is."""
        return {
            "uri": tiles.data_uri(tiles.resized(view.image, width)),
            "alt": f"{view.name}: the untouched image",
            "whose": verdicts.whose(view.name, view.source) if view.source else "",
        }


def galleries(pick: PickView) -> dict[str, Any]:
    """`classes` (rows of tiles), `comparison` (or None) and `legend` for report.html."""
    views = [*pick.classes]
    if pick.comparison is not None:
        views += [pick.comparison.left, pick.comparison.right]
    painter = Painter(views)
    return {
        "classes": [
            {
                "name": view.name,
                "score": words.signed(view.score),
                "example": painter.example(view),
                "tiles": [painter.tile(view, f) for f in view.features],
            }
            for view in pick.classes
        ],
        "comparison": side_by_side(pick.comparison, painter) if pick.comparison else None,
        "legend": painter.legend(),
    }


def side_by_side(views: ComparisonView, painter: Painter) -> dict[str, Any]:
    """Two classes: their images as they are and under what tells them apart, shared and own features below."""
    sides = []
    for view in (views.left, views.right):
        own = [f for f in view.features if f.index not in views.shared]
        common = sorted((f for f in view.features if f.index in views.shared), key=lambda f: f.index)
        speaking = [f for f in own if f.contribution > 0]
        sides.append(
            {
                "name": view.name,
                "score": words.signed(view.score),
                "account": verdicts.account(view),
                "example": painter.example(view, LARGE_PX),
                "large": {
                    "uri": painter.picture(view, speaking, LARGE_PX),
                    "alt": f"{view.name}: where the features are active that speak for it and not for the other class",
                    "caption": f"{view.name}, score {words.signed(view.score)}. {_painted(speaking)}",
                },
                "own": [painter.tile(view, f) for f in own],
                "shared": [painter.tile(view, f) for f in common],
            }
        )
    return {"sides": sides, "sentence": verdicts.apart(views)}


def _painted(features: list[FeatureView]) -> str:
    if not features:
        return "Nothing is painted: no feature that only this class has speaks for it."
    numbers = words.listing([str(f.index) for f in features])
    return f"Painted: feature{'s' if len(features) > 1 else ''} {numbers}, which only this class has, speaking for it."
