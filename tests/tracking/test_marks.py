"""What a trial's run says at a glance: colour, membership, description with figures, and what people wrote stays."""

from typing import Any

from tuner.tracking import description, marks
from tuner.tracking.axes import Axis
from tuner.tracking.description import DIGEST, NOTE

AXES = [Axis("accuracy", "max"), Axis("n_features", "min", is_param=True)]
TAGS = {"qpm.trial": "3", "qpm.run": "trial-0003", "outcome": "complete"}
VALUES = {"accuracy": 79.25, "n_images": 269.0}


def marked(tags: dict[str, str], *, members: Any = (3,), chosen: str = "") -> dict[str, str]:
    return marks.of_trial("run", tags, VALUES, {"n_features": "20"}, AXES, members, chosen)


def test_a_member_a_dominated_and_a_picked_trial_have_the_colours_of_the_report() -> None:
    found = marked(TAGS)
    assert (found["pareto"], found[marks.COLOUR]) == ("true", marks.MEMBER)
    assert found[NOTE] == "On the front. Accuracy 79.2 % (± 2.5, n = 269), features 20."
    now = TAGS | found
    assert marked(now) == {}, "nothing is sent twice"
    later = marked(now, members=(5,))
    assert (later["pareto"], later[marks.COLOUR]) == ("false", marks.DOMINATED)
    assert later[NOTE].startswith("Not on the front.")
    picked = marked(now, chosen="trial-0003")
    assert (picked["picked"], picked[marks.COLOUR]) == ("true", marks.PICKED)
    assert picked[NOTE].startswith("On the front. Picked.")
    assert marked(now, members=None) == {}, "a command that does not know the front changes nothing"


def test_a_colour_and_a_description_that_somebody_gave_stay() -> None:
    now = TAGS | marked(TAGS) | {marks.COLOUR: "#ff0000", NOTE: "For the talk in May."}
    assert marked(now, members=()) == {"pareto": "false"}


def test_a_picture_is_shown_where_it_is_as_long_as_the_trial_is_a_member() -> None:
    assert "![The front](get-artifact?path=front.svg&run_uuid=run)" in marked(TAGS | {"qpm.picture": "true"})[NOTE]
    assert "front.svg" not in marked(TAGS | {"qpm.picture": "true"}, members=())[NOTE]


def test_what_did_not_complete_says_why() -> None:
    pruned = TAGS | {"outcome": "pruned", "rung": "epoch 2 of 4", "cause": ""}
    assert description.of_trial(pruned, {}, {"n_features": "20"}, AXES, "run", picture=False) == (
        "Stopped early at epoch 2 of 4. Features 20."
    )
    failed = TAGS | {"outcome": "failed", "cause": "out of memory"}
    assert description.of_trial(failed, {}, {}, AXES, "run", picture=False) == "Failed: out of memory."


def test_a_confirmed_member_has_its_error_bar() -> None:
    values = VALUES | {"confirmed/runs": 3.0, "confirmed/accuracy_mean": 78.0, "confirmed/accuracy_deviation": 0.61}
    told = description.of_trial(TAGS | {"beyond_noise": "true"}, values, {}, AXES, "run", picture=False)
    assert "Over 3 runs, mean and standard deviation: accuracy 78.0 % (± 0.6); beyond noise." in told


def test_the_search_says_how_far_it_is() -> None:
    values = {"trials": 6.0, "front_size": 3.0, "best/accuracy": 98.88, "program/gap": 0.062, "seconds": 228.0}
    told = description.of_search({}, values, AXES, "1", "run", ["report.html", "front.svg"])
    links, figures, picture = told.split("\n\n")
    assert links.endswith("· [Report](#/experiments/1/runs/run/artifacts/report.html?workflowType=machine_learning)")
    assert figures == (
        "3 of 6 trials on the front. Best values, perhaps of different trials: accuracy 98.9 %. "
        "Largest gap of a program: 0.062 %. Search time: 4 min."
    )
    assert picture.startswith("![The front]")
    written = description.rewritten("", {}, told)
    assert description.rewritten(told, written, told) == {}
    assert description.rewritten("mine", {DIGEST: written[DIGEST]}, told) == {}
