"""Show which services of a cluster run and answer; exit code 0 only if all started services do."""

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from cluster import head, mlflow, s3
from cluster.command import parser, run
from cluster.services import answers
from cluster.settings import state_folder

EXAMPLES = """  python -m cluster.status
  python -m cluster.status --folder lab --json"""


@dataclass(frozen=True)
class Service:
    """A service: address, process, and state: `healthy`, `silent` (running, no answer), `dead` or `off`."""

    name: str
    state: str
    address: str = ""
    pid: int | None = None


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    made = parser(__file__, __doc__, EXAMPLES)
    made.add_argument("--json", action="store_true", help="print one JSON document")
    return run(made, body, arguments)


def body(arguments: argparse.Namespace) -> int:
    """Print the state of each."""
    found = survey(state_folder(arguments.folder))
    if arguments.json:
        print(json.dumps([asdict(service) for service in found], indent=1))
    else:
        for service in found:
            pid = f"pid {service.pid}" if service.pid else ""
            print(f"{service.name:8}{service.state:9}{service.address:32}{pid}".rstrip())
    started = [service for service in found if service.state != "off"]
    return 0 if started and all(service.state == "healthy" for service in started) else 1


def survey(folder: Path) -> list[Service]:
    """The services of a folder."""
    return [_s3(folder / "s3"), _mlflow(folder / "mlflow"), _ray(folder / "ray")]


def _s3(folder: Path) -> Service:
    server = s3.find(folder)
    if server is None:
        return Service("S3", "off")
    return Service("S3", _state(answers(server.endpoint) != 0), server.endpoint, server.pid)  # 403 is an answer


def _mlflow(folder: Path) -> Service:
    server = mlflow.running(folder)
    if server is None:
        return Service("MLflow", _absent(folder / "mlflow.json"))
    return Service("MLflow", _state(server.healthy()), server.url, server.pid)


def _ray(folder: Path) -> Service:
    found = head.running(folder)
    if found is None:
        return Service("Ray", _absent(folder / "head.json"))
    return Service("Ray", _state(found.healthy()), found.dashboard, found.pid)


def _state(healthy: bool) -> str:
    return "healthy" if healthy else "silent"


def _absent(record: Path) -> str:
    return "dead" if record.exists() else "off"


if __name__ == "__main__":
    sys.exit(main())
