"""Start an S3 server, an MLflow server and a Ray head on this machine; running services are kept."""

import argparse
import os
import shlex
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

from cluster import head, mlflow, s3
from cluster.command import parser, run
from cluster.services import LOOPBACK, require_port
from cluster.settings import SERVICES, ClusterSettings, option, options
from tuner.base.files import write_private
from tuner.errors import TunerError, UsageError
from tuner.store.disk import locked

EXAMPLES = """  python -m cluster.up
  python -m cluster.up --without s3                  (the store is a folder, or an S3 server you already have)
  python -m cluster.up --folder lab --ray-port 6380 --dashboard-port 8266 --mlflow-port 5001 --s3-port 8334
  MLFLOW_BACKEND_STORE_URI=postgresql+psycopg://user:password@host/db python -m cluster.up
  python -m cluster.up --host 192.168.0.7            (for other machines too; read docs/how-to/clusters.md first)"""

Say = Callable[[str], None]


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    made = parser(__file__, __doc__, EXAMPLES)
    for name, default, help in options():
        if name != "folder":
            shown = f"{help} (default: {default})" if default not in ("", 0, -1) else help
            made.add_argument(option(name), type=type(default), default=default, help=shown)
    made.add_argument("--without", nargs="+", choices=SERVICES, default=(), metavar="SERVICE", help="of s3 mlflow ray")
    return run(made, body, arguments)


def body(arguments: argparse.Namespace) -> int:
    """Start the services that are not running, and print the next steps."""
    given = {field.name: getattr(arguments, field.name) for field in fields(ClusterSettings)}
    settings = ClusterSettings(**{**given, "without": tuple(given["without"])})
    _make_private(settings.path)
    with locked(settings.path / ".lock"):
        start(settings, print)
    return 0


def _make_private(folder: Path) -> None:
    """Create the state folder with access for its owner only.

    Raises:
        UsageError: others can write there; since `env.sh` is sourced, they could run commands as this user.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = folder.stat()
    if found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise UsageError(
            f"--folder {folder} belongs to another user, or is writable by others",
            "a folder that only you can change, since your shell runs its env.sh",
            f"choose another one, or change its mode: chmod go-w {shlex.quote(str(folder))}",
        )
    for name in SERVICES:
        (folder / name).mkdir(exist_ok=True, mode=0o700)


def start(settings: ClusterSettings, say: Say) -> dict[str, str]:
    """Start the services that are not running; returns the environment variables with which clients find them.

    Raises:
        TunerError: one of them does not start; the others are left unchanged.
    """
    folder, wanted = settings.path, [name for name in SERVICES if name not in settings.without]
    environment: dict[str, str] = {}
    if "s3" in wanted:
        environment |= _start_s3(settings, folder / "s3", say)
    if "mlflow" in wanted:
        environment |= _start_mlflow(settings, folder / "mlflow", say)
    if "ray" in wanted:
        environment |= _start_ray(settings, folder / "ray", environment, say)
    exports = [f"export {name}={shlex.quote(value)}\n" for name, value in environment.items()]
    write_private(folder / "env.sh", "".join(exports))
    say(next_steps(settings, wanted))
    return environment


def _start_s3(settings: ClusterSettings, folder: Path, say: Say) -> dict[str, str]:
    server = s3.find(folder)
    if server is None:
        require_port(settings.host, settings.s3_port, "--s3-port")
        say("starting the S3 server ...")
        server = s3.start(folder, settings.bucket, settings.s3_port, settings.host)
    say(f"S3      {server.endpoint}")
    return server.environment()


def _start_mlflow(settings: ClusterSettings, folder: Path, say: Say) -> dict[str, str]:
    server = mlflow.running(folder)
    if server is None:
        require_port(settings.host, settings.mlflow_port, "--mlflow-port")
        say("starting the MLflow server (some 15 s) ...")
        server = mlflow.start(
            folder,
            backend_store_uri=settings.backend_store_uri or os.environ.get("MLFLOW_BACKEND_STORE_URI"),
            artifact_root=settings.artifact_root or None,
            host=settings.host,
            port=settings.mlflow_port,
        )
    say(f"MLflow  {server.url}")
    return {"MLFLOW_TRACKING_URI": server.url}


def _start_ray(settings: ClusterSettings, folder: Path, surroundings: dict[str, str], say: Say) -> dict[str, str]:
    found = head.running(folder)
    if found is None:
        require_port(settings.host, settings.ray_port, "--ray-port")
        require_port(settings.host, settings.dashboard_port, "--dashboard-port")
        say("starting the Ray head (some 15 s) ...")
        found = head.start(
            folder,
            surroundings,
            host=settings.host,
            port=settings.ray_port,
            dashboard_port=settings.dashboard_port,
            cpus=settings.cpus or None,
            gpus=None if settings.gpus < 0 else settings.gpus,
        )
    elif found.surroundings != head.digest(surroundings):
        raise TunerError(
            "the Ray head was started with other addresses of S3 or MLflow, and its jobs would keep using those",
            "a head that was started after the services it uses",
            f"python -m cluster.down --folder {shlex.quote(str(settings.path))}, then start again",
        )
    say(f"Ray     {found.address}, dashboard and jobs {found.dashboard}")
    return found.environment()


def next_steps(settings: ClusterSettings, wanted: list[str]) -> str:
    """The commands to run next, without secrets."""
    store = f"s3://{settings.bucket}/runs" if "s3" in wanted else "s3://BUCKET/PREFIX"
    search = f"search --recipe digits --store {store} --name digits"
    # A job runs the code of the folder that was sent with it, so it names the module, not the installed program.
    submit = f"ray job submit --working-dir . -- python -m jobs.{search}" if "ray" in wanted else f"qpm-tuner {search}"
    named = "" if settings.path == ClusterSettings().path else f" --folder {shlex.quote(str(settings.path))}"
    warning = (
        "" if settings.host == LOOPBACK else f"\n{settings.host} is open to its network: see docs/how-to/clusters.md\n"
    )
    return f"""{warning}
In each shell that uses it (addresses and keys; only you can read the file):
  source {shlex.quote(str(settings.path / "env.sh"))}
Check it:
  qpm-tuner doctor --store {store}
Search on it:
  {submit}
Show its state, and stop it:
  python -m cluster.status{named}
  python -m cluster.down{named}"""


if __name__ == "__main__":
    sys.exit(main())
