"""One file from a server that breaks off, knows no parts, is busy, or has another file meanwhile."""

import errno
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.web import Site, served
from tuner.base.progress import Silent
from tuner.data.official import download as module
from tuner.data.official.download import download
from tuner.errors import TunerError, UsageError

CONTENT = np.random.default_rng(0).bytes(3_000_000)
SIZE = len(CONTENT)


@pytest.fixture(scope="module")
def server() -> Iterator[Site]:
    with served() as site:
        yield site


@pytest.fixture
def site(server: Site) -> Site:
    fresh = Site(address=server.address, files={"/birds.tgz": CONTENT})
    vars(server).update(vars(fresh))
    return server


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "birds.tgz"


def get(site: Site, target: Path) -> None:
    download(f"{site.address}/birds.tgz?download=1", target, Silent(), todo="ask a mirror", pause_s=0.0)
    assert target.read_bytes() == site.files["/birds.tgz"]
    assert [path.name for path in target.parent.iterdir()] == [target.name], "nothing is left beside it"


def failed(site: Site, target: Path, what: str) -> TunerError:
    with pytest.raises(TunerError, match=what) as caught:
        download(f"{site.address}/birds.tgz", target, Silent(), todo="ask a mirror", pause_s=0.0)
    assert not target.exists()
    return caught.value


def test_what_breaks_off_is_asked_for_from_there_on(site: Site, target: Path) -> None:
    site.breaks = [1_000_000, 0, 500_000]
    get(site, target)
    ranges = [wanted for _, wanted, _ in site.asked]
    assert ranges == [None, "bytes=1000000-", "bytes=1000000-", "bytes=1500000-"]
    assert all(unchanged for _, _, unchanged in site.asked[1:]), "If-Range"


def test_a_later_call_carries_on_with_what_an_earlier_one_got(site: Site, target: Path) -> None:
    site.breaks = [2_000_000, *[0] * module.TRIES]
    error = failed(site, target, r"broke off after 2\.0 of 3\.0 MB: the server ended the connection")
    assert "run the same command again" in error.todo
    assert target.with_name("birds.tgz.part").stat().st_size == 2_000_000
    site.breaks, site.asked = [], []
    download(f"{site.address}/birds.tgz", target, Silent(), todo="")
    assert target.read_bytes() == CONTENT
    assert [wanted for _, wanted, _ in site.asked] == ["bytes=2000000-"]


def test_an_interrupted_call_keeps_what_it_got(site: Site, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_tell", interrupt)
    with pytest.raises(KeyboardInterrupt):
        download(f"{site.address}/birds.tgz", target, Silent(), todo="")
    monkeypatch.undo()
    assert target.with_name("birds.tgz.part").stat().st_size == module.BLOCK
    download(f"{site.address}/birds.tgz", target, Silent(), todo="")
    assert target.read_bytes() == CONTENT
    assert site.asked[-1][1] == f"bytes={module.BLOCK}-"


def test_a_server_without_parts_sends_all_again(site: Site, target: Path) -> None:
    site.knows_ranges, site.breaks = False, [1_000_000]
    get(site, target)
    assert len(site.asked) == 2


def test_a_file_that_has_changed_meanwhile_is_begun_again(site: Site, target: Path) -> None:
    site.breaks = [1_000_000, *[0] * module.TRIES]
    failed(site, target, "broke off")
    site.files["/birds.tgz"], site.breaks = CONTENT[::-1], []
    download(f"{site.address}/birds.tgz", target, Silent(), todo="")
    assert target.read_bytes() == CONTENT[::-1]


def test_a_beginning_that_nobody_knows_is_thrown_away(site: Site, target: Path) -> None:
    target.with_name("birds.tgz.part").write_bytes(b"another file")
    target.with_name("birds.tgz.part.json").write_text("{")
    get(site, target)
    assert site.asked[0][1] is None


def test_a_length_that_is_not_said_and_an_empty_file(site: Site, target: Path) -> None:
    site.says_length = False
    get(site, target)
    site.files["/birds.tgz"], site.says_length = b"", True
    get(site, target)


def test_a_busy_server_is_asked_again_and_a_refusal_is_told(site: Site, target: Path) -> None:
    site.answers = [503, 429]
    get(site, target)
    target.unlink()
    site.answers = [503] * module.TRIES
    failed(site, target, "503 Service Unavailable")
    for status in (403, 404, 410):
        site.answers = [status]
        assert failed(site, target, f"answers {status} ").todo == "ask a mirror"


def test_a_web_page_in_place_of_the_file_is_refused(site: Site, target: Path) -> None:
    site.kind = "text/html; charset=utf-8"
    failed(site, target, "answers with a web page")


def test_a_machine_without_internet_is_told_what_to_do(target: Path) -> None:
    for address in ("http://no-such-host.invalid/birds.tgz", "http://127.0.0.1:9/birds.tgz"):
        with pytest.raises(TunerError, match="cannot be reached") as caught:
            download(address, target, Silent(), todo="ask a mirror")
        assert "internet" in caught.value.expected
        assert caught.value.todo == "ask a mirror"


@pytest.mark.parametrize("address", ["file:///etc/passwd", "ftp://host/birds.tgz", "/etc/passwd", "http://[oops/b.tgz"])
def test_another_address_is_refused(address: str, target: Path) -> None:
    with pytest.raises(UsageError):
        download(address, target, Silent(), todo="")


def test_a_full_disk_is_told_before_and_meanwhile(site: Site, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        free = SIZE - 1

    with monkeypatch.context() as patched:
        patched.setattr(module.shutil, "disk_usage", lambda _: Full)
        assert "3 MB more" in failed(site, target, "there is no space for .*birds.tgz after 0.0 of 3.0 MB").expected

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(module, "_write", full)
        failed(site, target, "there is no space")
    download(f"{site.address}/birds.tgz", target, Silent(), todo="")
    assert target.read_bytes() == CONTENT
