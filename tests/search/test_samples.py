"""What a stage is given: each side of a split as the bank has it, and no image on two sides."""

import json

import numpy as np
import pytest
from PIL import Image

from tuner.data.settings import DataConfig
from tuner.features.extract import extract_bank
from tuner.features.settings import BackboneConfig
from tuner.search.execute.job import samples_of

BACKBONE = BackboneConfig("patch_dictionary", image_size=24, grid=6, n_atoms=16)


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    """40 different images in two classes, and a copy of each second one."""
    root = tmp_path_factory.mktemp("data")
    generator = np.random.default_rng(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(root / "cache"))
        for i in range(40):
            file = root / "images" / "ab"[i % 2] / f"{i}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(generator.integers(0, 256, (24, 24, 3), dtype=np.uint8)).save(file)
            if i % 4 < 2:
                (file.parent / f"{i} copy.png").write_bytes(file.read_bytes())
        return extract_bank(DataConfig("folder", root=str(root / "images")), BACKBONE, root / "bank")


@pytest.mark.parametrize("protocol", ["paper", "validation"])
@pytest.mark.parametrize("seed", range(3))
def test_a_stage_sees_no_image_of_another_side(bank, protocol, seed):
    split = json.dumps({"protocol": protocol, "validation_fraction": 0.3, "split_seed": seed})
    parts = ["train", "test"] if protocol == "paper" else ["train", "validation", "test"]
    seen = {part: [row.numpy().tobytes() for row in samples_of(bank.folder, part, split).patches] for part in parts}
    assert all(seen.values())
    everything = sorted(row for rows in seen.values() for row in rows)
    assert everything == sorted(row.tobytes() for row in np.asarray(bank.patches))
    assert sum(len(set(rows)) for rows in seen.values()) == len(set(everything)) == 40
    assert sorted(seen["test"]) == sorted(row.tobytes() for row in bank.patches[~bank.is_train])
