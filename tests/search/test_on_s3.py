"""A search on S3 that is confirmed over validation splits, and comparisons there, beside its front and without one."""

import json

import pytest

from jobs import compare, confirm
from tests.searches import TINY, WITHOUT_MLFLOW, one_ray, run_tiny
from tests.servers import s3_server, s3_url

__all__ = ["s3_server", "s3_url"]

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]
SMALL = ("dense.epochs=1", "finetune.epochs=1", "assign.effort=500", WITHOUT_MLFLOW)


def test_confirmed_over_splits_and_compared(s3_url, capsys):
    with one_ray():
        made, told = run_tiny(s3_url, "birds", *SMALL, "budget.trials=2", "confirm.splits=2", "confirm.share=0.4")
        assert made.state.counts() == {"complete": 2}
        members = [member.trial for member in made.home.front().members]
        (confirmed,) = [trial for trial in made.state.trials.values() if trial.confirmations]
        assert sorted(confirmed.confirmations) == [(0, 1)], "the same seed on the next split"
        run = confirmed.confirmations[0, 1]
        assert run.stage_key("dense") != confirmed.stage_key("dense")
        assert run.values["accuracy"] != confirmed.values["accuracy"]
        assert "with other seeds and validation splits" in told

        place = ["--store", s3_url, "--name", "birds"]
        assert confirm.main([*place, "--seeds", "2", "--splits", "2", "--json"]) == 0
        document = json.loads(capsys.readouterr().out)
        assert [member["confirmation"]["runs"] for member in document["members"]] == [3] * len(members)
        state = made.home.state()
        assert all(sorted(state.trials[trial].confirmations) == [(0, 1), (1, 0), (1, 1)] for trial in members)

        assert compare.main([*place, "--systems", "probe", "--json"]) == 0
        rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["rows"]}
        wanted = {f"{kind}-{trial}" for kind in ("trial", "random") for trial in members} | {"probe"}
        assert wanted <= set(rows)
        assert all(len(row["runs"]) == 1 and not row["absent"] for row in rows.values())

        recipe = ["--recipe", "digits", "--store", s3_url, "--systems", "probe,qpm_held_out", "--seeds", "1"]
        assert compare.main([*recipe, *TINY, *SMALL, "--json"]) == 0
        again = {row["name"]: row for row in json.loads(capsys.readouterr().out)["rows"]}
        assert again["probe"]["runs"] == rows["probe"]["runs"], "trained once, and found in the store"
        assert again["qpm_held_out"]["runs"]
