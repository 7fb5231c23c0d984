"""The picked model's features as pictures: class by class, and one class against another.

A feature keeps its colour and its scale across all pictures, so that they can be compared.
"""

from typing import Any

from tuner.front import tiles, words
from tuner.front.tiles import Colour
from tuner.front.views import ClassView, ComparisonView, FeatureView, PickView

TILE_PX, LARGE_PX = 176, 420


class Painter:
    """Turns features into tiles, each feature in one colour and on one scale throughout."""

    def __init__(self, views: list[ClassView]) -> None:
        """Settle the colours and scales of all features that will be shown."""
        features = [f for view in views for f in view.features]
        self.paints: dict[int, Colour] = tiles.colours(f.index for f in features)
        self.peaks: dict[int, float] = {}
        for feature in features:
            peak = float(feature.map.max(initial=0.0))
            self.peaks[feature.index] = max(peak, self.peaks.get(feature.index, 0.0))

    def picture(self, view: ClassView, features: list[FeatureView], width: int) -> str:
        """The class's image under the heat of these features, as a data URI."""
        pixels = tiles.overlay(
            view.image,
            [f.map for f in features],
            [self.paints[f.index] for f in features],
            [self.peaks[f.index] for f in features],
            width,
        )
        return tiles.data_uri(pixels)

    def tile(self, view: ClassView, feature: FeatureView) -> dict[str, Any]:
        """One feature on the class's image, with what to write below it."""
        strongest = max(abs(f.contribution) for f in view.features) or 1.0
        return {
            "uri": self.picture(view, [feature], TILE_PX),
            "alt": f"{view.name}: where feature {feature.index} is active",
            "feature": feature.index,
            "label": feature.label,
            "colour": "rgb({}, {}, {})".format(*self.paints[feature.index]),
            "contribution": f"{feature.contribution:+.1f}".replace("-", "−"),
            "width": round(100 * abs(feature.contribution) / strongest, 1),
        }

    def example(self, view: ClassView, width: int = TILE_PX) -> dict[str, Any]:
        """The class's image as it is."""
        return {"uri": tiles.data_uri(tiles.resized(view.image, width)), "alt": f"{view.name}: example image"}


def galleries(pick: PickView) -> dict[str, Any]:
    """`classes` (rows of tiles) and `comparison` (or None) for report.html."""
    views = [*pick.classes]
    if pick.comparison is not None:
        views += [pick.comparison.left, pick.comparison.right]
    painter = Painter(views)
    return {
        "classes": [
            {
                "name": view.name,
                "example": painter.example(view),
                "tiles": [painter.tile(view, f) for f in view.features],
            }
            for view in pick.classes
        ],
        "comparison": _comparison(pick.comparison, painter) if pick.comparison else None,
    }


def comparison_gallery(views: ComparisonView) -> dict[str, Any]:
    """Two classes alone: `sides`, `sentence` and `n_shared` for tiles.html."""
    return _comparison(views, Painter([views.left, views.right]))


def _comparison(views: ComparisonView, painter: Painter) -> dict[str, Any]:
    """Two classes: their images under what tells them apart, shared and own features below."""
    left, right = views.left, views.right
    shared = {f.index for f in left.features} & {f.index for f in right.features}
    sides = []
    for view in (left, right):
        own = [f for f in view.features if f.index not in shared]
        common = sorted((f for f in view.features if f.index in shared), key=lambda f: f.index)
        sides.append(
            {
                "name": view.name,
                "large": {
                    "uri": painter.picture(view, own, LARGE_PX),
                    "alt": f"{view.name}: where the features are active that the other class does not have",
                },
                "own": [painter.tile(view, f) for f in own],
                "shared": [painter.tile(view, f) for f in common],
            }
        )
    return {"sides": sides, "sentence": _sentence(views, shared), "n_shared": len(shared)}


def _sentence(views: ComparisonView, shared: set[int]) -> str:
    """ "Both rest on features 3 and 17. Features 4 and 9 speak for Auklet, feature 12 for Albatross."."""
    both = f"Both rest on {_features(sorted(shared))}." if shared else "They share no feature."
    speak = []
    for view in (views.left, views.right):
        own = sorted(f.index for f in view.features if f.index not in shared)
        if own:
            verb = "speaks" if len(own) == 1 else "speak"
            speak.append(f"{_features(own)} {verb} for {view.name}")
    if not speak:
        return f"{both} Nothing tells them apart."
    text = ", ".join(speak)
    return f"{both} {text[0].upper()}{text[1:]}."


def _features(indices: list[int]) -> str:
    numbers = words.listing([str(i) for i in indices])
    return f"feature {numbers}" if len(indices) == 1 else f"features {numbers}"
