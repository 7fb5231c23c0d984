"""No line of the program can unpickle, evaluate or execute what it reads: looked for in its syntax, not its text."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TESTING = ROOT / "tuner" / "testing"  # tests that others run on their own parts: they unpickle what they have pickled
FILES = sorted(
    path
    for package in ("tuner", "jobs", "cluster")
    for path in (ROOT / package).rglob("*.py")
    if TESTING not in path.parents
)
MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "code", "runpy"}
CALLS = {"eval", "exec", "compile", "__import__", "execfile", "os.system", "os.popen"}
UNSAFE_YAML = {"load", "load_all", "unsafe_load", "unsafe_load_all", "full_load", "full_load_all", "FullLoader"}
UNSAFE_YAML |= {"UnsafeLoader", "Loader"}


def faults(source: str) -> list[str]:
    """What in a module could run what it reads."""
    tree = ast.parse(source)
    found, aliases = [], dict[str, str]()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        module = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
        aliases |= {alias.asname or alias.name: module + alias.name for alias in node.names}
        names = [module + alias.name for alias in node.names]
        found += [f"line {node.lineno} imports {name}" for name in names if name.split(".")[0] in MODULES]
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            whole = f"{node.value.id}.{node.attr}"
            if node.value.id == "yaml" and node.attr in UNSAFE_YAML:
                found.append(f"line {node.lineno} uses {whole}")
        if not isinstance(node, ast.Call):
            continue
        first, dot, rest = ast.unparse(node.func).partition(".")
        called, given = aliases.get(first, first) + dot + rest, {k.arg: ast.unparse(k.value) for k in node.keywords}
        if called in CALLS:
            found.append(f"line {node.lineno} calls {called}")
        if called == "torch.load" and given.get("weights_only") != "True":
            found.append(f"line {node.lineno} calls torch.load without weights_only=True")
        if called == "numpy.load" and given.get("allow_pickle") != "False":
            found.append(f"line {node.lineno} calls {called} without allow_pickle=False")
        if given.get("allow_pickle") == "True" or given.get("trust_remote_code") == "True":
            found.append(f"line {node.lineno} lets a file run code")
        if given.get("shell") == "True":
            found.append(f"line {node.lineno} hands a text to a shell")
        if called.endswith(".from_pretrained") and "local_files_only" not in ast.unparse(tree):
            found.append(f"line {node.lineno} may ask a hub")
    return found


@pytest.mark.slow
def test_no_module_can_run_what_it_reads() -> None:
    assert len(FILES) > 150
    found = [f"{file.relative_to(ROOT)}: {fault}" for file in FILES for fault in faults(file.read_text("utf-8"))]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load",
        "eval(text)",
        "import torch\ntorch.load(file)",
        "from torch import load as read\nread(file)",
        "import os\nos.system(text)",
        "import numpy as np\nnp.load(file)",
        "import numpy as np\nnp.load(file, allow_pickle=True)",
        "import yaml\nyaml.load(text, Loader=yaml.Loader)",
        "import subprocess\nsubprocess.run(text, shell=True)",
        "kind.from_pretrained(name)",
    ],
)
def test_it_would_be_seen(source: str) -> None:
    assert faults(source)
