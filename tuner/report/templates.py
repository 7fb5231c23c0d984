"""Renders the HTML templates of this folder: inputs are escaped, and missing variables are errors."""

import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

HERE = Path(__file__).parent
SURROGATES = re.compile("[\ud800-\udfff]")


def render(template: str, **variables: Any) -> str:
    """Fill a template, which also finds the style sheet as `css`.

    The page is UTF-8: bytes of file names that are not, which Python keeps as lone surrogates, become U+FFFD.
    """
    loader = FileSystemLoader(HERE)
    pages = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    pages.policies["json.dumps_kwargs"] = {"allow_nan": False}  # NaN is not JSON: fail instead of writing a broken page
    page = pages.get_template(template).render(css=asset("report.css"), **variables)
    return SURROGATES.sub("\ufffd", page)


def asset(name: str) -> Markup:
    """A file of this folder that is put into a page as it is."""
    return Markup((HERE / name).read_text(encoding="utf-8"))
