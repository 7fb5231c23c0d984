"""Fetch a public data set (archives from its publisher, a mirror or a disk), make its manifest, or list all of them."""

import argparse
import dataclasses
import shlex
import sys
from pathlib import Path
from typing import Any

from jobs.command import run
from jobs.completion import completed
from jobs.output import print_json, progress, terminal
from jobs.parsing import Parser, add_json, make_parser
from tuner.base.folders import home_path
from tuner.base.tables import Column, FittedTable
from tuner.data.official.sources import SOURCES, Source, source_of
from tuner.errors import UsageError

EXAMPLES = """  qpm-tuner data list
  qpm-tuner data fetch cub --root data
  qpm-tuner data fetch cars --root data/stanford_cars --from ~/Downloads
  qpm-tuner data fetch flowers --root data/flowers --from https://mirror.example.org/flowers-102
  qpm-tuner data manifest aircraft --root data/aircraft --labels family"""
VERBS = ("list", "fetch", "manifest")


def arguments() -> Parser:
    """What it takes."""
    made = make_parser(__file__, __doc__, EXAMPLES, search=False)
    told = (
        "list: data sets, their terms, sizes and what they hold; fetch: get, check and unpack what is missing, and "
        "write the manifest; manifest: write the manifest of what is unpacked"
    )
    made.add_argument("verb", choices=VERBS, metavar="VERB", help=told)
    told = f"data set, for fetch: {', '.join(SOURCES)}; for manifest: "
    told += ", ".join(source.name for source in SOURCES.values() if source.has_manifest)
    completed(made.add_argument("name", nargs="?", metavar="NAME", help=told), lambda **_: list(SOURCES))
    made.add_argument("--root", metavar="DIR", help="folder of the data set")
    told = (
        "where the archives are, in place of the publisher: a file, a folder, an address of a file or of a folder of "
    )
    told += "a mirror; may be given several times"
    made.add_argument("--from", dest="places", action="append", default=[], metavar="PLACE", help=told)
    made.add_argument("--unchecked", action="store_true", help="take archives whose MD5 is not the publisher's")
    made.add_argument("--keep", action="store_true", help="keep downloaded archives after they were unpacked")
    kinds = "; ".join(f"{source.name}: {', '.join(source.labels)}" for source in SOURCES.values() if source.labels)
    made.add_argument("--labels", default="", metavar="KIND", help=f"labels of the manifest, {kinds}")
    crops = ", ".join(source.name for source in SOURCES.values() if source.crops)
    made.add_argument("--crop", action="store_true", help=f"let the manifest cut images to the object's box: {crops}")
    add_json(made)
    return made


def main(given: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run(arguments(), body, given, tells=True)


def body(arguments: argparse.Namespace) -> int:
    """Do it, and print what to do next."""
    if arguments.verb == "list":
        if arguments.name or arguments.root:
            raise UsageError(f"data list {arguments.name or '--root'}", "list alone", "leave out the rest")
        return show_list(as_json=arguments.json)
    source, root = _named(arguments)
    from tuner.data.official.manifest import Options
    from tuner.data.official.manifests import check_options

    options = Options(arguments.labels, arguments.crop)
    if source.has_manifest or arguments.verb == "manifest" or options != Options():
        check_options(source, options)
    result: dict[str, Any] = {"data_set": source.name, "root": str(root)}
    if arguments.verb == "fetch":
        result |= _fetch(source, root, arguments)
    if source.has_manifest:
        result |= _manifest(source, root, options, as_json=arguments.json)
    search = search_of(source, root)
    if arguments.json:
        print_json({**result, "search": search})
    else:
        print(f"search it: {search}")
    return 0


def _named(arguments: argparse.Namespace) -> tuple[Source, Path]:
    """The data set and its folder."""
    form = f"qpm-tuner data {arguments.verb} NAME --root DIR"
    source = source_of(arguments.name) if arguments.name else None
    if source is None:
        raise UsageError(f"data {arguments.verb} without a data set", form, f"name one of {', '.join(SOURCES)}")
    if not arguments.root:
        raise UsageError(f"data {arguments.verb} {arguments.name} without --root", form, "name the data set's folder")
    if arguments.verb == "manifest" and (arguments.places or arguments.unchecked or arguments.keep):
        raise UsageError("data manifest with --from, --unchecked or --keep", form, "fetch takes them")
    return source, home_path(arguments.root, "--root")


def _fetch(source: Source, root: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    from tuner.data.official.fetch import RECORD, fetch

    told = progress(stderr=True)
    done = fetch(source, root, arguments.places, told, check=not arguments.unchecked, keep=arguments.keep)
    if not arguments.json:
        print(f"{source.title}: {source.holds}; terms: {source.terms} ({source.page})")
        parts = [f"unpacked {', '.join(done.unpacked)} into {root}"] if done.unpacked else []
        print("; ".join(parts) or f"{root} is complete: nothing to do")
        if done.unchecked:
            print(f"not checked against the publisher's MD5: {', '.join(done.unchecked)} (see {root / RECORD})")
    return dataclasses.asdict(done)


def _manifest(source: Source, root: Path, options: Any, *, as_json: bool) -> dict[str, Any]:
    from tuner.data.official.manifests import make_manifest

    file, lines = make_manifest(source, root, options, progress(stderr=True))
    found: dict[str, Any] = {"manifest": str(file), "images": len(lines)}
    found["classes"] = len({line.label for line in lines})
    found["splits"] = {name: sum(line.split == name for line in lines) for name in ("train", "val", "test")}
    found["masks"] = sum(bool(line.mask) for line in lines)
    found["boxes"] = sum(line.box is not None for line in lines)
    if not as_json:
        splits = ", ".join(f"{n:,} {name}" for name, n in found["splits"].items() if n)
        more = "".join(f", {found[name]:,} {name}" for name in ("masks", "boxes") if found[name])
        print(f"{file}: {len(lines):,} images of {found['classes']} classes ({splits}){more}")
    return found


def search_of(source: Source, root: Path) -> str:
    """The command that searches a data set in a folder."""
    if source.folder is not None:
        fields = [f"data.root={root / source.folder}"]
        recipe = source.name
    else:
        fields = ["data.name=manifest", f"data.root={root}", f"data.manifest={root / source.name}.csv"]
        recipe = "folder"
    return shlex.join(["qpm-tuner", "search", "--recipe", recipe, "--store", "runs", "--name", source.name, *fields])


def show_list(*, as_json: bool) -> int:
    """Print all data sets."""
    sources = SOURCES.values()
    if as_json:
        print_json({"data_sets": [dataclasses.asdict(source) for source in sources]})
        return 0
    columns = [
        Column("name", [source.name for source in sources], weight=9),
        Column("data set", [source.title for source in sources], weight=8, words=True, narrowest=12),
        Column("size", [source.size for source in sources], weight=7),
        Column("holds", [source.holds for source in sources], weight=6, words=True),
        Column("terms", [source.terms for source in sources], weight=5, words=True),
    ]
    terminal().print(FittedTable(columns), soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
