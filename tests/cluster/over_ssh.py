"""`ray up` and `ray submit` as from a laptop: python -m tests.cluster.over_ssh FOLDER SCRATCH, in namespaces.

The head is this machine behind an sshd, with a home in the folder and the commands of ray_cluster.yaml as they are,
`ray stop` and the well-known ports included. Left out is `apt-get`; libraries are borrowed from this environment, so
that pip checks them against requirements/ instead of downloading them.
"""

import getpass
import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import yaml

from cluster.services import LOOPBACK, spawn, wait_until
from tests.cluster.namespaces import bring_up_loopback
from tests.cluster.nodes import CONFIG, ROOT, borrow_libraries
from tests.drivers import SLOWER
from tests.drivers import wait_until as wait_for
from tests.searches import TINY

SSHD = """
ListenAddress {loopback}:22
HostKey {folder}/host
AuthorizedKeysFile {folder}/laptop/key.pub
StrictModes no
PidFile none
SetEnv HOME={folder}/node RAY_TMPDIR={scratch} PIP_NO_INDEX=1 PIP_NO_BUILD_ISOLATION=false
"""


def main() -> None:
    folder, scratch = Path(sys.argv[1]), Path(sys.argv[2])
    bring_up_loopback()
    for home in ("laptop", "node"):
        (folder / home).mkdir()
    borrow_libraries(folder / "node")
    start_sshd(folder, scratch)
    cluster, laptop = str(cluster_file(folder)), {"HOME": str(folder / "laptop"), "RAY_TMPDIR": str(folder)}

    def ray(*words: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "ray.scripts.scripts", *words]
        return subprocess.Popen(command, env=os.environ | laptop, cwd=ROOT, start_new_session=True)

    assert ray("get-auth-token", "--generate").wait() == 0
    assert ray("up", "--yes", "--no-config-cache", cluster).wait() == 0
    search = ["--recipe", "digits", "--store", str(folder / "runs"), "--name", "tiny", *TINY, *SLOWER]
    submit = ("submit", cluster, "jobs/search.py", "--", *map(shlex.quote, search))
    closed = ray(*submit)
    wait_for(lambda: any(folder.glob("runs/stages/dense/*/manifest.json")), closed)
    os.killpg(closed.pid, signal.SIGHUP)
    assert ray(*submit).wait() == 0
    more = f"python -m jobs.search --store {folder / 'runs'} --name tiny --trials 4"
    assert ray("exec", cluster, f"ray job submit -- {more} && ray job list").wait() == 0


def start_sshd(folder: Path, scratch: Path) -> None:
    """On port 22 of loopback, for the key in `folder/laptop`, with `folder/node` as everybody's home."""
    for key in ("host", "laptop/key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / key], check=True)
    (folder / "sshd_config").write_text(SSHD.format(loopback=LOOPBACK, folder=folder, scratch=scratch))
    Path("/run/sshd").mkdir(exist_ok=True)  # as the system's own start of sshd makes it
    command = [str(shutil.which("sshd")), "-D", "-e", "-f", str(folder / "sshd_config")]
    log = folder / "sshd.log"
    process = spawn(command, log, os.environ)
    assert wait_until(lambda: "listening" in log.read_text(), process, 10), log.read_text()


def cluster_file(folder: Path) -> Path:
    """ray_cluster.yaml for a head that is here already."""
    ours = {name: value for name, value in CONFIG.items() if name not in ("available_node_types", "head_node_type")}
    ours |= {"cluster_name": folder.name, "max_workers": 0, "initialization_commands": []}
    ours |= {"provider": {"type": "local", "head_ip": LOOPBACK, "worker_ips": []}}
    ours |= {"auth": {"ssh_user": getpass.getuser(), "ssh_private_key": str(folder / "laptop" / "key")}}
    ours["setup_commands"] = [*CONFIG["setup_commands"], "echo export QPM_TUNER_GPU_SHARE=0 >> ~/qpm.env"]  # none comes
    path = folder / "ray_cluster.yaml"
    path.write_text(yaml.safe_dump(ours))
    return path


if __name__ == "__main__":
    main()
