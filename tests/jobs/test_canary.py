"""No secret leaves: commands that end well and badly, on S3, MLflow and Ray; then all they printed and wrote is read.

The secrets are the store's key, passwords in addresses, and Ray's token. They belong into the files in which the S3
server and Ray's head keep them, readable by their owner, and nowhere else.
"""

import base64
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest

from cluster import head, mlflow, s3
from cluster.services import LOOPBACK, free_port
from tests.searches import TINY
from tests.servers import BUCKET
from tuner.store import open_store

pytestmark = [pytest.mark.long, pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(1200)]

PASSWORD = "c4nary/in+an=address"
TOKEN = "c4nary0token" * 5
WRONG = "c4nary/that+is=wrong"
KEPT_IN = {"s3/server.json", "s3/identities.json", "ray/token"}
STORE = f"s3://{BUCKET}/canary"
ADDRESS = ("--store", STORE, "--name", "tiny")
SEARCH = ("jobs.search", *ADDRESS, "--recipe", "digits", *TINY)
ROOT = Path(__file__).resolve().parents[2]


def forms(secret: str) -> set[bytes]:
    """How a secret may look in a text: as it is, in an address, in base64 at each of three alignments."""
    shifted = (base64.b64encode(bytes(shift) + secret.encode()) for shift in range(3))
    return {secret.encode(), quote(secret).encode(), quote(secret, safe="").encode(), *(b[4:-4] for b in shifted)}


class Surroundings:
    """Real servers, an environment that holds the secrets, and all that commands in it print and show."""

    def __init__(self, folder: Path, scratch: Path) -> None:
        self.folder, self.scratch = folder, scratch
        self.server = s3.start(folder / "s3", BUCKET)
        self.secrets = set().union(*map(forms, (self.server.secret_key, PASSWORD, TOKEN, WRONG)))
        self.output: dict[str, bytes] = {}
        self.shown: set[bytes] = set()
        for place in ("home", "temporary", "work", "ray"):
            (folder / place).mkdir()
        (folder / "ray" / "token").write_text(TOKEN)
        self.keys = self.server.environment()
        self.keys |= {"MLFLOW_TRACKING_URI": with_password(mlflow.start(folder / "mlflow").url, PASSWORD)}
        ours = ("AWS_", "MLFLOW_", "RAY_", "QPM_")
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        self.environment |= {"HOME": str(folder / "home"), "TMPDIR": str(folder / "temporary")}
        self.environment |= {"RAY_TMPDIR": str(scratch), "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN}

    def run(self, *command: str, **more: str) -> int:
        """Run `python -m command`; keep what it prints, and what the process list shows meanwhile."""
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(
                [sys.executable, "-m", *command],
                env=self.environment | self.keys | more,
                cwd=self.folder / "work",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
            while process.poll() is None:
                self.shown |= set(command_lines(process.pid))
                time.sleep(0.2)
            output.seek(0)
            self.output[" ".join(command)] = output.read()
        return process.returncode

    def told(self) -> str:
        """All that was printed."""
        return b"\n".join(self.output.values()).decode(errors="replace")

    def leaks(self, texts: Iterable[tuple[object, bytes]]) -> list[object]:
        """Names of the texts in which a secret is found."""
        return [name for name, text in texts if any(secret in text for secret in self.secrets)]


def with_password(url: str, password: str) -> str:
    return url.replace("://", f"://someone:{quote(password, safe='')}@")


def command_lines(pid: int) -> Iterator[bytes]:
    """Of a process and all it has started, as everybody on the machine may read them."""
    try:
        for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)):
            yield Path(f"/proc/{process.pid}/cmdline").read_bytes()
    except (psutil.Error, OSError):
        return  # ended meanwhile


def files(*folders: Path) -> Iterator[tuple[Path, bytes]]:
    """Every file of these folders, named within them."""
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file():
                yield path.relative_to(folder), path.read_bytes()


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Surroundings]:
    """Surroundings in which much has happened."""
    folder, scratch = tmp_path_factory.mktemp("canary"), Path(tempfile.mkdtemp(prefix="qpm-"))
    try:
        made = Surroundings(folder, scratch)
        for end in (end_well, end_on_a_cluster, end_badly):
            for code, command, more in end(made):
                assert made.run(*command, **more) == code, f"{command}\n{made.told()}"
        yield made
    finally:
        head.stop(folder / "ray")
        mlflow.stop(folder / "mlflow")
        s3.stop(folder / "s3")
        shutil.rmtree(scratch)


Ends = Iterator[tuple[int, tuple[str, ...], dict[str, str]]]


def end_well(made: Surroundings) -> Ends:
    """A search on a Ray of its own, and what people do with one: exit code, command, changed environment."""
    yield 0, ("jobs.doctor", "--store", STORE), {}
    yield 0, (*SEARCH, "budget.trials=2"), {}
    yield 0, ("jobs.pick", *ADDRESS, "--export", "picked", "--register", "--json"), {}
    yield 0, ("jobs.report", *ADDRESS, "--out", "report.html"), {}
    yield 0, ("jobs.compare", *ADDRESS), {}
    yield 0, ("jobs.explain", *ADDRESS, "--against", "3", "8", "--out", "3-8.html"), {}
    yield 0, ("jobs.front", *ADDRESS, "--json"), {}
    yield 0, ("jobs.status", *ADDRESS, "--json"), {}


def end_on_a_cluster(made: Surroundings) -> Ends:
    """More trials as a job of a head, and a stranger at its door."""
    ray = head.start(made.folder / "ray", made.keys, port=free_port(), dashboard_port=free_port(), cpus=2, gpus=0)
    submit = ("ray.scripts.scripts", "job", "submit", "--working-dir", str(ROOT), "--", "python", "-m")
    yield 0, (*submit, "jobs.search", *ADDRESS, "--trials", "3"), ray.environment()
    yield 0, ("jobs.doctor", "--store", STORE), ray.environment()
    yield 1, ("jobs.doctor", "--store", STORE, "--json"), ray.environment() | {"RAY_AUTH_TOKEN": WRONG}


def end_badly(made: Surroundings) -> Ends:
    """Wrong keys, wrong addresses, dead servers, some with the traceback asked for."""
    nobody = f"http://{LOOPBACK}:{free_port()}"
    wrong_key = {"AWS_SECRET_ACCESS_KEY": WRONG}
    no_store = {"AWS_ENDPOINT_URL": with_password(nobody, PASSWORD)}
    for changed in (wrong_key, no_store):
        yield 1, (*SEARCH, "budget.trials=4"), changed
        yield 1, ("jobs.status", *ADDRESS, "--debug"), changed
        yield 1, ("jobs.doctor", "--store", STORE), changed
    yield 1, (*SEARCH, "--store", "s3://no-such-bucket/canary"), {}
    no_mlflow = {"MLFLOW_TRACKING_URI": with_password(nobody, PASSWORD)}
    yield 0, (*SEARCH, "--trials", "4"), no_mlflow
    yield 1, ("jobs.pick", *ADDRESS, "--register", "--debug"), no_mlflow
    yield 1, ("jobs.doctor", "--store", STORE), no_mlflow
    yield 1, ("jobs.doctor", "--store", STORE), {"MLFLOW_TRACKING_URI": f"http://someone:{PASSWORD}@nowhere:5000"}
    recipe = made.folder / "work" / "recipe.yaml"
    recipe.write_text(f"tracking: {{uri: '{made.keys['MLFLOW_TRACKING_URI']}'}}")
    yield 2, ("jobs.search", "--store", STORE, "--name", "secretive", "--recipe", "recipe.yaml"), {}
    recipe.unlink()


def test_nothing_that_was_printed_tells_a_secret(lived: Surroundings) -> None:
    assert lived.leaks(lived.output.items()) == []


def test_no_command_line_tells_a_secret(lived: Surroundings) -> None:
    assert len(lived.shown) > len(lived.output), "Ray's processes were seen, too"
    assert lived.leaks((line, line) for line in lived.shown) == []


def test_no_object_of_the_store_tells_a_secret(lived: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in lived.server.environment().items():
        monkeypatch.setenv(name, value)
    store = open_store(STORE)
    keys = list(store.list(""))
    assert {"banks", "fits", "shards", "stages", "searches"} == {key.split("/")[0] for key in keys}
    assert lived.leaks((key, store.get(key)) for key in keys) == []


def test_no_file_but_those_of_the_servers_holds_a_secret(lived: Surroundings) -> None:
    """The databases of both servers, their logs, caches, exports, and Ray's session folders."""
    ray = head.running(lived.folder / "ray")
    assert ray is not None
    found = dict(files(lived.folder, lived.scratch, Path(ray.scratch)))
    names = {str(path) for path in found}
    assert names >= KEPT_IN | {"mlflow/mlflow.db", "mlflow/mlflow.log", "s3/server.log", "ray/head.log"}
    assert any(name.endswith("logs/gcs_server.out") for name in names), "Ray's sessions were read"
    assert {str(path) for path in lived.leaks(found.items())} == KEPT_IN
