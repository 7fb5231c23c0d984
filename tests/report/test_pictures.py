"""The still picture and the saliency tiles: what is drawn where, in which colour."""

import base64
import io
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from tuner.front import words
from tuner.front.pareto import Point
from tuner.report.galleries import Painter
from tuner.report.picture import render_front
from tuner.report.tiles import PALETTE, colours, data_uri, overlay, resized, scale_bar
from tuner.report.views import ClassView, FeatureView

from .sample import OBJECTIVES, sample_report

SVG = "{http://www.w3.org/2000/svg}"


def circles(svg: str, kind: str) -> list[tuple[float, float]]:
    found = ET.fromstring(svg).iter(f"{SVG}circle")
    return [(float(c.get("cx", "")), float(c.get("cy", ""))) for c in found if c.get("class") == kind]


def three_points() -> list[Point]:
    rows = [(60.0, 80.0, 10.0), (80.0, 60.0, 20.0), (60.0, 60.0, 30.0)]
    names = [o.name for o in OBJECTIVES]
    return [Point(i, values=dict(zip(names, row, strict=True))) for i, row in enumerate(rows)]


def test_better_is_right_and_up() -> None:
    svg = render_front(three_points(), OBJECTIVES[:2])
    members = circles(svg, "member")
    (dominated,) = circles(svg, "dim")
    assert len(members) == 2
    assert dominated[0] == min(x for x, _ in members)  # as inaccurate as the worse of the two
    assert dominated[1] == max(y for _, y in members)  # downwards in pixels
    reverse = circles(render_front(three_points(), [OBJECTIVES[2], OBJECTIVES[0]]), "member")
    few, many = reverse  # 10 and 20 features
    assert few[0] > many[0]


def test_staircase_passes_through_the_front_only_with_two_objectives() -> None:
    svg = render_front(three_points(), OBJECTIVES[:2])
    (left, top), (right, low) = circles(svg, "member")
    stairs = next(p for p in ET.fromstring(svg).iter(f"{SVG}path") if p.get("class") == "stairs").get("d")
    assert stairs is not None
    assert f"{top:.1f}H{left:.1f}V{low:.1f}H{right:.1f}V" in stairs
    assert "stairs" not in [
        p.get("class") for p in ET.fromstring(render_front(three_points(), OBJECTIVES)).iter(f"{SVG}path")
    ]


def test_a_dot_says_how_sure_its_accuracy_is() -> None:
    point = Point(4, values={"accuracy": 96.1, "interpretability": 60.0, "n_images": 288.0})
    assert "<title>trial 4: accuracy 96.1 ± 1.1, n = 288, interpretability 60</title>" in (
        render_front([point], OBJECTIVES[:2])
    )


def test_error_bars_are_shown_to_their_ends() -> None:
    upright = Point(0, values={"accuracy": 90.0, "interpretability": 50.0}, errors={"interpretability": 40.0})
    lying = Point(1, values={"accuracy": 80.0, "interpretability": 60.0}, errors={"accuracy": 30.0})
    svg = render_front([upright, lying], OBJECTIVES[:2])
    paths = [p.get("d", "") for p in ET.fromstring(svg).iter(f"{SVG}path") if p.get("class") == "bar"]
    _, top, bottom = map(float, re.findall(r"[\d.]+", next(path for path in paths if "V" in path)))
    left, _, right = map(float, re.findall(r"[\d.]+", next(path for path in paths if "H" in path)))
    (_, middle), (centre, _) = circles(svg, "member")
    assert (top + bottom) / 2 == pytest.approx(middle, abs=0.2), "as long upwards as downwards"
    assert (left + right) / 2 == pytest.approx(centre, abs=0.2), "as long to one side as to the other"


def test_one_objective_goes_up_over_the_trials_in_their_order() -> None:
    svg = render_front(three_points(), OBJECTIVES[:1], three_points()[1])
    ((across, up),) = circles(svg, "member")
    first, last = sorted(circles(svg, "dim"))
    assert first[0] < across < last[0]  # trials 0, 1 and 2
    assert first[1] == last[1] > up
    assert "stairs" not in svg.partition("</style>")[2]
    texts = [t.text for t in ET.fromstring(svg).iter(f"{SVG}text")]
    assert "trial →" in texts
    assert {"0", "1", "2"} <= set(texts)
    assert "0.5" not in texts
    assert "trial 1: accuracy 80" in svg
    least = render_front(three_points(), [OBJECTIVES[2]])  # the fewer features the better: upwards again
    ((_, top),) = circles(least, "member")
    assert all(top < y for _, y in circles(least, "dim"))
    assert circles(render_front([], OBJECTIVES[:1]), "member") == []


def test_picture_names_the_pick_and_escapes() -> None:
    report = sample_report()
    assert report.pick is not None
    points = [row.point() for row in report.rows]
    svg = render_front(points, report.objectives, report.pick.point, "<b> & more")
    assert f"trial {report.pick.point.trial}, picked" in svg
    assert "<b>" not in svg
    assert "accuracy [%], more is better" in svg
    assert "http://" not in svg.replace("http://www.w3.org/2000/svg", "")
    assert circles(render_front([], OBJECTIVES[:2]), "member") == []
    assert len(circles(render_front(points[:1], OBJECTIVES[:2]), "member")) == 1


def test_heat_has_the_features_colour_where_it_is_active() -> None:
    image = np.full((80, 80, 3), 128, dtype=np.uint8)
    corner = np.zeros((8, 8), dtype=np.float32)
    corner[:3, :3] = 2.0
    red = (255, 0, 0)
    painted = overlay(image, [corner], [red], [2.0], 80).astype(int)
    assert painted[5, 5, 0] > 225
    assert painted[5, 5, 1] < 40
    assert np.ptp(painted[-1, -1]) == 0  # grey where nothing is active
    half = overlay(image, [corner], [red], [4.0], 80).astype(int)
    assert painted[5, 5, 0] > half[5, 5, 0] > painted[-1, -1, 0]  # the same scale, half as strong
    silent = overlay(image, [corner * 0], [red], [0.0], 80)
    assert np.ptp(silent) == 0


def test_a_silent_feature_looks_silent_and_the_same_value_the_same_in_every_picture() -> None:
    image = np.full((80, 80, 3), 128, dtype=np.uint8)
    strong, faint = np.full((4, 4), 3.0, np.float32), np.full((4, 4), 0.02, np.float32)

    def shown(maps: list[np.ndarray]) -> list[int]:
        """How far from grey each map's picture is, of 255."""
        views = [ClassView("x", image, [FeatureView(7, m, 1.0, full=4.0)]) for m in maps]
        painter = Painter(views)
        pictures = [painter.picture(view, list(view.features), 80).partition(",")[2] for view in views]
        found = [np.asarray(Image.open(io.BytesIO(base64.b64decode(p)))).astype(int) for p in pictures]
        return [int(np.ptp(p, axis=2).max()) for p in found]

    alone, beside = shown([faint]), shown([faint, strong])
    assert alone[0] == beside[0]
    assert alone[0] <= 4
    assert beside[1] > 100
    tile = Painter([ClassView("x", image, [FeatureView(7, faint, -2.5, full=4.0)])])
    assert tile.strongest(FeatureView(7, strong * 2, 1.0, full=4.0)) == "150\u00a0%"
    assert tile.strongest(FeatureView(7, faint, 1.0, full=4.0)) == "0\u00a0%"


def test_the_scale_bar_is_painted_like_the_pictures() -> None:
    bar = scale_bar((255, 0, 0), 100, 10).astype(int)
    redness = bar[5, :, 0] - bar[5, :, 1]
    assert redness[0] == 0
    assert (np.diff(redness) >= 0).all()
    full = overlay(np.full((80, 80, 3), 128, np.uint8), [np.ones((2, 2), np.float32)], [(255, 0, 0)], [1.0], 80)
    assert abs(redness[-1] - (int(full[9, 9, 0]) - int(full[9, 9, 1]))) <= 2


def test_the_stronger_of_two_features_prevails() -> None:
    image = np.zeros((80, 80, 3), dtype=np.uint8)
    strong, weak = np.full((4, 4), 1.0, np.float32), np.full((4, 4), 0.3, np.float32)
    for maps in ([strong, weak], [weak, strong]):
        paints = [(255, 0, 0) if m is strong else (0, 0, 255) for m in maps]
        pixel = overlay(image, maps, paints, [1.0, 1.0], 40)[20, 20].astype(int)
        assert pixel[0] > 2 * pixel[2]


def test_frequent_features_get_the_most_distinct_colours() -> None:
    paints = colours([5, 1, 7, 7, 2, 7, 2])
    assert paints[7] == PALETTE[0]
    assert paints[2] == PALETTE[1]
    assert len(set(colours(range(12)).values())) == 12
    assert len(colours(range(30))) == 30


def test_small_images_keep_their_pixels() -> None:
    checks = (np.indices((8, 8)).sum(axis=0) % 2 * 255).astype(np.uint8)[..., None].repeat(3, axis=2)
    assert set(np.unique(resized(checks, 160))) == {0, 255}
    wide = np.zeros((100, 200, 3), dtype=np.uint8)
    assert resized(wide, 50).shape == (25, 50, 3)
    uri = data_uri(wide)
    picture = Image.open(io.BytesIO(base64.b64decode(uri.removeprefix("data:image/jpeg;base64,"))))
    assert picture.size == (200, 100)


def test_strips_stay_within_the_page() -> None:
    tall, long = np.zeros((3000, 2, 3), np.uint8), np.zeros((2, 3000, 3), np.uint8)
    assert resized(tall, 420).shape == (1260, 1, 3)
    assert resized(long, 420).shape == (1, 420, 3)
    assert resized(np.zeros((600, 200, 3), np.uint8), 100).shape == (300, 100, 3)
    assert resized(np.zeros((900, 200, 3), np.uint8), 100).shape == (300, 67, 3)
    assert overlay(tall, [np.ones((8, 8), np.float32)], [(255, 0, 0)], [1.0], 420).shape == (1260, 1, 3)
    assert data_uri(resized(tall, 420)).startswith("data:image/jpeg")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0.0 s"), (9.96, "10 s"), (59.4, "59 s"), (59.6, "1 min"), (2460, "41 min"), (3599, "1 h"),
     (12_000, "3 h 20 min"), (187_200, "2 d 4 h")],
)  # fmt: skip
def test_durations(seconds: float, text: str) -> None:
    assert words.duration(seconds) == text


def test_differences_add_up_with_the_numbers_beside_them() -> None:
    assert words.gap(79.06, 78.44, "%") == "0.6 percentage points"  # though printed as 79.1 and 78.4
    assert words.gap(79.01, 79.02, "%") == "less than 0.1 percentage points"
    assert words.gap(79.0, 78.0, "%") == "1.0 percentage point"
    assert words.gap(30, 10, "") == "20"
    assert words.gap(0.25, 0.125, "s") == "0.125 s"


def test_the_colour_of_members_is_the_third_objective() -> None:
    rows = [(60.0, 80.0, 10.0), (80.0, 60.0, 30.0), (70.0, 70.0, 20.0), (50.0, 50.0, 40.0)]
    names = [o.name for o in OBJECTIVES]
    points = [Point(i, values=dict(zip(names, row, strict=True))) for i, row in enumerate(rows)]
    svg = render_front(points, OBJECTIVES)
    dots = list(ET.fromstring(svg).iter(f"{SVG}circle"))
    styles = {(dot.findtext(f"{SVG}title") or "").partition(":")[0]: dot.get("style") for dot in dots}
    assert styles["trial 0"] == "fill: var(--shade4)"  # fewest features
    assert styles["trial 1"] == "fill: var(--shade0)"
    assert styles["trial 2"] == "fill: var(--shade2)"
    assert styles["trial 3"] is None  # dominated
    texts = [t.text or "" for t in ET.fromstring(svg).iter(f"{SVG}text")]
    assert any(text.startswith(f"colour: {words.name(names[2])}") and text.endswith(" 30") for text in texts)
    assert "10 (better)" in texts
    assert "shade" not in render_front(points, OBJECTIVES[:2])
