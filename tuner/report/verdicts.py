"""An explanation in sentences: evidence for and against a class, differences of two classes, reliability.

Page, terminal and JSON all use these sentences.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tuner.features.likeness import FEW, FEWEST, Distance
from tuner.front import words
from tuner.report.views import ClassView, ComparisonView, FeatureView, ImageView

NO_SCALE = "The model was exported by an earlier version, without the scale of its features on the training images: "
NO_DISTANCE = "Whether this image is like the training images is not known: the model does not describe them, since it "
NO_DISTANCE += f"was exported by an earlier version, or they were fewer than {FEWEST}."
KINDS = ("for", "against", "neither")


@dataclass(frozen=True)
class Verdict:
    """The prediction for one image, besides the features of its two best classes.

    Args:
        probability: of the predicted class, 0 to 1: softmax over the scores of all classes.
        next_probability: of the runner-up.
        distance: from the training images; None if the model does not describe them.
    """

    probability: float
    next_probability: float
    distance: Distance | None


def speaks(feature: FeatureView) -> str:
    """Whether a feature speaks `for` its class on this image, `against` it, or `neither`."""
    return "for" if feature.contribution > 0 else "against" if feature.contribution < 0 else "neither"


def account(view: ClassView) -> str:
    """A score as the sum it is: "Feature 4 (+2.10) speaks for 3, feature 2 (−0.31) speaks against 3; ..."."""
    parts = []
    for kind in KINDS:
        said = [_with_amount(f) for f in view.features if speaks(f) == kind]
        if said:
            parts.append(f"{_numbered(said)} {_verb(kind, len(said) == 1)} {view.name}")
    return f"{_opened(', '.join(parts) or 'no feature')}; together they make the score, {words.signed(view.score)}."


def verdict(title: str, views: ComparisonView, found: Verdict) -> list[str]:
    """One image, its class and the runner-up, in a few sentences."""
    best = views.left
    chance = f"probability {_percent(found.probability)} (softmax over all classes, not calibrated)"
    first = f"{title}: {best.name}, score {words.signed(best.score)}, {chance}."
    low = " A score below 0 is less than usual, but no other class has more." if best.score < 0 else ""
    return [first, account(best) + low, margin(views, found), trust(found.distance)]


def margin(views: ComparisonView, found: Verdict) -> str:
    """By how much the predicted class leads on one image, and which features make the difference."""
    best, other = views.left, views.right
    text = f"Next is {other.name}, score {words.signed(other.score)}, probability {_percent(found.next_probability)}: "
    by = lead(views)
    tie = f"a tie, and {best.name} is first in the class list"
    text += f"a margin of {words.signed(by).lstrip('+')}" if by > 0 else tie
    made = [
        f"{_features([f.index for f in own])}, only in {view.name}, {'adds' if len(own) == 1 else 'add'} "
        f"{words.signed(sum(f.contribution for f in own))} to it"
        for view, own in zip((best, other), alone(views), strict=True)
        if own
    ]
    return f"{text}. {_opened(words.listing(made))}. {in_both(views.shared)}" if made else f"{text}."


def lead(views: ComparisonView) -> float:
    """The left class's score less the right one's, on one image: what is shared cancels."""
    own, others = alone(views)
    return float(sum(f.contribution for f in own) - sum(f.contribution for f in others))


def alone(views: ComparisonView) -> tuple[list[FeatureView], list[FeatureView]]:
    """The features of each class that the other does not have."""
    left, right = ([f for f in view.features if f.index not in views.shared] for view in (views.left, views.right))
    return left, right


def in_both(shared: set[int]) -> str:
    """Why shared features are no reason."""
    if not shared:
        return "They share no feature."
    verb = "is in both and never tells" if len(shared) == 1 else "are in both and never tell"
    return _opened(f"{_features(sorted(shared))} {verb} them apart.")


def trust(distance: Distance | None) -> str:
    """Whether the image is like those the model was trained on."""
    if distance is None:
        return NO_DISTANCE
    is_unlike = distance.unlike
    text = "Unlike the training images" if is_unlike else "Like the training images"
    if not is_unlike and distance.n_images < FEW:
        text += ", as far as so few can tell"
    most = "all" if distance.within == 100 else f"{math.floor(10 * distance.within) / 10:.1f} % of the"
    text += f": its distance from them is {distance.value:.2f}, where about 1 is usual and {most} "
    text += f"{distance.n_images:,} training images are within {distance.limit:.2f}"
    return text + ("; do not rely on the class." if is_unlike else ".")


def apart(views: ComparisonView) -> str:
    """ "Both rest on features 3 and 17. Features 4 and 9 speak for Auklet, feature 12 speaks against Albatross."."""
    both = f"Both rest on {_features(sorted(views.shared))}." if views.shared else "They share no feature."
    said = []
    for view, own in zip((views.left, views.right), alone(views), strict=True):
        for kind in KINDS:
            numbers = sorted(f.index for f in own if speaks(f) == kind)
            if numbers:
                said.append(f"{_features(numbers)} {_verb(kind, len(numbers) == 1)} {view.name}")
    if not said:
        return f"{both} Nothing tells them apart."
    return f"{both} {_opened(', '.join(said))}."


def side(view: ClassView) -> str:
    """One of two classes: whose image it is shown on, and what speaks for and against it there."""
    return f"{whose(view.name, view.source)} {account(view)}" if view.source else account(view)


def whose(name: str, source: ImageView) -> str:
    """The image on which a class is shown, and the class that the model predicts for it."""
    text = f"{name} is shown on {source.path} of the {source.split} split, whose true class is {source.label}"
    right = source.predicted == source.label
    text += "; the model predicts it too." if right else f"; the model predicts {source.predicted}, which is wrong."
    return text + (f" It is the clearest of {source.among} images of the class." if source.among > 1 else "")


def plain(sentences: Sequence[str], between: str = " ") -> str:
    """Sentences for a terminal or a document, in characters that each has."""
    return between.join(sentences).replace("−", "-")


def _opened(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]


def _verb(kind: str, single: bool) -> str:
    verb = "add" if kind == "neither" else "speak"
    return f"{verb}{'s' if single else ''} {'nothing to' if kind == 'neither' else kind}"


def _with_amount(feature: FeatureView) -> str:
    name = f"{feature.index} {feature.label}".strip()
    return f"{name} ({words.signed(feature.contribution)})"


def _numbered(items: Sequence[str]) -> str:
    return f"feature{'s' if len(items) > 1 else ''} {words.listing(list(items))}"


def _features(indices: Sequence[int]) -> str:
    return _numbered([str(i) for i in indices])


def _percent(share: float) -> str:
    """A probability without ever claiming certainty: 97.3 %, over 99.9 %, under 0.1 %."""
    percent = 100 * share
    if percent > 99.95:
        return "over 99.9 %"
    return f"{percent:.1f} %" if percent >= 0.05 else "under 0.1 %"
