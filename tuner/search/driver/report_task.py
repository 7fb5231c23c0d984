"""Writes the report on a worker of the cluster, where the images and the tokens are; the driver needs neither."""

import ray
from ray.exceptions import RayError

from tuner.base.progress import Progress, Silent
from tuner.errors import TunerError
from tuner.search.outcome.report import report_page
from tuner.search.record.home import SearchHome
from tuner.search.session.folder import as_from, driver_folder
from tuner.store import open_store


class _Kept(Silent):
    """Keeps warnings, for the driver to show."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, line: str) -> None:
        """Keep it."""
        self.warnings.append(line)


def report_of_worker(home: SearchHome, progress: Progress) -> str:
    """The report of a search, from its ledger as it is now.

    Raises:
        TunerError: the worker failed.
    """
    try:
        page, warnings = ray.get(_report.remote(home.store.url, home.name, driver_folder()))
    except RayError as error:
        raise TunerError(
            f"the report could not be written on the cluster: {str(error).strip().splitlines()[-1]}",
            "a worker with a CPU, and memory for the model",
            f"run `qpm-tuner report --store {home.store.url} --name {home.name}`",
        ) from error
    for line in warnings:
        progress.warn(line)
    return str(page)


@ray.remote(num_cpus=1, max_retries=3)
def _report(store_url: str, name: str, folder: str) -> tuple[str, list[str]]:
    told = _Kept()
    with as_from(folder):
        page = report_page(SearchHome(open_store(store_url, known=True), name, told.warn), told)
    return page, told.warnings
