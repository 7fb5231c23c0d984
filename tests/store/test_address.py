"""An address means a folder or a place on S3; what only looks like one is refused with a hint, without passwords."""

import os
from pathlib import Path

import pytest

from tuner.errors import UsageError
from tuner.store import open_store


@pytest.mark.parametrize(
    ("address", "hint"),
    [
        ("s3:/bucket/x", "did you mean s3://bucket/x?"),
        ("s3:bucket/x", "did you mean s3://bucket/x?"),
        ("s3//bucket/x", "did you mean s3://bucket/x?"),
        ("s3;//bucket", "did you mean s3://bucket?"),
        ("S3://bucket", "did you mean s3://bucket?"),
        ("s3a://bucket", "did you mean s3://bucket?"),
        ("s3:\\\\bucket", "did you mean s3://bucket?"),
        ("s3:///x", "check the bucket's name"),
        ("s3://", "check the bucket's name"),
        ("s3://bu cket", "check the bucket's name"),
        ("s3://bücket", "check the bucket's name"),
        ("s3://../x", "check the bucket's name"),
        ("s3://bucket:9000/x", "AWS_ENDPOINT_URL"),
        ("s3://bucket?versions", "AWS_ENDPOINT_URL"),
        ("s3://bucket#x", "AWS_ENDPOINT_URL"),
        ("s3://bucket//x", "correct it"),
        ("s3://bucket/a//b", "correct it"),
        ("s3://bucket/a b", "correct it"),
        ("s3://bucket/a/../b", "correct it"),
        ("s3://bucket/.hidden", "correct it"),
        ("https://bucket.s3.amazonaws.com/x", "AWS_ENDPOINT_URL"),
        ("http:/127.0.0.1:9000/bucket", "AWS_ENDPOINT_URL"),
        ("file:/tmp/x", "did you mean file:///tmp/x?"),
        ("file:x", "did you mean file:///x?"),
        ("file://server/x", "did you mean file:///server/x?"),
        ("file:///a%00b", "did you mean"),
        ("gs://bucket", "use one of these"),
        ("gs:/bucket/x", "use one of these"),
        ("az://container", "use one of these"),
        ("C:\\runs", "./NAME"),
        ("runs:1", "./NAME"),
        ("127.0.0.1:9000/bucket", "./NAME"),
        ("user@host:/folder", "./NAME"),
        ('"s3://bucket"', "./NAME"),
        ("s\uff13://bucket", "./NAME"),
        ("s3.//bucket", "did you mean s3://bucket?"),
        ("s3\uff1a//bucket", "did you mean s3://bucket?"),
        ("arn:aws:s3:::bucket", "./NAME"),
        ("", "variable"),
        (" ", "variable"),
        (" s3://bucket", "variable"),
        ("runs\n", "variable"),
        ("a\0b", "variable"),
        ("a\udcff", "variable"),
        ("~no-such-user/x", "HOME"),
        (Path("s3://bucket/x"), "did you mean s3://bucket/x?"),  # pathlib drops a slash
    ],
)
def test_near_misses_are_refused_with_a_hint(address, hint, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as error:
        open_store(address)
    assert hint in error.value.todo
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "address",
    ["s3://u:s3cret@bucket/x", "s3:/u:s3cret@bucket", "https://u:s3cret@h/b", "u:s3cret@h/b", "s3://b?key=s3cret",
     "https://h/b?X-Amz-Signature=s3cret", "gs://u:s3cret@b", " s3://u:s3cret@b", "s3//u:s3cret@b"],
)  # fmt: skip
def test_no_password_is_shown(address):
    with pytest.raises(UsageError) as error:
        open_store(address)
    assert "s3cret" not in str(error.value)


def test_good_addresses_keep_their_meaning(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    right = {
        "s3://bucket": "s3://bucket",
        "s3://bucket/": "s3://bucket",
        "s3://my.bucket-1/a/b_c/": "s3://my.bucket-1/a/b_c",
        "/tmp/a b": "/tmp/a b",
        "/data/a:b": "/data/a:b",
        "./runs:1": f"{tmp_path}/runs:1",
        "runs": f"{tmp_path}/runs",
        "s3/runs": f"{tmp_path}/s3/runs",
        "~/x": f"{tmp_path}/x",
        "file:///tmp/a%20b": "/tmp/a b",
        "file://localhost/tmp/x": "/tmp/x",
    }
    assert {address: open_store(address).url for address in right} == right
    assert open_store(tmp_path).url == os.fspath(tmp_path)
    assert all(open_store(url).url == url for url in right.values())  # an url opens the same store again
