"""How large the report of a long search is, and how long a browser takes for it.

    python -m benchmarks.report --trials 1000

It makes up a search on the digits, writes its report, opens it in Chromium, and times what a reader does: opening the
page, drawing everything, typing a filter, sorting, and pointing at a dot.
"""

import argparse
import asyncio
import dataclasses
import tempfile
import time
from pathlib import Path

from tests.report import browser
from tests.report.sample import sample_costs, sample_curve, sample_report, sample_rows
from tuner.report.search_page import Report, render_report

METRICS = 30  # besides those of the sample, as an evaluation on birds has them
STEPS = {
    "draw every chart": "frames.forEach((frame) => frame.show())",
    "filter to half of the trials": "by('filter').value = 'accuracy >= 77'; refilter()",
    "show all again": "by('clear').click()",
    "sort by accuracy": "by('all-trials').querySelector('thead tr:last-child th:nth-child(4) button').click()",
    "all columns": "by('chooser').querySelectorAll('legend + label input').forEach((b) => b.checked || b.click())",
    "point at a dot": "front.choose(500 % front.spots.length, 100, 100)",
}


def long_report(n_trials: int) -> Report:
    """The sample with more trials, and with as many metrics as a real evaluation has."""
    report = sample_report(3)
    rows = [
        dataclasses.replace(r, values=r.values | {f"metric_{k}": 0.1 * k + r.trial for k in range(METRICS)})
        if r.values
        else r
        for r in sample_rows(n_trials)
    ]
    curves = [sample_curve(trial, stage, 100) for trial in range(12) for stage in ("dense", "finetune")]
    history = [(30.0 * i, 1 - 0.99**i) for i in range(n_trials)]
    costs = sample_costs(n_trials)
    return dataclasses.replace(report, rows=rows, curves=curves, hypervolume=history, costs=costs)


async def timed(file: Path) -> dict[str, float]:
    """Milliseconds of each step in the page, layout included."""
    async with browser.tab() as tab:
        began = time.perf_counter()
        await tab.open(file)
        found = {"open the page": 1000 * (time.perf_counter() - began)}
        for name, script in STEPS.items():
            timed_script = (
                f"const t = performance.now(); {script}; document.body.offsetHeight; return performance.now() - t"
            )
            found[name] = await tab.run(f"(() => {{ {timed_script}; }})()")
        assert tab.complaints == [], tab.complaints
        return found


def main() -> None:
    """Print size and times."""
    given = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    given.add_argument("--trials", type=int, default=1000, help="of the search")
    report = long_report(given.parse_args().trials)
    began = time.perf_counter()
    page = render_report(report).encode()
    print(f"{len(report.rows)} trials: {len(page) / 1e6:.2f} MB, written in {time.perf_counter() - began:.2f} s")
    if browser.find() is None:
        print("no Chromium on this machine's PATH: nothing is timed in a browser")
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "report.html"
        file.write_bytes(page)
        for name, ms in asyncio.run(timed(file)).items():
            print(f"  {name}: {ms:.0f} ms")


if __name__ == "__main__":
    main()
