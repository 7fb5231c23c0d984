"""What keeping less of the tokens costs, and an order in blocks: the same models on the same bank, kept in other ways.

    python -m benchmarks.token_types [--recipe digits] [--bank FOLDER] [--seeds 3] [key=value ...]

Each way is trained with each seed: dense, program, fine-tuning, evaluation on validation. Values are means over seeds
with their deviation; differences are paired by seed, with their standard error. `blocks` cuts the epoch into blocks of
ten images and windows of ten batches, in a bank whose images lie in the order of their classes. Kept in
benchmarks/results/token_types.json.
"""

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
import torch

from benchmarks.machine import keep
from tuner.features.bank import FeatureBank, load_bank
from tuner.features.extract import extract_bank
from tuner.features.packing import packed, unpacked
from tuner.features.sides import split_masks
from tuner.qpm import assign, dense_features, evaluate, finetune, order, train_dense
from tuner.recipe import Recipe, load_recipe

SHOWN = ("accuracy", "plausibility_undilated", "class_independence", "distinctiveness")
Way = Callable[[FeatureBank], FeatureBank]


def as_type(kind: str) -> Way:
    """Tokens as they come back from a bank of another type."""

    def changed(bank: FeatureBank) -> FeatureBank:
        tokens = torch.from_numpy(np.array(bank.patches[:]))
        return replace(bank, patches=unpacked(packed(tokens, kind, ""), kind).numpy())

    return changed


def thinned(averaged: bool) -> Way:
    """A quarter of the tokens: the mean of each 2 x 2, or the first of them; masks are averaged."""

    def quarters(values: np.ndarray, averaged: bool) -> np.ndarray:
        found = torch.from_numpy(values.astype(np.float32)).movedim(-1, 1) if values.ndim == 4 else None
        maps = torch.from_numpy(values.astype(np.float32))[:, None] if found is None else found
        pooled = torch.nn.functional.avg_pool2d(maps, 2, ceil_mode=True, count_include_pad=False)
        kept = pooled if averaged else maps[:, :, ::2, ::2]
        return (kept.movedim(1, -1) if found is not None else kept[:, 0]).contiguous().numpy()

    def changed(bank: FeatureBank) -> FeatureBank:
        tokens = np.asarray(bank.patches[:])
        maps = quarters(tokens.reshape(len(bank), *bank.grid, -1), averaged).astype(np.float16)
        masks = None if bank.masks is None else quarters(bank.masks, True).round().astype(np.uint8)
        grid = (maps.shape[1], maps.shape[2])
        return replace(bank, patches=maps.reshape(len(bank), grid[0] * grid[1], -1), grid=grid, masks=masks, parts=None)

    return changed


WAYS: dict[str, Way] = {
    "float16": lambda bank: bank,
    "int8": as_type("int8"),
    "quarter, means": thinned(averaged=True),
    "quarter, every second": thinned(averaged=False),
    "blocks": lambda bank: bank,
    "float8": as_type("float8"),
}


def measured(bank: FeatureBank, recipe: Recipe, seed: int, shuffle: str) -> dict[str, float]:
    """Values of one model on validation."""
    split = {"protocol": "validation", "validation_fraction": recipe.validation_fraction}
    masks = split_masks(bank, split, recipe.data.split_seed)
    train, held_out = bank.samples(masks["train"]), bank.samples(masks["validation"])
    dense = train_dense(train, recipe.adapter, replace(recipe.dense, shuffle=shuffle), seed=seed)
    assignment = assign(dense_features(dense, train), recipe.assign, seed=seed)
    model = finetune(dense, assignment, train, replace(recipe.finetune, shuffle=shuffle), seed=seed)
    values = evaluate(model, train, held_out)
    return {name: values[name] for name in SHOWN if name in values}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="digits")
    parser.add_argument("--bank", default="", help="a bank that is there already")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("settings", nargs="*")
    options = parser.parse_args()
    recipe = load_recipe(options.recipe, options.settings)
    with tempfile.TemporaryDirectory() as folder:
        found = Path(options.bank) if options.bank else Path(folder)
        bank = load_bank(found) if options.bank else extract_bank(recipe.data, recipe.backbone, found)
        results: dict[str, list[dict[str, float]]] = {}
        for way in WAYS:
            results[way] = of_way(way, bank, recipe, options.seeds)
            print(table(results).splitlines()[-1], flush=True)
    keep("token_types", {"recipe": options.recipe, "settings": options.settings, "seeds": options.seeds, **results})


def of_way(way: str, bank: FeatureBank, recipe: Recipe, seeds: int) -> list[dict[str, float]]:
    """The values of each seed."""
    changed, image_bytes = WAYS[way](bank), bank.patches.nbytes // len(bank)
    usual = order.BLOCK_BYTES, order.WINDOW_BYTES
    if way == "blocks":
        order.BLOCK_BYTES, order.WINDOW_BYTES = 10 * image_bytes, 10 * recipe.dense.batch_size * image_bytes
    rows = [measured(changed, recipe, seed, "blocks" if way == "blocks" else "full") for seed in range(seeds)]
    order.BLOCK_BYTES, order.WINDOW_BYTES = usual
    return rows


def table(results: dict[str, list[dict[str, float]]]) -> str:
    """One row a way: mean, deviation over seeds, and the paired difference from float16 with its standard error."""
    first, lines = results["float16"], []
    for way, rows in results.items():
        cells = [f"{way:22}"]
        for name in rows[0]:
            values = [row[name] for row in rows]
            apart: list[Any] = [value - other[name] for value, other in zip(values, first, strict=True)]
            error = stdev(apart) / len(apart) ** 0.5 if len(apart) > 1 else float("nan")
            spread = stdev(values) if len(values) > 1 else float("nan")
            cells.append(f"{name} {mean(values):.1f} ±{spread:.1f} ({mean(apart):+.2f} ±{error:.2f})")
        lines.append("  ".join(cells))
    return "\n".join(lines)


if __name__ == "__main__":
    main()
