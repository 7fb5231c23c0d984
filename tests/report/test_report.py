"""The page holds everything it shows, fetches nothing, and takes no text for markup."""

import dataclasses
import json
import re
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

from tuner.errors import UsageError
from tuner.front.confirmation import ErrorBars
from tuner.front.pareto import Objective, front
from tuner.qpm.program_info import ProgramInfo
from tuner.report.baselines import UNTESTED, baselines
from tuner.report.columns import column
from tuner.report.search_page import (
    BaselineRow,
    ClassAccuracy,
    ClassView,
    ComparisonView,
    Curve,
    FeatureView,
    Importance,
    Origin,
    Report,
    Setting,
    Share,
    Span,
    StageUse,
    TrialRow,
    render_report,
)

from .sample import OBJECTIVES, sample_report, sample_rows

VOID = {"meta", "img", "br", "hr", "input", "link"}
CANARY = "<script>alert(1)</script>\"'&"


class Page(HTMLParser):
    """Elements, texts and addresses of a page; refuses tags that do not nest."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
            if tag == "script":
                self.scripts.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "script" in self.open:
            self.scripts[-1] += data
        elif "style" not in self.open:
            self.words.append(data)

    def data(self) -> dict:
        return json.loads(self.scripts[0])

    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))

    def table(self) -> dict:
        return self.data()["table"]

    def column(self, name: str) -> list:
        """The cells of a column of the table of all trials, by its heading."""
        k = [c["name"] for c in self.table()["columns"]].index(name)
        return [row["cells"][k] for row in self.table()["rows"]]


@pytest.fixture(scope="module", params=[1, 2, 3])
def page(request: pytest.FixtureRequest) -> str:
    return render_report(sample_report(request.param))


def test_page_is_whole_and_fetches_nothing(page: str) -> None:
    parsed = Page(page)
    assert len(page.encode()) < 500_000
    policy = next(a["content"] for t, a in parsed.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    addresses = [v for _, a in parsed.tags for k, v in a.items() if k in {"src", "href", "srcset", "action"}]
    inside = [a for a in addresses if a.startswith("#")]
    assert {a for a in addresses if not a.startswith("data:image/jpeg;base64,")} == set(inside)
    trials = {f"#trial-{row['trial']}" for row in parsed.table()["rows"]}  # the table makes their rows
    assert set(inside) <= trials | {f"#{a['id']}" for _, a in parsed.tags if "id" in a}
    assert inside
    style = next(re.finditer(r"<style>(.*?)</style>", page, re.S)).group(1)
    assert "url(" not in style
    assert "@import" not in style


def test_page_can_be_read_without_eyes(page: str) -> None:
    tags = Page(page).tags
    assert ("html", {"lang": "en"}) in tags
    assert all(a.get("alt") for t, a in tags if t == "img")
    ids = [a["id"] for _, a in tags if "id" in a]
    assert len(ids) == len(set(ids))
    labelled = [a["aria-labelledby"] for _, a in tags if "aria-labelledby" in a]
    assert set(labelled) <= set(ids)


def test_page_says_how_many_trials_early_stopping_has_left_at_their_rung() -> None:
    report = sample_report()
    rows = [row if row.outcome == "complete" else dataclasses.replace(row, outcome="pruned") for row in report.rows]
    text = Page(render_report(dataclasses.replace(report, rows=rows))).text()
    assert "28 of 36 trials completed, 8 were pruned by early stopping." in text


def test_page_says_what_the_search_found() -> None:
    report = sample_report()
    text = Page(render_report(report)).text()
    assert "28 of 36 trials completed. 7 are on the front of accuracy and interpretability." in text
    assert "Reusing stages saved 37 min." in text
    assert "reused 30 times, 35 min saved" in text
    assert "ran 3 times, 4 min, 0.06 CPU h; reused 30 times, 35 min saved" in text
    assert "cost so far 1.80 EUR 1.3 CPU h, 0.70 GPU h" in text
    assert "never reused" in text
    assert report.pick is not None
    assert report.pick.reason in text
    assert "Both rest on features 0, 2 and 5. Features 7 and 8 speak for three" in text
    assert "CUDA out of memory in finetune" in text
    assert "rung 1 of 3: dominated (5 times)" in text
    assert "data.test_fraction 0.25 0.2" in text
    assert "qpm-tuner search --recipe digits --store runs --name digits-2026-11" in text
    assert "commit 0123abc" in text
    assert "features per class 61 ± 8 %" in text
    assert "Accuracy rests on 28 complete trials." in text


def test_chart_holds_the_completed_trials_and_their_front() -> None:
    report = sample_report()
    data = Page(render_report(report)).data()
    complete = [row for row in report.rows if row.outcome == "complete"]
    assert [t["trial"] for t in data["trials"]] == [row.trial for row in complete]
    members = front([row.point() for row in complete], report.objectives)
    assert [t["trial"] for t in data["trials"] if t["rank"] == 1] == [p.trial for p in members]
    assert data["history"][-1] == pytest.approx(report.hypervolume[-1], abs=1e-3)
    assert [p["name"] for p in data["params"]] == ["features", "features per class", "width", "l1"]  # one seed alone
    assert [p["log"] for p in data["params"]] == [False, False, False, True]
    assert data["params"][0]["ticks"] == [10, 20, 30, 40, 50]
    assert [b["values"] for b in data["baselines"]] == [[81.8, 58.4], [78.5, 61.9], [78.9, 80.7]]
    assert {tuple(c["trials"]) for c in data["curves"]} == {(0,), (1,), (2,), (11,)}


def test_groups_of_columns_and_what_is_shown_at_first() -> None:
    table = Page(render_report(sample_report())).table()
    shown = {g["name"]: g["shown"] for g in table["groups"]}
    assert shown == {
        "objectives": True,
        "parameters": True,
        "the same in every trial": False,  # the seed
        "parts of objectives": False,  # of interpretability
        "other metrics": False,
        "at the rung": False,
        "time": True,
    }
    groups = {c["name"]: c["group"] for c in table["columns"]}
    assert groups["class independence"] == "parts of objectives"
    assert groups["sid5"] == "other metrics"
    assert groups["features per class"] == "parameters"


def test_what_a_trial_had_at_the_rung_has_columns_of_its_own() -> None:
    table = Page(render_report(sample_report())).table()
    names = [column["name"] for column in table["columns"] if column["group"] == "at the rung"]
    assert names == ["epoch of the rung", "accuracy at the rung"]  # and not the number of images
    at = [column["name"] for column in table["columns"]].index("epoch of the rung")
    cells = {row["trial"]: row["cells"][at : at + 2] for row in table["rows"]}
    assert (cells[3], cells[0]) == ([3, 61.0], [None, None])
    none = Page(render_report(Report("none", OBJECTIVES, [TrialRow(0, "running", {})]))).table()
    assert "at the rung" not in {group["name"] for group in none["groups"]}


def test_the_timeline_tells_running_from_waiting() -> None:
    report = sample_report()
    html = render_report(report)
    data = Page(html).data()
    trial, start, parts = data["spans"][-1]
    row = next(row for row in report.rows if row.trial == trial)
    assert row.ended_s is not None
    assert row.duration_s is not None
    assert [data["stages"][part[0]] for part in parts] == ["dense", "assign", "finetune", "evaluate"]
    assert parts[0][1:] == [0.4, 0.0, 1]  # reused: nothing ran
    assert parts[2][1:] == pytest.approx([0.1 * row.duration_s, 0.4 * row.duration_s, 0], abs=0.01)
    assert start == pytest.approx(row.ended_s - row.duration_s, abs=0.1)
    assert "thin line is time that it waited" in Page(html).text()
    old = [dataclasses.replace(r, spans=[Span(s.stage, s.ran_s + s.waited_s) for s in r.spans]) for r in report.rows]
    assert "as long as the trial was in them" in Page(render_report(dataclasses.replace(report, rows=old))).text()


def test_the_hypervolume_can_be_seen_over_what_was_spent() -> None:
    report = sample_report()
    html = render_report(report)
    data = Page(html).data()
    assert [cost["name"] for cost in data["costs"]] == ["CPU hours", "EUR"]
    assert {len(cost["values"]) for cost in data["costs"]} == {len(data["history"])}
    assert "<option>CPU hours</option><option>EUR</option>" in html


def test_test_columns_are_for_members_only() -> None:
    report = sample_report()
    rows = [dataclasses.replace(r, values=r.values | {"test/accuracy": 91.7, "test/sid5": 33.3}) for r in report.rows]
    page = Page(render_report(dataclasses.replace(report, rows=rows)))
    assert not any(c["name"].startswith("test/") for c in page.table()["columns"])
    assert page.text().count("91.7") == 7 + 7 + 1  # of each member, twice, and of the picked one beside the baselines
    assert page.text().count("33.3") == 7
    assert "All that was measured on other splits" in page.text()


def test_front_comes_first_in_the_table() -> None:
    report = sample_report()
    text = render_report(report)
    rows = Page(text).table()["rows"]
    assert len(rows) == len(report.rows)
    member = [row["standing"] in ("front", "picked") for row in rows]
    assert member == sorted(member, reverse=True)
    assert report.pick is not None
    assert [row["trial"] for row in rows if row["standing"] == "picked"] == [report.pick.point.trial]
    listed = re.findall(r'<tr class="(member[^"]*)" data-trial="(\d+)"', text)
    assert [int(trial) for _, trial in listed] == [row["trial"] for row in rows[: sum(member)]]
    assert [int(trial) for kind, trial in listed if "picked" in kind] == [report.pick.point.trial]


def test_a_stopped_trial_never_enters_the_front() -> None:
    brilliant = TrialRow(99, "stopped", {}, {"accuracy": 99.0, "interpretability": 99.0})
    report = dataclasses.replace(sample_report(), rows=[*sample_rows(), brilliant])
    assert 99 not in {t["trial"] for t in Page(render_report(report)).data()["trials"]}


def test_every_text_is_escaped() -> None:
    objectives = [Objective(CANARY, "max", 0, 1, CANARY), Objective("b", "max", 0, 1)]
    values = {CANARY: 0.5, "b": 0.5}
    row = TrialRow(0, "complete", {CANARY: CANARY}, {**values, CANARY + "m": 1.0}, 1.0, CANARY)
    feature = FeatureView(0, np.ones((2, 2), dtype=np.float32), 1.0, CANARY)
    view = ClassView(CANARY, np.zeros((9, 9, 3), dtype=np.uint8), [feature])
    pick = dataclasses.replace(
        sample_report().pick,
        point=row.point(),
        reason=CANARY,
        classes=[view],
        comparison=ComparisonView(view, dataclasses.replace(view, features=[])),
    )
    report = Report(
        search=CANARY,
        objectives=objectives,
        rows=[row, TrialRow(1, CANARY, {}, {}, None, CANARY)],
        hypervolume=[(1.0, 0.25)],
        stages=[StageUse(CANARY, 1, 1, 1.0, 1.0)],
        pick=pick,
        baselines=[BaselineRow(CANARY, {CANARY: 1.0}, CANARY)],
        note=CANARY,
        importance=[Importance(CANARY, {CANARY: Share(1.0, 0.1)}, 10, 10)],
        curves=[Curve((0,), CANARY, {"epoch": [1.0, 2.0], CANARY: [1.0, 2.0]})],
        origin=Origin(CANARY, {CANARY: CANARY}, [Setting(CANARY, {CANARY: CANARY}, CANARY)], [Setting(CANARY, 1, 1)]),
        features_page=CANARY,
    )
    text = render_report(report)
    assert "<script>alert" not in text
    parsed = Page(text)
    assert len(parsed.scripts) == 2  # data, ours
    assert CANARY in [row["cause"] for row in parsed.table()["rows"]]  # our script shows it as text
    assert parsed.text().count("<script>alert(1)</script>") > 15
    assert not [name for _, a in parsed.tags for name in a if name.startswith("on")]
    assert all(set(a) <= {"src", "alt", "decoding"} for t, a in parsed.tags if t == "img")


def test_a_search_that_has_only_begun() -> None:
    text = Page(render_report(Report("new", OBJECTIVES[:2], []))).text()
    assert "No trial has begun." in text
    assert "hypervolume" not in text  # there is none yet
    assert "Outcomes" not in text
    running = Report("new", OBJECTIVES[:2], [TrialRow(0, "running", {"width": 1})])
    text = Page(render_report(running)).text()
    assert "The only trial has not completed." in text
    assert "1 running" in text
    failed = [TrialRow(i, "failed", {"width": 1}) for i in range(3)]
    assert "None of 3 trials has completed." in Page(render_report(Report("new", OBJECTIVES[:2], failed))).text()


def test_a_search_of_one_trial() -> None:
    report = sample_report()
    page = Page(render_report(dataclasses.replace(report, rows=report.rows[:1], pick=None)))
    assert "The only trial completed. 1 is on the front of accuracy and interpretability." in page.text()
    assert {c["group"] for c in page.table()["columns"] if c["name"] == "seed"} == {"parameters"}


def test_many_objectives_are_counted_in_a_sentence() -> None:
    objectives = [Objective(f"metric_{i}", "max", 0.0, 100.0) for i in range(9)]
    rows = [TrialRow(i, "complete", {}, {o.name: float(i) for o in objectives}) for i in range(2)]
    assert "1 is on the front of 9 objectives." in Page(render_report(Report("many", objectives, rows))).text()


def test_a_model_that_was_not_measured_on_test_is_told_apart_from_the_baselines() -> None:
    """Its values are of other images: it is never the best beside them, even where it is."""
    report = sample_report()
    assert report.pick is not None
    untested = Page(render_report(report))
    assert UNTESTED in untested.text()
    weak = BaselineRow("weak", {"accuracy": 1.0, "sid5": 2.0})
    made = baselines(dataclasses.replace(report, baselines=[weak]))
    assert made is not None
    assert made["heads"][0] == "accuracy [%]"
    assert [row["cells"][0]["best"] for row in made["rows"]] == [False, True]
    rows = [dataclasses.replace(r, values=r.values | {"test/accuracy": 91.7}) for r in report.rows]
    made = baselines(dataclasses.replace(report, rows=rows, baselines=[weak]))
    assert made is not None
    assert [row["cells"][0]["best"] for row in made["rows"]] == [True, False]
    assert made["rows"][0]["note"] == ""


def test_parameters_of_words_truths_and_wide_ranges_have_axes_that_hold_every_trial() -> None:
    rows = [
        TrialRow(i, "complete", {"flag": i % 2 == 0, "lr": 10.0 ** -(i % 4), "same": 1}, {"accuracy": 50.0 + i})
        for i in range(8)
    ]
    page = Page(render_report(Report("odd", OBJECTIVES[:1], rows)))
    flag, lr = page.data()["params"]
    assert flag["choices"] == ["false", "true"]
    assert {t["params"][0] for t in page.data()["trials"]} == {"false", "true"}
    assert lr["log"]  # a thousandfold
    assert lr["ticks"] == [0.001, 0.01, 0.1, 1.0]
    assert set(page.column("flag")) == {"false", "true"}
    assert {c["name"]: c["group"] for c in page.table()["columns"]}["same"] == "the same in every trial"


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([80.0, 81.25], ["80.0", "81.2"]),
        ([0.00275, 0.0065], ["0.00275", "0.00650"]),
        ([0.5, None], ["0.500", "–"]),
        ([3.0, 40.0], ["3", "40"]),
        ([1e-12], ["0.000000000"]),
    ],
)
def test_a_column_shows_three_digits_of_its_largest_number(values: list[float | None], texts: list[str]) -> None:
    assert column(values) == texts


def test_one_objective_alone_is_drawn_over_the_trials() -> None:
    report = sample_report(1)
    page = Page(render_report(report))
    data = page.data()
    complete = [row for row in report.rows if row.outcome == "complete"]
    assert [axis["name"] for axis in data["axes"]] == ["trial", "accuracy"]
    assert data["axes"][0]["order"]
    assert data["baselines"][0]["values"] == [None, 81.8]
    assert [t["values"] for t in data["trials"]] == [[row.trial, row.values["accuracy"]] for row in complete]
    assert all(len(t["spread"]) == 2 for t in data["trials"])
    best = max(complete, key=lambda row: row.values["accuracy"])
    assert [t["trial"] for t in data["trials"] if t["rank"] == 1] == [best.trial]
    assert "1 is on the front of accuracy." in page.text()
    assert "Those on the front are the best" in page.text()
    assert "both objectives" not in page.text()


def test_without_an_objective_there_is_no_report() -> None:
    with pytest.raises(UsageError, match="no objectives"):
        Report("none", [], [])


def test_confirmed_members_show_error_bars_and_what_is_beyond_noise() -> None:
    rows = sample_rows()
    points = [row.point() for row in rows if row.outcome == "complete"]
    member = front(points, OBJECTIVES[:2])[0].trial
    place = [p.trial for p in points].index(member)
    bars = ErrorBars(4, {}, {"accuracy": 0.8}, {"accuracy": 0.4, "interpretability": float("nan")}, 0.97)
    rows[member] = dataclasses.replace(rows[member], bars=bars)
    page = Page(render_report(dataclasses.replace(sample_report(), rows=rows)))
    assert page.data()["trials"][place]["spread"] == [0.4, 0.0]
    assert "± 0.4; sd 0.8 over 4 runs" in page.text()
    assert page.column("runs").count(None) == len(rows) - 1
    assert "± 0.4; sd 0.8 over 4 runs" in [cell[2] for cell in page.column("accuracy") if isinstance(cell, list)]
    assert ", with 1 of 1 confirmed beyond noise." in page.text()
    assert page.text().count("beyond noise") == 4  # in the lede, as a heading and below both tables
    assert "0.97" in page.text()
    assert "beyond noise" not in Page(render_report(sample_report())).text()
    assert "nan" not in page.text()


def test_errors_numbers_of_images_and_programs_are_told() -> None:
    report = sample_report()
    assert report.pick is not None
    clock = ProgramInfo(301.25, 305.2, 0.013, "deadline", 20.0)
    counts = {"n_images": 288.0, "n_masked_images": 120.0, "test/accuracy": 99.02, "test/n_images": 1440.0}
    rows = [dataclasses.replace(row, values=row.values | counts, program=clock) for row in report.rows]
    point = next(row.point() for row in rows if row.trial == report.pick.point.trial)
    probe = BaselineRow("probe", {"accuracy": 81.8, "n_images": 360.0})
    pick = dataclasses.replace(report.pick, point=point)
    page = Page(render_report(dataclasses.replace(report, rows=rows, pick=pick, baselines=[probe])))
    text = page.text()
    assert f"{point.values['accuracy']:.1f} ± 2.3 %, n = 288" in text
    assert "99.0 ± 0.3, n = 1440" in text
    assert "81.8 ± 2.0, n = 360" in text
    assert "± is one standard error (binomial; half of Wilson's interval); accuracy, sid5: n = 288 images" in text
    assert "plausibility undilated: n = 120 images with a mask" in text
    assert "gap [%] bound program" in text
    assert "1.3 305.2 stopped by the clock" in text
    assert "Programs: 36 by clock (gap up to 1.3 %)." in text
    assert page.column("gap")[0] == [0.013, "1.3", ""]
    assert page.column("program")[0] == "stopped by the clock"
    assert "program stopped by the clock, gap 1.3 %" in text
    assert page.column("accuracy")[0][2] == "± 2.3, n = 288"
    assert page.data()["trials"][0]["spread"][0] == pytest.approx(2.4, abs=0.1)
    assert "masked images" not in text  # a count is no metric


@pytest.mark.slow
def test_the_accuracy_of_each_class_is_there_the_worst_first() -> None:
    report = sample_report()
    assert report.pick is not None
    assert "Accuracy of each of" not in render_report(report)
    classes = [ClassAccuracy("two", 40, 97.5, 2.5), ClassAccuracy(CANARY, 8, 50.0, 16.7)]
    page = render_report(dataclasses.replace(report, pick=dataclasses.replace(report.pick, by_class=classes)))
    words = Page(page).words
    assert CANARY not in page
    assert next(i for i, word in enumerate(words) if CANARY in word) < words.index("97.5")
    assert "± 16.7" in words


def test_what_nobody_has_chosen_is_not_called_picked() -> None:
    report = sample_report()
    assert report.pick is not None
    assert "The picked model" in Page(render_report(report)).text()
    looked = dataclasses.replace(report, pick=dataclasses.replace(report.pick, chosen=False))
    page = Page(render_report(looked))
    assert "Nothing is picked yet; what the default rule would take" in page.text()
    assert f"Suggested: trial {report.pick.point.trial}" in page.text()
    assert "The picked model" not in page.text()
    assert page.data()["picked"] is None


@pytest.mark.slow
def test_a_report_needs_no_heavy_library() -> None:
    code = "import sys, tuner.report.search_page as _; print(*{'torch', 'ray', 'mlflow', 'optuna'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
