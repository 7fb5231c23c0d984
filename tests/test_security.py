"""What docs/explanation/security.md says is shown by tests that exist."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "explanation" / "security.md").read_text()
TEST = re.compile(r"(tests/[\w/]+\.py)::(\w+)")


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
