"""Public data sets from miniature archives, on a server or a disk: checked, unpacked, left alone when complete."""

import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from tests.archives import MINIATURES, Files, below, miniature, tar, written
from tests.web import Site, served
from tuner.base.progress import Silent
from tuner.data.load import load_dataset
from tuner.data.official import download as downloading
from tuner.data.official import unpack as unpacking
from tuner.data.official.fetch import DOWNLOADS, RECORD, Fetched, fetch
from tuner.data.official.sources import SOURCES, Source
from tuner.data.official.unpack import unpack
from tuner.data.settings import DataConfig
from tuner.errors import TunerError, UsageError


@pytest.fixture(scope="module")
def birds(tmp_path_factory: pytest.TempPathFactory) -> tuple[Source, Files]:
    return miniature("cub", tmp_path_factory.mktemp("birds"))


@pytest.fixture(scope="module")
def server() -> Iterator[Site]:
    with served() as site:
        yield site


@pytest.fixture
def site(server: Site, birds: tuple[Source, Files]) -> Site:
    mirrored = {f"/mirror/{name}": content for name, content in birds[1].items()}
    vars(server).update(vars(Site(address=server.address, files=mirrored)))
    return server


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "data"


def test_birds_from_a_mirror_that_breaks_off_are_read(birds: tuple[Source, Files], site: Site, root: Path) -> None:
    source, files = birds
    site.breaks = [len(files["CUB_200_2011.tgz"]) // 2]
    done = fetch(source, root, [f"{site.address}/mirror/"], Silent())
    assert done == Fetched(("CUB_200_2011.tgz", "segmentations.tgz"), (), ())
    assert sorted(path.name for path in root.iterdir()) == sorted(
        ["CUB_200_2011", "attributes.txt", RECORD, "segmentations"]
    )
    record = json.loads((root / RECORD).read_text())
    assert record["CUB_200_2011.tgz"]["checked"] is True
    assert record["CUB_200_2011.tgz"]["bytes"] == len(files["CUB_200_2011.tgz"])
    data = load_dataset(DataConfig(name="cub", root=str(root / "CUB_200_2011"), classes=4))
    assert (len(data), data.is_train.sum(), data.has_mask.all()) == (24, 16, True)
    assert data.attribute_names[:2] == ("has_wing::1", "has_wing::2")
    site.asked.clear()
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    assert fetch(source, root, [], Silent()) == Fetched((), (), ())
    assert not site.asked
    assert before == {path: path.stat().st_mtime_ns for path in root.rglob("*")}


def test_the_same_command_carries_on_after_an_interruption(
    birds: tuple[Source, Files], site: Site, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, files = birds
    half = len(files["CUB_200_2011.tgz"]) // 2
    site.breaks = [half, *[0] * downloading.TRIES]
    monkeypatch.setattr(downloading.time, "sleep", lambda _: None)
    with pytest.raises(TunerError, match="broke off"):
        fetch(source, root, [f"{site.address}/mirror"], Silent())
    assert (root / DOWNLOADS / "CUB_200_2011.tgz.part").stat().st_size == half
    site.breaks = []

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(unpacking, "_move", interrupt)
    with pytest.raises(KeyboardInterrupt):
        fetch(source, root, [f"{site.address}/mirror"], Silent())
    assert below(root).keys() == {f"{DOWNLOADS}/CUB_200_2011.tgz"}, "the archive is kept, and nothing is half unpacked"
    monkeypatch.undo()
    site.asked.clear()
    fetch(source, root, [f"{site.address}/mirror"], Silent(), keep=True)
    assert [path for path, _, _ in site.asked] == ["/mirror/segmentations.tgz"]
    assert (root / DOWNLOADS / "segmentations.tgz").is_file()


@pytest.mark.parametrize("how", ["folder", "files", "root"])
def test_archives_on_a_disk_are_used_and_stay(
    birds: tuple[Source, Files], root: Path, tmp_path: Path, how: str
) -> None:
    source, files = birds
    folder = written(files, root if how == "root" else tmp_path / "archives")
    places = {"folder": [str(folder)], "files": [str(folder / name) for name in files], "root": []}[how]
    assert len(fetch(source, root, places, Silent()).unpacked) == 2
    assert all((folder / name).read_bytes() == content for name, content in files.items())
    assert (root / "segmentations").is_dir()


def test_another_archive_of_that_name_is_refused_and_taken_if_one_says_so(
    birds: tuple[Source, Files], site: Site, root: Path, tmp_path: Path
) -> None:
    source, files = birds
    again = tar(dict.fromkeys(below_tar(files["segmentations.tgz"]), b""))
    site.files["/mirror/segmentations.tgz"] = again
    with pytest.raises(
        TunerError, match=r"mirror/segmentations.tgz is not segmentations.tgz as its publisher"
    ) as caught:
        fetch(source, root, [f"{site.address}/mirror"], Silent())
    assert source.archives[1].md5 in caught.value.expected
    assert "it was removed" in caught.value.todo
    assert "`check=False`" in caught.value.todo
    assert not (root / DOWNLOADS).exists()
    assert (root / "CUB_200_2011").is_dir(), "the other one stays"
    local = written({"segmentations.tgz": again}, tmp_path / "archives")
    with pytest.raises(TunerError, match="get it again"):
        fetch(source, root, [str(local)], Silent())
    assert (local / "segmentations.tgz").is_file(), "a file of the user is never removed"
    done = fetch(source, root, [str(local)], Silent(), check=False)
    assert done.unchecked == ("segmentations.tgz",)
    assert json.loads((root / RECORD).read_text())["segmentations.tgz"]["checked"] is False


def below_tar(content: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        return archive.getnames()


def test_masks_may_be_absent_and_images_may_not(birds: tuple[Source, Files], root: Path, tmp_path: Path) -> None:
    source, files = birds
    masks = written({"segmentations.tgz": files["segmentations.tgz"]}, tmp_path / "masks")
    with pytest.raises(TunerError, match=r"CUB_200_2011\.tgz is in none of the places"):
        fetch(source, root, [str(masks)], Silent())
    images = written({"CUB_200_2011.tgz": files["CUB_200_2011.tgz"]}, tmp_path / "images")
    assert fetch(source, root, [str(images)], Silent()).absent == ("segmentations.tgz",)
    assert not load_dataset(DataConfig(name="cub", root=str(root))).has_mask.any()
    assert fetch(source, root, [str(masks)], Silent()).unpacked == ("segmentations.tgz",)
    assert load_dataset(DataConfig(name="cub", root=str(root))).has_mask.all()


def test_what_was_unpacked_by_hand_is_left_as_it_is_and_told(birds: tuple[Source, Files], root: Path) -> None:
    source, files = birds
    with tarfile.open(fileobj=io.BytesIO(files["CUB_200_2011.tgz"])) as archive:
        archive.extractall(root, filter="data")
    (root / "segmentations").mkdir()
    assert fetch(source, root, [], Silent()) == Fetched((), ("CUB_200_2011.tgz", "segmentations.tgz"), ())
    (root / "CUB_200_2011" / "images.txt").unlink()
    written({"CUB_200_2011.tgz": files["CUB_200_2011.tgz"]}, root)
    with pytest.raises(TunerError, match=r"CUB_200_2011 is in .* already, and not complete"):
        fetch(source, root, [], Silent())


def test_an_archive_without_a_known_sum_is_taken_and_told(birds: tuple[Source, Files], site: Site, root: Path) -> None:
    unknown = tuple(replace(archive, md5="") for archive in birds[0].archives)
    done = fetch(replace(birds[0], archives=unknown), root, [f"{site.address}/mirror"], Silent())
    assert done.unchecked == done.unpacked == ("CUB_200_2011.tgz", "segmentations.tgz")
    record = json.loads((root / RECORD).read_text())["segmentations.tgz"]
    assert record["sha256"] == hashlib.sha256(birds[1]["segmentations.tgz"]).hexdigest()
    assert record["checked"] is False


def test_the_folder_of_the_images_in_place_of_the_one_above(birds: tuple[Source, Files], root: Path) -> None:
    source, files = birds
    fetch(source, written(files, root), [], Silent())
    with pytest.raises(UsageError, match="is the folder of the images") as caught:
        fetch(source, root / "CUB_200_2011", [], Silent())
    assert caught.value.todo == f"give `root={root}`"


def test_two_calls_at_once_fetch_each_archive_once(birds: tuple[Source, Files], site: Site, root: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(fetch, birds[0], root, [f"{site.address}/mirror"], Silent()) for _ in range(2)]
    unpacked = sorted(call.result().unpacked for call in calls)
    assert unpacked == [(), ("CUB_200_2011.tgz", "segmentations.tgz")]
    assert len(site.asked) == 2


def test_cars_which_nobody_publishes_any_more(root: Path, tmp_path: Path) -> None:
    source, files = miniature("cars", tmp_path)
    with pytest.raises(TunerError, match=r"no longer offers cars_train\.tgz, .* \(offline\)") as caught:
        fetch(source, root, [], Silent())
    assert "--from" in caught.value.todo
    fetch(source, root, [str(written(files, tmp_path / "archives"))], Silent())
    data = load_dataset(DataConfig(name="cars", root=str(root)))
    assert (len(data), data.is_train.sum(), data.class_names) == (8, 4, ("Acura RL", "BMW M3"))


def test_an_archive_that_a_mirror_has_packed_again(root: Path, tmp_path: Path) -> None:
    source, files = miniature("cars", tmp_path)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        for name in below_tar(files["cars_train.tgz"]):
            packed.writestr(name, b"image")
    files = {**files, "cars_train.zip": stream.getvalue()}
    del files["cars_train.tgz"]
    places = [str(written(files, tmp_path / "archives"))]
    with pytest.raises(TunerError, match="MD5"):
        fetch(source, root, places, Silent())
    assert "cars_train.tgz" in fetch(source, root, places, Silent(), check=False).unchecked
    assert (root / "cars_train" / "00001.jpg").read_bytes() == b"image"


@pytest.mark.parametrize(
    ("place", "what"),
    [
        ("/nowhere/archives", "there is no /nowhere/archives"),
        ("https://me:pass@host/x", "a password"),
        ("https://host/x?X-Amz-Signature=abc", "a password"),
        ("s3://bucket/x", "no address of the web"),
        ("file:///etc", "no address of the web"),
    ],
)
def test_a_place_that_is_none(birds: tuple[Source, Files], root: Path, place: str, what: str) -> None:
    with pytest.raises(UsageError, match=what):
        fetch(birds[0], root, [place], Silent())


def test_every_data_set_says_what_it_is() -> None:
    assert SOURCES.keys() == MINIATURES.keys()
    for source in SOURCES.values():
        assert source.terms
        assert source.holds
        for archive in source.archives:
            assert len(bytes.fromhex(archive.md5)) == 16 or archive.name == "102segmentations.tgz"
            assert archive.url == "" or archive.url.partition("?")[0].endswith(archive.name)


def link(name: str, to: str, kind: bytes = tarfile.SYMTYPE) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, to
        archive.addfile(info)
    return stream.getvalue()


def zipped(name: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        packed.writestr(name, b"x")
    return stream.getvalue()


GOOD = tar({"images/1.jpg": bytes(range(256)) * 100})


BAD = [
    (tar({"../escaped": b"x"}), "outside the destination"),
    (tar({"images/../../escaped": b"x"}), "outside the destination"),
    (link("images", "/etc"), "absolute path"),
    (link("images", "../.."), "outside the destination"),
    (link("images", "../../escaped", tarfile.LNKTYPE), "outside the destination"),
    (link("images", "", tarfile.CHRTYPE), "special file"),
    (zipped("../escaped"), "leads out of the folder"),
    (zipped("/escaped"), "leads out of the folder"),
    (zipped("..\\escaped"), "leads out of the folder"),
    (GOOD[:-20], "damaged, cut off or no archive"),
    (GOOD[: len(GOOD) // 2], "damaged, cut off or no archive"),
    (GOOD[:200] + b"\0\0\0" + GOOD[203:], "damaged, cut off or no archive"),
    (tar({"images/1.jpg": b"x" * 10_000}, packed=False)[:6000], "damaged, cut off or no archive"),
    (zipped("images/1.jpg")[:-8], "damaged, cut off or no archive"),
    (b"<html>not found</html>" * 100, "damaged, cut off or no archive"),
    (b"", "damaged, cut off or no archive"),
    (tar({"cats/1.jpg": b"x"}), "holds cats, but not images"),
    (tar({}), "holds nothing, but not images"),
]


@pytest.mark.parametrize(("content", "what"), BAD, ids=range(len(BAD)))
def test_a_bad_archive_leaves_nothing(content: bytes, what: str, tmp_path: Path) -> None:
    root = tmp_path / "in" / "root"
    root.mkdir(parents=True)
    archive = root / "images.tgz"
    archive.write_bytes(content)
    with pytest.raises(TunerError, match=what) as caught:
        unpack(archive, root, ("images",), Silent(), todo="get it again")
    assert str(archive) in caught.value.what
    assert [path.name for path in tmp_path.rglob("*")] == ["in", "root", "images.tgz"]


def test_an_archive_that_grows_beyond_measure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "FREE_GROWTH", 1_000_000)
    archive = tmp_path / "images.tgz"
    archive.write_bytes(tar({"images/zeros": bytes(1_100_000)}))
    with pytest.raises(TunerError, match="unpacks to more than"):
        unpack(archive, tmp_path, ("images",), Silent(), todo="")
    assert not (tmp_path / "images").exists()


def test_a_python_that_unpacks_nothing_safely(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = tmp_path / "images.tgz"
    archive.write_bytes(GOOD)
    monkeypatch.delattr(tarfile, "data_filter")
    with pytest.raises(TunerError, match="unpacks no archive safely"):
        unpack(archive, tmp_path, ("images",), Silent(), todo="")


def test_a_full_disk_while_unpacking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    archive = tmp_path / "images.tgz"
    archive.write_bytes(GOOD)
    monkeypatch.setattr(tarfile.TarFile, "makefile", full)
    with pytest.raises(TunerError, match="there is no space to unpack"):
        unpack(archive, tmp_path, ("images",), Silent(), todo="")
    assert [path.name for path in tmp_path.iterdir()] == ["images.tgz"]
