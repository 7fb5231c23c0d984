"""What docs/explanation/security.md says is shown by tests that exist; and no reader runs what it reads."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "explanation" / "security.md").read_text()
TEST = re.compile(r"(tests/[\w/]+\.py)::(\w+)")

RUNS_CODE = {"eval", "exec", "compile", "os.system", "os.popen"}
RUNS_CODE |= {
    f"{library}.{name}" for library in ("pickle", "cloudpickle", "joblib", "dill") for name in ("load", "loads")
}
RUNS_CODE |= {f"yaml.{name}" for name in ("load", "full_load", "unsafe_load", "load_all")}
ONLY_WITH = {"torch.load": ("weights_only", True), "numpy.load": ("allow_pickle", False)}


def functions(path: Path) -> set[str]:
    """The names of the functions of a file."""
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}


def statements() -> list[str]:
    """The statements of the page, but for what is not protected."""
    protected = PAGE.split("## Not protected")[0]
    return [" ".join(part.split()) for part in re.findall(r"^- (.*(?:\n  .*)*)", protected, re.M)]


def test_every_test_that_the_page_names_exists():
    named = TEST.findall(PAGE)
    assert len(named) > 30
    for path, name in named:
        assert (ROOT / path).is_file(), f"{path} is named and does not exist"
        assert name in functions(ROOT / path), f"{path} has no {name}"


@pytest.mark.parametrize("statement", statements(), ids=lambda text: text[:40])
def test_every_statement_ends_with_its_tests(statement):
    assert re.search(r"\((tests/[\w/]+\.py::\w+(, )?)+\)$", statement), statement


def test_the_readme_and_the_policy_lead_to_the_page():
    for name in ("README.md", "SECURITY.md"):
        assert "docs/explanation/security.md" in (ROOT / name).read_text()


def offences(source: str) -> list[str]:
    """Calls that would run what they read: by name, with the keyword that makes some of them harmless."""
    tree = ast.parse(source)
    aliases = {
        name.asname or name.name: name.name if isinstance(node, ast.Import) else f"{node.module}.{name.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    }
    found = []
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        first, dot, rest = ast.unparse(call.func).partition(".")
        name = aliases.get(first, first) + dot + rest
        given = {word.arg: getattr(word.value, "value", None) for word in call.keywords}
        safe = ONLY_WITH.get(name)
        if name in RUNS_CODE or given.get("shell") is True or (safe and given.get(safe[0]) is not safe[1]):
            found.append(f"line {call.lineno}: {name}")
    return found


def test_nothing_that_is_read_can_run_code():
    sources = [path for package in ("tuner", "jobs", "cluster") for path in sorted((ROOT / package).rglob("*.py"))]
    assert len(sources) > 100
    assert {str(path): found for path in sources if (found := offences(path.read_text()))} == {}


@pytest.mark.parametrize(
    "source",
    ["import pickle as p\np.loads(b)", "from pickle import loads\nloads(b)", "import torch\ntorch.load(f)",
     "import numpy as np\nnp.load(f, allow_pickle=True)", "import yaml\nyaml.load(t, Loader=L)", "eval(t)",
     "import subprocess\nsubprocess.run(t, shell=True)"],
)  # fmt: skip
def test_such_a_call_would_be_found(source):
    assert offences(source)
