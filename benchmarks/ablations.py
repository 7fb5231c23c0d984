"""What each choice buys on real birds, alone and over seeds: python -m benchmarks.ablations --root CUB50 --results FILE

Every run is appended to the JSON-lines FILE under the hash of its settings; the same command carries on. Dense models
that runs share are kept beside it. Validation and test are both measured, so that choices are made on validation:
`--side validation`. `--summary` prints the tables of what is there; `--only` names ablations.

Baseline: A, R, mean and deviation from train, as published; three layers, 256 wide, 12 + 6 epochs instead of four,
2048 and 512 wide, 25 + 25 epochs; 20 % of train kept apart as in a search; 50 features, 5 a class; tokens of
EfficientNet-Lite2, 7 x 7 at 224 px, 14 x 14 at 448 px.
"""

import argparse
import json
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.ablation_banks import bank
from benchmarks.ablation_run import Settings, run, sides
from benchmarks.ablation_table import Rows, tables, values
from benchmarks.machine import machine

BASE = "baseline"
TOLD = ("accuracy", "structural_grounding", "sid5")
HELD = {"held_out": 0.2, "table": "held_out"}
# name: (what differs from the baseline, seeds)
ABLATIONS: dict[str, tuple[dict[str, Any], int]] = {
    BASE: ({}, 5),
    "random assignment": ({"control": "random"}, 5),
    "held out 20 %": (HELD, 5),
    "held out 20 %, mean and deviation of all": ({**HELD, "statistics": "all"}, 5),
    "early dense model, 4 epochs": ({"dense_epochs": 4}, 5),
    "table of epoch 4, dense model of epoch 12": ({"early": 4, "table": "early", "statistics": "all"}, 5),
    "held out 10 %": ({**HELD, "held_out": 0.1}, 5),
    "held out 40 %": ({**HELD, "held_out": 0.4}, 5),
    "dense on 80 %, table of the same 80 %": ({"held_out": 0.2, "table": "rest"}, 3),
    "regularised dense model": ({"dense_weight_decay": 1.0, "dense_dropout": 0.5}, 5),
    "cross-fitted, 2 folds after 2 epochs": ({"table": "cross", "warm_up": 2}, 5),
    "cross-fitted, mean and deviation of all": ({"table": "cross", "warm_up": 2, "statistics": "all"}, 5),
    "L1 ramp": ({"l1_ramp": True}, 3),
    "L1 3.5, the mean of the ramp": ({"l1": 3.5}, 3),
    "`paper` pairs": ({"variant": "paper"}, 3),
    "no BN re-estimation": ({"batch_norm": False}, 3),
    "mirrored views, half the epochs": ({"bank": "mirrored", "dense_epochs": 6, "finetune_epochs": 3}, 3),
    "mirrored views": ({"bank": "mirrored"}, 3),
    "width 128": ({"width": 128}, 3),
    "width 512": ({"width": 512}, 3),
    "hidden 128": ({"hidden": 128}, 3),
    "hidden 512": ({"hidden": 512}, 3),
    "parity pixels": ({"bank": "parity"}, 3),
}


def arguments() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--results", type=Path, required=True, help="JSON-lines file, appended to")
    made.add_argument("--root", help="the folder of cub50 (data.root)")
    made.add_argument("--banks", type=Path, help="folder of the feature banks; default: beside the results")
    made.add_argument("--image-size", type=int, default=224, help="pixels; 224 gives 7 x 7 tokens, 448 14 x 14")
    made.add_argument("--validation", type=float, default=0.2, help="share of train kept apart; 0: all of train")
    made.add_argument("--only", nargs="+", choices=ABLATIONS, metavar="NAME", help="these ablations")
    made.add_argument("--seeds", type=int, default=99, help="at most so many seeds of each")
    made.add_argument("--summary", action="store_true", help="print the tables of what is there, and run nothing")
    made.add_argument("--side", choices=("test", "validation"), default="test", help="that the tables show")
    return made


def planned(given: argparse.Namespace) -> dict[str, list[Settings]]:
    """The runs of each ablation."""
    base = Settings(0, image_size=given.image_size, validation=given.validation)
    return {
        name: [replace(base, **{**changed, "seed": seed}) for seed in range(min(seeds, given.seeds))]
        for name, (changed, seeds) in ABLATIONS.items()
        if not given.only or name in given.only
    }


def read(results: Path) -> dict[str, dict[str, Any]]:
    """What has been measured: key of the settings to the line."""
    if not results.exists():
        return {}
    return {line["key"]: line for line in map(json.loads, results.read_text().splitlines())}


def main(words: list[str] | None = None) -> None:
    parser = arguments()
    given = parser.parse_args(words)
    if not given.summary:
        if not given.root:
            parser.error("--root: the folder of cub50 is needed, unless --summary is given")
        measure(given)
    done = read(given.results)
    named: dict[str, Rows] = {
        name: {one.seed: values(done[one.key], given.side) for one in runs if one.key in done}
        for name, runs in planned(given).items()
    }
    print(f"{given.side} split, {given.image_size} px\n\n{tables(named, BASE)}")


def measure(given: argparse.Namespace) -> None:
    """Run what is missing."""
    folder = given.banks or given.results.parent / "banks"
    banks = cache(lambda kind: bank(kind, given.image_size, given.root, folder))
    images = cache(lambda kind: banks(kind).samples(np.ones(len(banks(kind)), dtype=np.bool_)))
    runs = [(name, one) for name, ones in planned(given).items() for one in ones]
    for name, one in sorted(runs, key=lambda run: run[1].seed):  # an early end leaves every ablation the same seeds
        if one.key in read(given.results):
            continue
        kind = "parity" if one.bank == "parity" else "plain"
        parts = sides(one, banks(kind), images(kind), images("mirrored") if one.bank == "mirrored" else None)
        line = {"key": one.key, "name": name, **run(one, parts, given.results.with_suffix(".dense"))}
        line |= {"settings": asdict(one), "bank": banks(kind).key, "machine": machine()}
        with given.results.open("a") as stream:
            stream.write(json.dumps(line) + "\n")
        shown = values(line, "test")
        print(f"{name}, seed {one.seed}: ", end="")
        print(", ".join(f"{m} {shown[m]:.1f}" for m in TOLD if m in shown), flush=True)


if __name__ == "__main__":
    main()
