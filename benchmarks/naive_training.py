"""The dense stage as a straightforward loop trains it: what `benchmarks.training` compares ours with.

One file per image, read again in every epoch by a DataLoader; float32; every term of the loss computed, of weight zero
or not; the loss read back at every step. Written from the description of the method, with plain modules.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from schedulefree import AdamWScheduleFree
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from tuner.features.samples import Samples
from tuner.qpm import DenseConfig, DenseModel


class ImageFiles(Dataset[tuple[Tensor, Tensor]]):
    """One file of tokens for each image."""

    def __init__(self, folder: Path, labels: Tensor) -> None:
        self.folder, self.labels = folder, labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        return torch.from_numpy(np.load(self.folder / f"{i}.npy")).float(), self.labels[i]


def write_files(samples: Samples, folder: Path) -> ImageFiles:
    """The tokens of each image in a file of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, patches in enumerate(samples.patches):
        np.save(folder / f"{i}.npy", patches.numpy())
    return ImageFiles(folder, samples.labels)


class Straightforward(nn.Module):
    """The same model in plain modules, with the same initial weights."""

    def __init__(self, start: DenseModel) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        for layer in start.adapter.layers:
            sizes = layer.linear.in_features, layer.linear.out_features
            parts += [nn.Linear(*sizes), nn.BatchNorm1d(sizes[1]), nn.ReLU()]
            parts[-3].load_state_dict(layer.linear.state_dict())
        self.adapter = nn.Sequential(*parts)
        self.head = nn.Linear(start.adapter.width, start.n_classes)
        self.head.load_state_dict(start.head.state_dict())
        self.dropout = nn.Dropout(0.2)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Tokens (n, n_patches, dim) -> maps (n, n_patches, width), dropped-out features, logits."""
        n, n_patches, dim = tokens.shape
        maps = self.adapter(tokens.reshape(n * n_patches, dim)).reshape(n, n_patches, -1)
        pooled = self.dropout(maps.mean(1))
        return maps, pooled, self.head(pooled)


def diversity(maps: Tensor, pooled: Tensor, logits: Tensor, weight: Tensor) -> Tensor:
    """The diversity loss as its formula reads (docs/explanation/method.md#diversity-loss)."""
    chosen = weight[logits.argmax(1)]
    importance = chosen.abs() / (chosen.norm(dim=1, keepdim=True) + 1e-5)
    strength = pooled / pooled.amax(1, keepdim=True).clamp(min=1e-6)
    score = maps.softmax(1) * (importance * strength).unsqueeze(1)
    return -score.amax(2).sum() / len(maps)


def train(
    start: DenseModel,
    files: ImageFiles,
    config: DenseConfig,
    device: torch.device,
    workers: int,
    told: Callable[[], None],
) -> list[dict[str, float]]:
    """Train it; returns loss and accuracy (%) of each epoch, and calls `told` after each."""
    torch.manual_seed(0)
    model = Straightforward(start).to(device)
    groups = [{"params": model.adapter.parameters()}, {"params": model.head.parameters()}]
    optimizer = AdamWScheduleFree(groups, lr=config.lr, weight_decay=config.weight_decay)
    loader = DataLoader(files, config.batch_size, shuffle=True, num_workers=workers)
    optimizer.train()
    curves = []
    for _ in range(config.epochs):
        model.train()
        total, correct = 0.0, 0
        for tokens, labels in loader:
            tokens, labels = tokens.to(device), labels.to(device)  # noqa: PLW2901
            maps, pooled, logits = model(tokens)
            loss = nn.functional.cross_entropy(logits, labels)
            loss = loss + config.diversity * diversity(maps, pooled, logits, model.head.weight)
            loss = loss + 0.0 * diversity(maps, pooled, logits, model.head.weight)
            loss = loss + 0.0 * maps.abs().mean() + 0.0 * pooled.abs().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(labels)
            correct += int((logits.argmax(1) == labels).sum())
        curves.append({"loss": total / len(files), "accuracy": 100.0 * correct / len(files)})
        told()
    return curves
