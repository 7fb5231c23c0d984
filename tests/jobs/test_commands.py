"""The commands as people use them, on a finished search: what they print, write, refuse and exit with."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import jobs
from jobs import compare, explain, extract, front, pick, report, search, status
from tests.searches import run_tiny
from tuner.data.load import load_dataset
from tuner.data.settings import DataConfig
from tuner.model import load_model
from tuner.search.record.home import open_home
from tuner.store import open_store

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    run_tiny(root)
    return ["--store", str(root), "--name", "tiny"]


@pytest.fixture
def digit(tmp_path):
    dataset = load_dataset(DataConfig())
    path = tmp_path / "digit.png"
    dataset.pictures.image(0).save(path)
    return path, str(dataset.labels[0])


def home_at(address):
    return open_home(open_store(address[1]), address[3])


def read_picks(address):
    return [event for event in home_at(address).ledger.read() if event["event"] == "pick"]


DOCUMENT = {"search", "objectives", "hypervolume", "hypervolume_error", "reference", "moving", "trials"}
DOCUMENT |= {"caution", "constraints", "members"}


def read_json(capsys):
    return json.loads(capsys.readouterr().out)


def test_front_prints_a_table_or_one_json_document(address, capsys):
    assert front.main(address) == 0
    printed = capsys.readouterr().out
    assert "on the front, hypervolume" in printed
    assert {"test", "accuracy"} <= set(printed.split()), "a heading may wrap"
    assert front.main([*address, "--json"]) == 0
    document = read_json(capsys)
    assert set(document) == DOCUMENT
    assert document["objectives"] == {"accuracy": "max", "interpretability": "max"}
    assert document["trials"] == {"complete": 3}
    for member in document["members"]:
        assert set(member) == {"trial", "params", "values", "model", "errors", "confirmation", "program"}
        assert member["model"]
        assert member["values"]["n_images"] > 0
        assert member["errors"]["accuracy"] > 0


def test_front_for_other_objectives(address, capsys):
    assert front.main([*address, "--json", "--objectives", "accuracy", "n_features"]) == 0
    assert read_json(capsys)["objectives"] == {"accuracy": "max", "n_features": "min"}
    assert front.main([*address, "--objectives", "beauty"]) == 2
    assert "beauty" in capsys.readouterr().err


def test_status_tells_how_far_the_search_is(address, capsys):
    assert status.main(address) == 0
    assert "3 complete" in capsys.readouterr().out
    assert status.main([*address, "--json"]) == 0
    document = read_json(capsys)
    assert document["trials"] == {"complete": 3}
    assert document["open"] == []
    assert document["stages"]["dense"]["runs"] == 1


def test_pick_gives_a_reason_exports_a_model_that_predicts_and_registers_it(address, capsys, tmp_path, digit):
    folder = tmp_path / "picked"
    arguments = [*address, "--within", "1.0", "accuracy", "--export", str(folder), "--register", "--json"]
    assert pick.main(arguments) == 0
    document = read_json(capsys)
    assert document["reason"].startswith(f"Trial {document['trial']} ")
    assert document["registered"] == "models:/tiny/1"
    image, label = digit
    prediction = load_model(folder).predict([image])[0]
    assert prediction.class_name == label
    assert len(prediction.explanation.evidence[int(label)]) == document["params"]["features_per_class"]
    events = read_picks(address)
    assert events[-1]["trial"] == document["trial"]
    assert pick.main([*address, "--export", str(folder)]) == 2
    assert "not empty" in capsys.readouterr().err
    assert read_picks(address) == events


def test_an_exported_model_predicts_exactly_what_was_measured(address, capsys, tmp_path):
    folder = tmp_path / "picked"
    assert pick.main([*address, "--knee", "--export", str(folder), "--json"]) == 0
    document = read_json(capsys)
    dataset = load_dataset(DataConfig())
    held_out = np.flatnonzero(~dataset.is_train)
    paths = []
    for i in held_out:
        paths.append(tmp_path / f"{i}.png")
        dataset.pictures.image(int(i)).save(paths[-1])
    model = load_model(folder)
    named = [p.class_name for p in model.predict(paths)]
    accuracy = 100 * np.mean(
        [dataset.class_names[dataset.labels[i]] == n for i, n in zip(held_out, named, strict=True)]
    )
    assert accuracy == pytest.approx(model.card["test"]["accuracy"], abs=1e-3)
    assert document["trial"] == model.card["trial"]


def test_pick_with_limits(address, capsys):
    assert pick.main([*address, "--at-most", "features_per_class=2", "--json"]) == 0
    assert read_json(capsys)["params"]["features_per_class"] == 2
    assert pick.main([*address, "--at-most", "features_per_class=1"]) == 2
    assert "nearest" in capsys.readouterr().err.lower()
    assert pick.main([*address, "--at-most", "features_per_class"]) == 2
    assert pick.main([*address, "--within", "much", "accuracy"]) == 2
    assert pick.main([*address, "--within", "1", "beauty"]) == 2


def test_report_is_one_file_that_fetches_nothing(address, capsys, tmp_path):
    out = tmp_path / "report.html"
    assert report.main([*address, "--out", str(out)]) == 0
    page = out.read_text()
    assert "Content-Security-Policy" in page
    assert "How it sees its classes" in page
    assert capsys.readouterr().out.strip() == str(out)
    assert "-features.html" not in page
    assert report.main([*address, "--out", str(out), "--features"]) == 0
    beside = tmp_path / "report-features.html"
    assert capsys.readouterr().out.split() == [str(out), str(beside)]
    assert 'href="report-features.html"' in out.read_text()
    features = beside.read_text()
    assert "classes use it" in features
    assert "train" in features
    assert features.count("<img") >= 3 * features.count("<h2")


def test_explain_names_class_and_features_and_draws_them(address, capsys, tmp_path, digit):
    folder, out = tmp_path / "picked", tmp_path / "why.html"
    assert pick.main([*address, "--knee", "--export", str(folder)]) == 0
    capsys.readouterr()
    image, label = digit
    assert explain.main(["--model", str(folder), str(image), "--out", str(out), "--json"]) == 0
    document = read_json(capsys)[0]
    assert document["class"] == label
    total = sum(feature["contribution"] for feature in document["features"])
    assert total == pytest.approx(document["logit"], abs=1e-4)
    assert "data:image" in out.read_text()
    assert explain.main(["--model", str(folder), str(tmp_path / "none.png")]) == 1
    assert explain.main(["--model", str(tmp_path), str(image)]) == 1


def test_two_classes_are_compared_in_words_and_json_with_the_images_named(address, capsys, tmp_path, digit):
    out = tmp_path / "3-8.html"
    image, _ = digit
    arguments = [*address, "--against", "3", "8"]
    assert explain.main([*arguments, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert explain.main([*arguments, str(image), "--json"]) == 0
    comparison, prediction = read_json(capsys)
    assert comparison["comparison"] == "3 against 8"
    dataset = load_dataset(DataConfig())
    for side, name in zip(comparison["classes"], "38", strict=True):
        row = dataset.paths.index(side["image"])
        assert side["class"] == side["true_class"] == str(dataset.labels[row]) == name
        assert side["split"] == "test"
        assert not dataset.is_train[row]
        assert side["image"] in said
        assert side["image"] in out.read_text()
        assert sum(f["contribution"] for f in side["features"]) == pytest.approx(side["logit"], abs=1e-4)
    assert prediction["image"] == str(image)
    assert explain.main([*address, "--against", "3", "3"]) == 2
    assert "two different classes" in capsys.readouterr().err
    assert explain.main([*address, "--against", "3", "ten"]) == 2
    assert "'ten' is unknown" in capsys.readouterr().err


@pytest.mark.long  # the page on choosing a model does so, too
def test_compare_puts_systems_beside_the_front_and_runs_them_once(address, capsys):
    state = home_at(address).state()
    chosen = ["--systems", "probe,qpm", "--json"]
    assert compare.main([*address, *chosen]) == 0
    document = read_json(capsys)
    assert all(run["errors"]["accuracy"] > 0 for row in document["rows"] for run in row["runs"])
    titles = {row["title"]: row for row in document["rows"]}
    assert {"linear probe 128", "dense 24", "QPM 50/5"} <= titles.keys()
    members = [row for row in document["rows"] if row["role"] == "member"]
    assert members[0]["runs"][0]["values"] == state.trials[int(members[0]["name"].removeprefix("trial-"))].test
    assert sum(row["role"] == "control" for row in document["rows"]) == len(members)
    kept = home_at(address).state().baselines
    assert {b.key for b in kept} == {r["key"] for row in document["rows"] if row not in members for r in row["runs"]}
    assert compare.main([*address, *chosen]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out) == document
    assert "Ray" not in said.err, "nothing is left to run"
    assert home_at(address).state().baselines == kept
    assert home_at(address).state().elapsed_s == state.elapsed_s  # it is no part of the search


@pytest.mark.long
def test_compare_over_seeds_repeats_members_afresh(address, capsys):
    assert compare.main([*address, "--seeds", "2", "--systems", "probe"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "over 2 seeds (1, 2), each repeated from the first training on" in printed, (
        "0 is the one they were chosen at"
    )
    repeated = [b for b in home_at(address).state().baselines if b.trial is not None]
    assert {b.seed for b in repeated} == {1, 2}
    assert {b.name for b in repeated} == {f"trial {b.trial}" for b in repeated}


def test_extract_makes_the_bank_and_finds_it_again(tmp_path, capsys):
    arguments = ["--recipe", "digits", "--store", str(tmp_path)]
    assert extract.main(arguments) == 0
    first = capsys.readouterr().out
    assert extract.main(arguments) == 0
    assert capsys.readouterr().out == first


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--recipe", "digits", "dense.epoch=3"], 2, "unknown setting dense.epoch"),
        (["--recipe", "digits", "features_per_class=99"], 2, "space searches"),
        (["--recipe", "digits", "space={width: {choices: [4]}}"], 2, "n_features"),
        (["--recipe", "nothing"], 2, "nothing"),
        ([], 2, "no search 'x'"),
        (["--recipe", "cub", "data.root=/nowhere"], 1, "/nowhere"),
        (["--recipe", "digits", "resources.dense.gpus=64"], 2, "64 GPUs"),
    ],
)
def test_search_refuses_bad_input_in_three_parts_without_a_traceback(arguments, code, said, tmp_path, capsys):
    assert search.main(["--store", str(tmp_path), "--name", "x", *arguments]) == code
    printed = capsys.readouterr().err
    assert said in printed
    assert "expected:" in printed
    assert "to do:" in printed
    assert "Traceback" not in printed


@pytest.mark.parametrize("name", ["../x", "a/b", "/etc", ".", "a\x00b", "﹒﹒/x", "\u202etxt"])
def test_names_from_users_never_become_paths(name, tmp_path, capsys):
    assert search.main(["--store", str(tmp_path / "s"), "--name", name, "--recipe", "digits"]) == 2
    assert "to do:" in capsys.readouterr().err
    assert not list(tmp_path.rglob("*recipe.yaml"))


def test_an_unwritable_store_is_told(tmp_path, capsys):
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert search.main(["--store", str(blocked), "--name", "x", "--recipe", "digits"]) == 2
    assert str(blocked) in capsys.readouterr().err


def test_a_corrupt_mlflow_database_costs_a_warning_never_a_trial(tmp_path):
    (tmp_path / "mlflow.db").write_text("this is no database")
    result, _ = run_tiny(tmp_path)
    assert result.state.counts() == {"complete": 3}
    assert "mlflow.db" in result.tracking


def test_broken_images_are_all_named_before_anything_is_computed(tmp_path, capsys):
    for number in range(12):
        path = tmp_path / "images" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((16, 16, 3), 20 * number, np.uint8)).save(path)
    for name in ("a/2.png", "b/3.png"):
        (tmp_path / "images" / name).write_bytes(b"no image")
    arguments = ["--recipe", "folder", f"data.root={tmp_path / 'images'}", "backbone.name=patch_dictionary"]
    arguments += ["backbone.image_size=0", "--store", str(tmp_path / "runs"), "--name", "x"]
    assert search.main(arguments) == 1
    printed = capsys.readouterr().err
    assert "2.png" in printed
    assert "3.png" in printed


@pytest.mark.parametrize("command", jobs.NAMES)
def test_every_command_runs_as_module_and_as_file_with_help_and_examples(command):
    root = Path(jobs.__file__).parents[1]
    for start in (["-m", f"jobs.{command}"], [f"jobs/{command}.py"]):
        done = subprocess.run([sys.executable, *start, "--help"], capture_output=True, text=True, cwd=root, check=True)
        assert "examples:" in done.stdout


def test_qpm_tuner_lists_and_runs_the_commands(capsys, monkeypatch, address):
    monkeypatch.setattr(sys, "argv", ["qpm-tuner"])
    assert jobs.main() == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in jobs.NAMES)
    monkeypatch.setattr(sys, "argv", ["qpm-tuner", "status", *address, "--json"])
    assert jobs.main() == 0
    assert read_json(capsys)["search"] == "tiny"
    monkeypatch.setattr(sys, "argv", ["qpm-tuner", "fly"])
    assert jobs.main() == 2


def test_a_corrupt_recipe_of_a_search_is_named(address, capsys, tmp_path):
    store = tmp_path / "runs" / "searches" / "x"
    store.mkdir(parents=True)
    (store / "recipe.yaml").write_text("recipe: [")
    assert status.main(["--store", str(tmp_path / "runs"), "--name", "x"]) != 0
    assert "recipe.yaml" in capsys.readouterr().err
