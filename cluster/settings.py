"""Settings of the services of one machine: the validated options of `cluster.up`."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from tuner.base.settings import setting
from tuner.errors import UsageError

SERVICES = ("s3", "mlflow", "ray")
"""In starting order: Ray last, since its jobs inherit the addresses and keys of the others."""

DEFAULT_FOLDER = "~/.local/state/qpm-tuner"


@dataclass(frozen=True)
class ClusterSettings:
    """Settings of one machine's services."""

    folder: str = setting(DEFAULT_FOLDER, "folder for the services' state, one per cluster")
    host: str = setting("127.0.0.1", "address the services listen on; the default is reachable from this machine only")
    ray_port: int = setting(6379, "port of Ray's own protocol", low=1024, high=65535)
    dashboard_port: int = setting(8265, "port of Ray's dashboard and of job submission", low=1024, high=65535)
    cpus: int = setting(0, "CPUs that Ray may use; 0: all", low=0)
    gpus: int = setting(-1, "GPUs that Ray may use; -1: all", low=-1)
    mlflow_port: int = setting(5000, "port of the MLflow server", low=1024, high=65535)
    backend_store_uri: str = setting(
        "",
        "MLflow's database, such as postgresql+psycopg://user@host/db; default: MLFLOW_BACKEND_STORE_URI, else sqlite",
    )
    artifact_root: str = setting(
        "", "artifact location of MLflow's clients, such as s3://qpm/mlflow; default: the server"
    )
    s3_port: int = setting(8333, "port of the S3 server; the port 10000 above is used as well", low=1024, high=55535)
    bucket: str = setting("qpm", "bucket of the S3 server, created if it does not exist")
    without: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check the bounds.

        Raises:
            UsageError: an option is out of bounds; the message names it.
        """
        for field in fields(self):
            value, low, high = getattr(self, field.name), field.metadata.get("low"), field.metadata.get("high")
            if (low is not None and value < low) or (high is not None and value > high):
                limits = f"at least {low}" if high is None else f"{low} to {high}"
                raise UsageError(f"{option(field.name)} {value}", limits, "choose another value")

    @property
    def path(self) -> Path:
        """The folder, absolute."""
        return state_folder(self.folder)


def state_folder(folder: str) -> Path:
    """A `--folder` as an absolute path."""
    return Path(folder).expanduser().absolute()


def option(name: str) -> str:
    """The command-line option of a field."""
    return f"--{name.replace('_', '-')}"


def options() -> list[tuple[str, Any, str]]:
    """Name, default and help text of each field."""
    return [(f.name, f.default, f.metadata["help"]) for f in fields(ClusterSettings) if "help" in f.metadata]
