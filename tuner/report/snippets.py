"""Small pieces of HTML for notebooks: self-contained, escaped, without scripts."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from tuner.base.text import one_line, readable
from tuner.front import words
from tuner.report.galleries import TILE_PX, Painter
from tuner.report.templates import render
from tuner.report.views import ClassView, ComparisonView

LONGEST = 300  # characters of a fact
MOST_FACTS = 30  # of each kind


def snippet(
    title: str,
    lines: Sequence[str] = (),
    facts: Sequence[tuple[str, object]] = (),
    *,
    svg: str = "",
    images: Sequence[dict[str, str]] = (),
) -> str:
    """A title, sentences, a picture, images side by side, and a table of facts.

    Args:
        title: the first line.
        lines: sentences below it.
        facts: (name, value) pairs; a long value is cut.
        svg: a picture of ours, which is put in as it is.
        images: dictionaries with `uri` (a data URI), `alt` and `caption`.
    """
    shown = [(name, one_line(str(value), LONGEST)) for name, value in facts]
    return render(
        "snippet.html", title=title, lines=lines, facts=shown, picture=Markup(svg), images=images, width=TILE_PX
    )


def comparison_images(views: ComparisonView, *, one_image: bool) -> list[dict[str, str]]:
    """Where the features fire that tell two classes apart; with the untouched image first where both share it."""
    painter = Painter([views.left, views.right])
    images = [_untouched(painter, views.left)] if one_image else []
    for view in (views.left, views.right):
        own = [f for f in view.features if f.index not in views.shared and f.contribution > 0]
        if not one_image:
            images.append(_untouched(painter, view))
        images.append(
            {
                "uri": painter.picture(view, own, TILE_PX),
                "alt": f"{view.name}: where the features fire that speak for it and not for the other class",
                "caption": f"{view.name}, score {words.signed(view.score)}: {_numbers(own)}",
            }
        )
    return images


def model_snippet(card: Mapping[str, Any], n_features: int) -> str:
    """An exported model: what it was trained on, its parameters, its values and why it was picked.

    Args:
        card: of the model folder; others may have written it.
        n_features: of the model.
    """
    names = [readable(name) for name in card["class_names"]]
    facts: list[tuple[str, object]] = [("classes", f"{len(names)}: {', '.join(names)}"), ("features", n_features)]
    for group in ("params", "values"):
        content = card.get(group)
        if isinstance(content, Mapping):
            facts += [(readable(name), _short(value)) for name, value in list(content.items())[:MOST_FACTS]]
    reason = card.get("reason")
    return snippet(f"Model of {readable(card['data'])}", [reason] if isinstance(reason, str) else [], facts)


def _short(value: object) -> object:
    """A number without the decimals that say nothing."""
    if not isinstance(value, float) or abs(value) < 0.1:  # small ones, such as learning rates, keep all theirs
        return value
    return repr(round(value, 4)).removesuffix(".0")


def _untouched(painter: Painter, view: ClassView) -> dict[str, str]:
    example: dict[str, Any] = painter.example(view)
    return {"uri": example["uri"], "alt": example["alt"], "caption": example["whose"] or "the image"}


def _numbers(features: Sequence[Any]) -> str:
    if not features:
        return "no feature of its own speaks for it"
    return f"feature{'s' if len(features) > 1 else ''} {words.listing([str(f.index) for f in features])}"
