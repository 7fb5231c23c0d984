"""What `qpm-tuner trial` says of one trial that early stopping has ended."""

import json

from jobs import trial
from tests.ledgers import finished, home_with, trial_events

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
