"""`qpm-tuner compare` without a search, on S3: systems over seeds, trained once, and what it refuses."""

import json

import pytest

from jobs import compare
from tests.searches import TINY
from tests.servers import s3_server, s3_url

__all__ = ["s3_server", "s3_url"]

QUICK = ("--systems", "probe,qpm,random", "--seeds", "2", *TINY, "assign.effort=500")


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.timeout(300)
def test_systems_are_compared_over_seeds_and_the_second_time_nothing_is_trained(s3_url, capsys):
    arguments = ["--recipe", "digits", "--store", s3_url, *QUICK]
    assert compare.main([*arguments, "--json"]) == 0
    said = capsys.readouterr()
    assert "of 6 runs" in said.err
    document = json.loads(said.out)
    assert document["seeds"] == [0, 1]
    rows = {row["name"]: row for row in document["rows"]}
    assert list(rows) == ["probe", "qpm", "random"]
    for row in rows.values():
        accuracies = [run["values"]["accuracy"] for run in row["runs"]]
        assert row["mean"]["accuracy"] == pytest.approx(sum(accuracies) / 2)
        assert len({run["key"] for run in row["runs"]}) == 2
        assert row["mean"]["accuracy"] > 40, "ten classes are learnt"
    assert rows["qpm"]["mean"]["features_per_class_used"] == 5

    assert compare.main([*arguments, "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out) == document
    assert "starting Ray" not in said.err
    assert compare.main(arguments) == 0
    assert "QPM 48/5" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "neither --recipe nor --name"),
        (["--recipe", "digits", "--name", "x"], "--recipe digits and --name x"),
        (["--name", "x", "width=48"], "width=48 beside --name"),
        (["--recipe", "digits", "--systems", "prob"], "did you mean 'probe'"),
        (["--recipe", "digits", "--seeds", "0"], "give one, such as --seeds 3"),
        (["--recipe", "digits", "width=x"], "width"),
        (["--name", "none"], "no search 'none'"),
    ],
)
def test_bad_input_is_refused_in_three_parts_before_anything_is_computed(arguments, said, tmp_path, capsys):
    assert compare.main(["--store", str(tmp_path / "runs"), *arguments]) == 2
    printed = capsys.readouterr().err
    assert said in printed
    assert "to do:" in printed
    assert not (tmp_path / "runs").exists()
