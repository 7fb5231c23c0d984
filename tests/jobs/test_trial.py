"""What `qpm-tuner trial` says of one trial that early stopping has ended."""

import json
import tempfile
from pathlib import Path

from jobs import trial
from tests.ledgers import finished, home_with, trial_events
from tuner.qpm.storage import write_curves
from tuner.search.stages import STAGES

PRUNED = {
    "outcome": "pruned",
    "stage": "finetune",
    "cause": "dominated at the rung, epoch 3 of 10",
    "model": None,
    "rung": {"accuracy": 61.25, "interpretability": 55.5, "n_images": 288.0},
    "rung_epochs": [3, 10],
}


def test_a_pruned_trial_shows_what_it_had_at_the_rung(tmp_path, capsys):
    home_with(tmp_path, [*finished(), *trial_events(3, {}, **PRUNED)])
    asked = ["--store", str(tmp_path), "--name", "made-up", "3"]
    assert trial.main(asked) == 0
    printed = capsys.readouterr().out
    assert "trial 3 of search made-up: pruned after 8 s" in printed
    assert "at the rung, epoch 3 of 10: accuracy 61.2, interpretability 55.5\n" in printed
    assert trial.main([*asked, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["rung"], told["rung_epochs"], told["values"]) == (PRUNED["rung"], [3, 10], {})


def curves_in(home, stage, key, rows):
    """Learning curves as a worker leaves them."""
    with tempfile.TemporaryDirectory() as folder:
        write_curves(Path(folder), rows)
        home.artifacts.publish(STAGES[stage].curves, key, Path(folder), {})


def test_the_curves_of_a_pruned_trial_are_printed_up_to_its_rung(tmp_path, capsys):
    events = trial_events(3, {}, **PRUNED)
    rung = {"stage": "rung", "key": "rung3", "reused": False, "seconds": 1.0, "saved_s": 0.0}
    events[1]["stages"] = [*events[1]["stages"][:2], rung]
    home = home_with(tmp_path, [*finished(), *events])
    measured = {"val_loss": 1.25, "val_cross_entropy": 1.0, "val_accuracy": 61.25, "val_n_images": 288}
    rows = [{"epoch": epoch, "loss": 2.0 / epoch, "accuracy": 50.0 + epoch} for epoch in (1, 2, 3)]
    curves_in(home, "rung", "rung3", [rows[0] | measured, rows[1], rows[2]])
    asked = ["--store", str(tmp_path), "--name", "made-up", "3"]
    assert trial.main(asked) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "finetune 1 of 10 2.000 1.250 51.0 61.2 finetune 3 of 10 0.667 53.0 validation: 288 images" in printed
    assert "the learning curves of dense cannot be shown: no stages/dense/dense3 in" in printed
    assert trial.main([*asked, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    stages = [stage["stage"] for stage in document["stages"]]
    assert stages == ["dense", "assign", "rung", "finetune", "evaluate"], "in the order in which they run"
    told = document["curves"]
    assert told["finetune"] == {"epochs": 10, "rows": [rows[0] | measured, *rows[1:]], "missing": ""}


def test_a_trial_of_an_earlier_version_says_that_it_has_no_validation_curve(tmp_path, capsys):
    home = home_with(tmp_path, finished())
    rows = [{"epoch": 1, "loss": 2.0, "accuracy": 50.0}]
    curves_in(home, "dense", "dense1", rows)
    curves_in(home, "finetune", "finetune1", [{"loss": 2.0}])
    assert trial.main(["--store", str(tmp_path), "--name", "made-up", "1"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "dense has no validation curve: an earlier version ran it, or protocol=paper" in printed
    assert "the learning curves of finetune cannot be shown: they do not say which epoch a value is of" in printed
