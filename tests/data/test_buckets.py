"""Images in a bucket are the same images as in a folder, and what goes wrong there is said in the bucket's words."""

import pickle
from collections.abc import Callable
from pathlib import Path

import boto3
import numpy as np
import pytest
from botocore.config import Config

from tests.looked import check_images
from tests.servers import BUCKET, s3_server, s3_url
from tuner.base.s3 import calls, objects
from tuner.base.s3.errors import StoreError
from tuner.data.dataset import Dataset
from tuner.data.fingerprint import Hasher
from tuner.data.load import load_dataset
from tuner.data.place import S3Path, place_of
from tuner.data.settings import DataConfig, ManifestConfig
from tuner.errors import TunerError, UsageError
from tuner.features.extract import bank_key
from tuner.features.settings import BackboneConfig

__all__ = ["s3_server", "s3_url"]

Write = Callable[..., Path]
pytestmark = pytest.mark.cluster


@pytest.fixture
def photos(tmp_path: Path, write_image: Write) -> Path:
    """Two classes, split, with masks of some, and what a folder should not hold."""
    for i in range(24):
        path = f"{'train' if i % 3 else 'test'}/{'ab'[i % 2]}/{i:02d}"
        write_image(tmp_path / "photos" / f"{path}.png", i)
        if i % 4:
            write_image(tmp_path / "masks" / f"{path}.png", i, mask=True)
    write_image(tmp_path / "photos/.hidden/a/0.png", 0)
    write_image(tmp_path / "photos/train/a/.0.png", 0)
    (tmp_path / "photos/train/a/notes.txt").write_text("x")
    return tmp_path


def _upload(folder: Path, url: str) -> str:
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    writing = _client()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        writing.put_object(Bucket=bucket, Key=f"{prefix}/{file.relative_to(folder)}", Body=file.read_bytes())
    return url


def _client():  # type: ignore[no-untyped-def]
    return boto3.client(
        "s3", config=Config(s3={"addressing_style": "path"}, request_checksum_calculation="when_required")
    )


def _load(root: str, masks: str = "") -> Dataset:
    return load_dataset(DataConfig(name="folder", root=root, masks=masks))


def test_a_bucket_gives_the_bank_of_the_folder(photos: Path, s3_url: str) -> None:
    _upload(photos, s3_url)
    local = DataConfig(name="folder", root=str(photos / "photos"), masks=str(photos / "masks"))
    remote = DataConfig(name="folder", root=f"{s3_url}/photos", masks=f"{s3_url}/masks/")
    here, there = load_dataset(local), load_dataset(remote)
    assert here.paths == there.paths
    assert check_images(here) == check_images(there)
    assert [note.replace(str(photos), s3_url) for note in here.notes] == list(there.notes)
    for i in (0, 5, 23):
        np.testing.assert_array_equal(here.pictures.image(i), there.pictures.image(i))
    backbone = BackboneConfig(name="patch_dictionary", image_size=32)
    assert bank_key(local, backbone) == bank_key(remote, backbone)


def test_a_manifest_gives_the_same_bank_wherever_its_images_lie(photos: Path, s3_url: str) -> None:
    paths = sorted(str(file.relative_to(photos)) for file in photos.glob("photos/t*/*/[0-9]*.png"))
    rows = [f"{path},{path.split('/')[2]},{path.replace('photos', 'masks')}" for path in paths if int(path[-6:-4]) % 4]
    (photos / "list.csv").write_text("\n".join(["path,label,mask", *rows]))
    _upload(photos, s3_url)
    backbone = BackboneConfig(name="patch_dictionary", image_size=32)
    settings = [
        {"manifest": str(photos / "list.csv")},
        {"manifest": f"{s3_url}/list.csv"},
        {"manifest": str(photos / "list.csv"), "root": s3_url},
        {"manifest": f"{s3_url}/list.csv", "root": str(photos)},
    ]
    keys = {bank_key(ManifestConfig(name="manifest", **chosen), backbone) for chosen in settings}
    assert len(keys) == 1
    (photos / "list.csv").write_text("\n".join(["path,label", *(f"{s3_url}/{row.rpartition(',')[0]}" for row in rows)]))
    far = load_dataset(ManifestConfig(name="manifest", manifest=str(photos / "list.csv")))
    assert far.paths[0].startswith(f"{s3_url}/photos/")
    assert check_images(far) == []


def test_a_part_travels_to_a_worker(photos: Path, s3_url: str) -> None:
    _upload(photos, s3_url)
    for root in (str(photos), s3_url):
        data = _load(f"{root}/photos", f"{root}/masks")
        check_images(data)
        index = np.array([7, 3])
        part = pickle.loads(pickle.dumps(data.pictures.part(index)))
        for i, j in enumerate(index):
            np.testing.assert_array_equal(part.image(i), data.pictures.image(j))
            assert part.mask(i) == data.pictures.mask(j)
        assert part.digests() == [data.pictures.digests()[j] for j in index]


def test_unchanged_objects_are_not_fetched_again(photos: Path, s3_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket, _, key = _upload(photos, s3_url).removeprefix("s3://").partition("/")
    files = [
        S3Path(bucket, f"{key}/masks/{path.relative_to(photos / 'masks')}") for path in photos.rglob("masks/**/*.png")
    ]
    fetched: list[str] = []
    read = objects.Objects.read
    monkeypatch.setattr(objects.Objects, "read", lambda self, key: (fetched.append(key), read(self, key))[1])
    first = Hasher().each(files)
    assert sorted(fetched) == sorted(file.key for file in files)
    for few in (0, 1000):  # in a listing, and one by one
        monkeypatch.setattr("tuner.data.versions.FEW", few)
        assert Hasher().each(files) == first
    assert len(fetched) == len(files)
    _client().put_object(Bucket=bucket, Key=files[3].key, Body=b"another")
    changed = Hasher().each(files)
    assert [i for i, (a, b) in enumerate(zip(first, changed, strict=True)) if a != b] == [3]


def test_missing_objects_are_named_together(photos: Path, s3_url: str) -> None:
    bucket, _, key = _upload(photos, s3_url).removeprefix("s3://").partition("/")
    data = _load(f"{s3_url}/photos")
    for path in data.paths[:2]:
        _client().delete_object(Bucket=bucket, Key=f"{key}/photos/{path}")
    with pytest.raises(TunerError, match="2 of 24 images") as caught:
        check_images(data)
    assert f"{s3_url}/photos/{data.paths[0]}: no such object" in caught.value.what


def test_a_bucket_that_is_not_there_is_said(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TunerError, match=r"has nothing below .*/nothing/") as caught:
        _load(f"{s3_url}/nothing")
    assert f"{s3_url}/nothing" in caught.value.todo
    with pytest.raises(StoreError, match="cannot list s3://absent-bucket/x/") as caught:
        _load("s3://absent-bucket/x")
    assert "bucket" in f"{caught.value.expected} {caught.value.todo}"
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(StoreError, match="403") as caught:
        _load(f"s3://{BUCKET}/x")
    assert "AWS_SECRET_ACCESS_KEY" in caught.value.todo
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(calls, "PAUSES_S", ())
    with pytest.raises(StoreError, match=r"no connection to http://127\.0\.0\.1:9"):
        _load(f"s3://{BUCKET}/x")


@pytest.mark.parametrize("text", ["s3:/b/x", "s3a://b/x", "gs://b/x", "https://h/x", "s3://u:p@b/x", "s3:///x"])
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"data\.root=") as caught:
        place_of(text, "data.root")
    assert ":p@" not in str(caught.value)
