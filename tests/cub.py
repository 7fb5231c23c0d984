"""A miniature of the official CUB-200-2011 archive, and a tiny random DINOv2: what the recipe `parity` needs."""

from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_images

from tests.packages import optional

CLASSES, TRAIN, TEST = 6, 4, 2


def write_cub(folder: Path) -> Path:
    """Listings, images, masks and attributes as in the archive; crops of two photographs, tinted by class."""
    root, rng = folder / "CUB_200_2011", np.random.default_rng(0)
    photos = load_sample_images().images
    names, images, labels, sides, attributes = [], [], [], [], []
    for label in range(1, CLASSES + 1):
        name = f"{label:03d}.Bird_{label}"
        names.append(f"{label} {name}")
        for i in range(TRAIN + TEST):
            number, file = len(images) + 1, f"{name}/Bird_{label}_{i:04d}.jpg"
            y, x = rng.integers(0, 300), rng.integers(0, 500)
            pixels = photos[label % 2][y : y + 60 + 4 * i, x : x + 90] // 2
            pixels[:, :, label % 3] += 20 * label
            mask = np.zeros(pixels.shape[:2], dtype=np.uint8)
            mask[20:45, 30:70] = 255
            for path, values in ((root / "images" / file, pixels), (folder / "segmentations" / file, mask)):
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(values).save(path if values is pixels else path.with_suffix(".png"))
            images.append(f"{number} {file}")
            labels.append(f"{number} {label}")
            sides.append(f"{number} {int(i < TRAIN)}")
            attributes += [f"{number} {a} {rng.integers(2)} {rng.integers(1, 5)} 1.0" for a in range(1, 9)]
    continuous = [" ".join(f"{v:.2f}" for v in row) for row in 100 * rng.random((CLASSES, 8))]
    (root / "attributes").mkdir()
    for file, lines in (
        ("classes.txt", names),
        ("images.txt", images),
        ("image_class_labels.txt", labels),
        ("train_test_split.txt", sides),
        ("attributes/image_attribute_labels.txt", attributes),
        ("attributes/class_attribute_labels_continuous.txt", continuous),
    ):
        (root / file).write_text("\n".join(lines) + "\n")
    return root


def write_dinov2(folder: Path) -> Path:
    """A random DINOv2 with registers in the hub's layout: two blocks, 32 numbers a token."""
    transformers = optional("transformers", "dino")
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(0)
        shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 224}
        config = transformers.Dinov2WithRegistersConfig(**shape, patch_size=14, num_register_tokens=4)
        transformers.Dinov2WithRegistersModel(config).save_pretrained(folder)
    return folder
