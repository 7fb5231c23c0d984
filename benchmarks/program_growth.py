"""The picture of benchmarks/results/program.json's growth rows: python -m benchmarks.program_growth [--out FILE]

Seconds to a proven gap of 0.5 % when candidates, classes, selected features or features per class grow.
"""

import argparse
import json
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt

from benchmarks.program import RESULTS

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "program.svg"
BASE = {"n": 512, "n_classes": 200, "n_features": 50, "features_per_class": 5}
AXES = {"n": "candidates", "n_classes": "classes", "n_features": "selected features N", "features_per_class": "k"}


def rows(results: Path) -> list[tuple[dict[str, int], dict[str, float]]]:
    """(size, result) of every growth row."""
    found = []
    for name, row in json.loads(results.read_text()).items():
        if name.startswith("growth "):
            pairs = (pair.split("=") for pair in name.split()[1:])
            found.append(({key: int(value) for key, value in pairs}, row))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=RESULTS, help="of `benchmarks.program growth`")
    parser.add_argument("--out", type=Path, default=PICTURE)
    given = parser.parse_args()
    figure, panels = plt.subplots(1, 4, figsize=(11, 2.8), layout="constrained", sharey=True)
    for panel, (axis, label) in zip(panels, AXES.items(), strict=True):
        others = {key: value for key, value in BASE.items() if key != axis}
        line = sorted(
            (size[axis], row["cpu_s"], 100 * row["gap"])
            for size, row in rows(given.results)
            if all(size[key] == value for key, value in others.items())
        )
        panel.plot([x for x, _, _ in line], [seconds for _, seconds, _ in line], "-", color="#4477aa")
        for x, seconds, gap in line:
            proven = gap <= 0.5 * (1 + 1e-6)
            panel.plot(x, seconds, "o", color="#4477aa", fillstyle="full" if proven else "none")
            if not proven:
                panel.annotate(f"{gap:.2g} %", (x, seconds), textcoords="offset points", xytext=(0, -12), ha="center")
        panel.set(xlabel=label, xscale="log", yscale="log")
        panel.set_xticks([x for x, _, _ in line], [str(x) for x, _, _ in line], minor=False)
        panel.minorticks_off()
        panel.grid(alpha=0.3)
    seconds = (0.2, 0.5, 1, 2, 5)
    panels[0].set_yticks(seconds, [f"{value:g}" for value in seconds])
    panels[0].set_ylabel("CPU seconds to a gap of 0.5 %")
    figure.suptitle(
        "512 candidates, 200 classes, N = 50, k = 5 but for the axis; hollow: not reached in 60 s", fontsize=9
    )
    figure.savefig(given.out, metadata={"Date": None})
    print("drawn into", given.out)


if __name__ == "__main__":
    main()
