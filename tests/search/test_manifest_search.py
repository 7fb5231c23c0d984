"""A search over a manifest with groups and boxes, from a folder and from a bucket, as people start it."""

import subprocess
import sys
from pathlib import Path

import boto3
import numpy as np
import pytest
from botocore.config import Config
from PIL import Image

import tuner
from tests.servers import s3_server, s3_url

__all__ = ["s3_server", "s3_url"]

pytestmark = [pytest.mark.long, pytest.mark.slow, pytest.mark.cluster, pytest.mark.timeout(900)]

SMALL = [
    "backbone.name=patch_dictionary",
    "backbone.image_size=32",
    "adapter.hidden=32",
    "dense.epochs=2",
    "finetune.epochs=2",
    "assign.effort=20000",
    "assign.gap=0",
    "tracking.enabled=false",
    "confirm.share=0",
    "data.test_fraction=0.3",
    "validation_fraction=0.4",
    "objectives=[accuracy,class_independence]",
    "space={n_features: {choices: [6]}, features_per_class: {choices: [2]}, width: {choices: [24]}}",
]


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    """120 images of two classes at ten sites of twelve images; the object is in the box, noise around it."""
    rng = np.random.default_rng(0)
    rows = ["path,label,group,box"]
    for i in range(120):
        pixels = rng.integers(0, 120, (40, 48, 3), dtype=np.uint8)
        row = 6 if i % 2 else 22
        pixels[row : row + 10, 14:34] += 120
        file = tmp_path / "photos" / f"site{i // 12}" / f"{i:03d}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(file)
        rows.append(f'site{i // 12}/{i:03d}.png,{"07" if i % 2 else "8"},site{i // 12},"8,2,40,38"')
    (tmp_path / "photos" / "list.csv").write_text("\n".join(rows))
    return tmp_path


def _search(folder: Path, name: str, *settings: str) -> str:
    command = [
        sys.executable,
        "-m",
        "jobs.search",
        "--recipe",
        "folder",
        "--store",
        "runs",
        "--name",
        name,
        "--trials",
        "1",
    ]
    done = subprocess.run(
        [*command, "data.name=manifest", *settings, *SMALL], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_manifest_is_searched_and_its_worst_group_measured(listed: Path, s3_url: str) -> None:
    told = _search(listed, "here", "data.manifest=photos/list.csv")
    assert "extracting features of manifest" in told
    search = tuner.open_search(str(listed / "runs"), "here")
    front = search.front()
    assert front["test_worst_group"].notna().all(), [*front.columns]  # of two sites at least, of twelve images each

    bucket, _, prefix = s3_url.removeprefix("s3://").partition("/")
    client = boto3.client(
        "s3", config=Config(s3={"addressing_style": "path"}, request_checksum_calculation="when_required")
    )
    for file in (listed / "photos").rglob("*.*"):
        key = f"{prefix}/{file.relative_to(listed / 'photos')}"
        client.put_object(Bucket=bucket, Key=key, Body=file.read_bytes())
    again = _search(listed, "there", f"data.manifest={s3_url}/list.csv")
    assert "extracting" not in again  # the bank of the folder, by its key
    there = tuner.open_search(str(listed / "runs"), "there").front()
    assert there["values_accuracy"].tolist() == front["values_accuracy"].tolist()
