"""Commands on a search with damage: the rest is shown, warnings go to stderr, and the doctor names every damage."""

import json

import pytest

from jobs import doctor, explain, front, pick, report, status
from tests.turns import begin, copy_of, entries_of, retold, turn
from tuner.base.progress import Silent
from tuner.search.outcome.files import write_files, write_front
from tuner.search.record.home import SearchHome
from tuner.store import Lease, LeaseHeldError


@pytest.fixture(scope="module", autouse=True)
def no_waiting_for_disks():
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("os.fsync", lambda descriptor: None)
        yield


@pytest.fixture(scope="module")
def entries(tmp_path_factory):
    home = begin(tmp_path_factory.mktemp("whole"))
    turn(home)
    return entries_of(home)


@pytest.fixture
def home(entries, tmp_path):
    """A proposal that lost its parameters, and one whose bytes are damaged."""
    changed = []
    for key, data in entries:
        event = json.loads(data)
        if (event["event"], event.get("trial")) == ("trial", 2):
            del event["params"]
            changed.append(retold(key, json.dumps(event).encode()))
        elif (event["event"], event.get("trial")) == ("trial", 5):
            changed.append((key, data[:20]))
        else:
            changed.append((key, data))
    return copy_of(tmp_path / "runs", changed)


def address(home):
    return ["--store", home.store.url, "--name", home.name]


def key_of(home, kind, trial):
    """The key of a sound entry."""
    wanted = (kind, trial)
    return next(key for key, e in home.ledger.entries() if (e.get("event"), e.get("trial")) == wanted)


@pytest.mark.parametrize("command", [front, status, pick])
def test_commands_show_the_rest_and_name_the_damage_on_stderr(home, command, capsys):
    options = [*address(home), *(["--knee"] if command is pick else [])]
    assert command.main([*options, "--json"]) == 0
    printed = capsys.readouterr()
    document = json.loads(printed.out)
    if command is status:
        assert document["trials"] == {"complete": 6}
    lost = sorted(home.store.list(home.ledger.prefix))
    lines = [line for line in printed.err.splitlines() if home.ledger.prefix in line]
    assert len(lines) == 6  # two proposals, two outcomes and two measurements that want them
    assert all(any(key in line for key in lost) for line in lines)
    assert any("lacks params; it is left out, and the trial is proposed again" in line for line in lines)
    assert any("its hash does not match" in line for line in lines)
    assert any("ends trial 5, whose proposal is missing or damaged" in line for line in lines)
    assert command.main(options) == 0


def test_a_report_is_written_and_what_cannot_run_says_why_without_a_traceback(home, capsys):
    assert report.main([*address(home), "--out", str(home.store.local_path("report.html"))]) == 0
    assert "lacks params" in capsys.readouterr().err
    assert explain.main([*address(home), "--against", "3", "8"]) == 1  # no stage of this search ever ran
    said = capsys.readouterr().err
    assert "lacks params" in said
    assert "to do:" in said
    assert "defect" not in said


def test_of_many_damages_some_are_told_and_the_doctor_names_all(home, capsys):
    for number in range(30):
        home.ledger.append({"event": "pick", "time_s": 1.0, "trial": number, "reason": None})
    assert status.main(address(home)) == 0
    said = capsys.readouterr().err.splitlines()
    assert len([line for line in said if home.ledger.prefix in line]) == 10
    assert said[-1].endswith("and 26 more entries of the ledger; qpm-tuner doctor lists all")
    assert doctor.main(address(home)) == 1
    assert capsys.readouterr().out.count("FAIL  ledger") == 36


def checks(home, capsys):
    code = doctor.main([*address(home), "--json"])
    printed = capsys.readouterr()
    assert home.ledger.prefix not in printed.err
    document = json.loads(printed.out)
    assert document["healthy"] == (code == 0)
    return code, document["checks"]


def failed(found, name):
    return [check for check in found if check["name"] == name and not check["ok"]]


def test_the_doctor_says_what_is_damaged_and_what_the_next_start_does(home, capsys):
    code, found = checks(home, capsys)
    assert code == 1
    assert len(failed(found, "ledger")) == 6
    assert all(check["todo"].startswith("nothing: ") for check in failed(found, "ledger"))
    [last] = [check for check in found if check["name"] == "next start"]
    assert last["found"] == "trials proposed again: 2, 5"
    turn(home)
    code, found = checks(home, capsys)
    assert code == 1  # the two entries are still what they are
    assert len(failed(found, "ledger")) == 2
    assert found[-1]["found"] == "all 8 trials have finished"


@pytest.fixture
def sound(entries, tmp_path):
    """A search whose artifacts are there: empty ones."""
    home = copy_of(tmp_path / "runs", entries)
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "file").write_text("content")
    home.artifacts.publish("banks", "bank", tmp_path / "made", {"n_classes": 10})
    for trial in home.state().trials.values():
        for use in trial.stages:
            home.artifacts.publish(f"stages/{use.stage}", use.key, tmp_path / "made", {})
    home.ledger.compact()
    write_front(home, home.state(), lambda name, data: home.store.put(home.key(name), data))
    home.store.put(home.key("report.html"), b"<!doctype html><html></html>")
    return home


def test_a_sound_search_has_no_damage(sound, capsys):
    code, found = checks(sound, capsys)
    assert (code, [check for check in found if not check["ok"]]) == (0, [])
    assert {check["name"] for check in found} == {"recipe", "ledger", "snapshot", "files", "artifacts", "next start"}
    for file in ("front.json", "history.parquet", "front.svg", "report.html", "../made-up/ledger.snapshot"):
        sound.store.delete(f"searches/made-up/{file}" if ".." not in file else sound.ledger.snapshot_key)
    assert checks(sound, capsys)[0] == 0  # all of it is made again


@pytest.mark.parametrize("file", ["front.json", "history.parquet", "front.svg", "report.html"])
@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"[]", b"<svg>"])
def test_a_derived_file_that_is_damaged_is_named(sound, capsys, file, data):
    sound.store.put(sound.key(file), data)
    code, found = checks(sound, capsys)
    assert code == 1
    [check] = failed(found, "files")
    assert file in check["found"]
    assert "the next start rewrites it" in check["todo"]


def test_a_damaged_copy_of_the_ledger_is_named_and_costs_nothing(sound, capsys):
    whole = sound.store.get(sound.ledger.snapshot_key)
    sound.store.put(sound.ledger.snapshot_key, whole.replace(b"accuracy", b"accuracies", 1))
    code, found = checks(sound, capsys)
    assert code == 1
    assert len([check for check in found if not check["ok"]]) == 1
    assert "1 entries" in failed(found, "snapshot")[0]["found"]


def test_artifacts_that_the_front_refers_to_are_looked_at(sound, capsys):
    member = sound.front().members[0]
    key = sound.state().trials[member.trial].stage_key("evaluate")
    manifest = sound.artifacts.find("stages/evaluate", key)
    sound.store.put(f"{manifest.folder}/file", b"CONTENT")
    sound.store.delete(f"stages/finetune/{member.model}/manifest.json")
    sound.store.put("banks/bank/manifest.json", b"{")
    code, found = checks(SearchHome(sound.store, sound.name), capsys)
    assert code == 1
    said = [check["found"] for check in failed(found, "artifacts")]
    assert len(said) == 3
    assert any("SHA-256" in line and key in line for line in said)
    assert any(f"{member.model} of trial" in line and "it is missing" in line for line in said)
    assert any("banks/bank" in line for line in said)


BANK_ELSEWHERE = b"recipe: {}\nbank: http://someone:hunter-2@host\nversions: {}\ncode: {}"


@pytest.mark.parametrize("data", [b"", b"recipe: [", b"- 1", b"\xff\xfe", b"recipe: {}\nbank: 3", BANK_ELSEWHERE])
def test_a_recipe_that_is_damaged_is_said_first(home, capsys, data):
    home.store.put(home.key("recipe.yaml"), data)
    code, found = checks(home, capsys)
    assert code == 1
    assert [check["name"] for check in found] == ["recipe"]
    assert found[0]["todo"]
    assert status.main([*address(home), "--json"]) == 1
    printed = capsys.readouterr()
    assert "is damaged" in printed.err
    assert "hunter-2" not in printed.err + printed.out


def test_a_search_that_is_not_there_is_refused(home, capsys):
    assert doctor.main(["--store", home.store.url, "--name", "other"]) == 2
    assert "no search 'other'" in capsys.readouterr().err


def test_what_a_driver_wrote_that_had_lost_the_search_is_named_and_no_damage(sound, capsys, monkeypatch):
    ana, ben = (SearchHome(sound.store, sound.name) for _ in range(2))
    started = next(event for event in sound.ledger.read() if event["event"] == "search")
    with Lease(sound.store, sound.name, "ana") as first:
        ana.ledger.begin(first)
        ana.ledger.append(started)
        with Lease(sound.store, sound.name, "ben", take_over=True) as second:
            ben.ledger.begin(second)
            ben.ledger.append(started)
            monkeypatch.setattr(first, "check", lambda: None)  # it was stopped between looking and writing
            ana.ledger.append({"event": "end", "time_s": started["time_s"]})
    code, found = checks(sound, capsys)
    assert (code, [check for check in found if not check["ok"]]) == (0, [])
    assert sum("had lost the search" in check["found"] for check in found) == 1
    for command in (front, status, pick):
        assert command.main([*address(sound), "--json", *(["--knee"] if command is pick else [])]) == 0


def test_a_driver_that_was_stopped_while_it_wrote_its_files_leaves_those_of_the_next(sound):
    """It looked at its lease, slept, and wakes when another one has ended."""
    asked = []

    def check():
        asked.append(None)
        if len(asked) == 1:
            sound.store.put(sound.key("front.json"), b"of the next driver")
        else:
            raise LeaseHeldError("lost", "a lease", "leave it")

    with pytest.raises(LeaseHeldError):
        write_files(sound, sound.state(), Silent(), check)
    assert sound.store.get(sound.key("front.json")) == b"of the next driver"
    sound.store.delete(sound.key("front.json"))
    asked.clear()
    with pytest.raises(LeaseHeldError):
        write_files(sound, sound.state(), Silent(), check)
    assert sound.store.get(sound.key("front.json")) == b"of the next driver"
