"""An entry may hold any bytes, under a name that agrees with them; what is no event is left out and named."""

import hashlib
import time
from pathlib import Path

import pytest

from tuner.errors import UsageError
from tuner.store import Ledger, open_store
from tuner.store.ledger import MOST_BYTES

BYTES = {
    "is not valid JSON": b'{"event": ',
    "is not UTF-8 text": b'{"event":"\xff\xfe"}',
    "is nested too deeply": b'{"event":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    "contains 'event' twice": b'{"event":"trial","event":"outcome"}',
    "contains 'a' twice": b'{"event":"trial","params":{"a":1,"a":2}}',
    "contains NaN": b'{"event":"trial","time_s":NaN}',
    "contains -Infinity": b'{"event":"trial","time_s":-Infinity}',
    "contains a list": b'[{"event":"trial"}]',
    "contains a string": b'"trial"',
    "contains null": b"null",
    "contains a number": b"1e400",
    "contains a boolean": b"true",
    "bytes; an event has at most": b'{"event":"' + b"x" * MOST_BYTES + b'"}',
}


def put(store, ledger, data):
    """Add an entry as one that can write to the store would."""
    key = f"{ledger.prefix}{time.time_ns():020d}-{hashlib.sha256(data).hexdigest()[:16]}.json"
    store.put(key, data)
    return key


@pytest.mark.parametrize("reason", BYTES)
def test_what_is_no_event_is_named_with_the_reason_and_the_rest_is_read(reason: str, tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    writer = Ledger(store, "digits", compact_every=0)
    writer.append({"number": 0})
    key = put(store, writer, BYTES[reason])
    writer.append({"number": 1})
    for _ in range(2):  # as single entries, then as a copy
        reader = Ledger(store, "digits")
        assert [event for _, event in reader.entries()] == [{"number": 0}, {"number": 1}]
        assert reader.damaged == [key]
        assert len(reader.warnings) == 1
        assert key in reader.warnings[0]
        assert reason in reader.warnings[0]
        reader.compact()
        assert len(store.get(reader.snapshot_key)) < MOST_BYTES


def test_files_of_others_in_the_folder_are_named_and_never_opened(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    ledger = Ledger(store, "digits")
    ledger.append({"number": 0})
    folder = tmp_path / ledger.prefix
    for name in (
        "über.json",
        "a b",
        "notes.txt",
        "sub/01795866129473438311-080a9ed428559ef6.json",
        "٣" * 20 + "-0.json",
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("{}")
    reader = Ledger(store, "digits")
    assert reader.read() == [{"number": 0}]
    assert len(reader.warnings) == 5


def test_what_could_not_be_read_back_is_not_written(tmp_path: Path) -> None:
    ledger = Ledger(open_store(str(tmp_path)), "digits")
    with pytest.raises(UsageError, match="bytes"):
        ledger.append({"text": "x" * MOST_BYTES})
    assert ledger.read() == []
