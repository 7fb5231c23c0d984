"""Explain predictions on image files, or one class against another: class, features, and where they fire."""

import argparse
import sys
from pathlib import Path

from jobs.command import home_of, run
from jobs.output import print_json
from jobs.parsing import Parser, add_json, make_parser
from tuner.errors import UsageError

EXAMPLES = """  qpm-tuner explain --model picked photo.jpg --out why.html
  qpm-tuner explain --store runs --name digits photo.png         (the picked model, or the knee)
  qpm-tuner explain --store runs --name digits --trial 7 photo.png --json
  qpm-tuner explain --store runs --name digits --against 3 8 --out 3-8.html"""


def arguments() -> Parser:
    """What it takes."""
    made = make_parser(__file__, __doc__, EXAMPLES, named=False)
    made.add_argument("--model", metavar="DIR", help="a folder written by qpm-tuner pick --export, instead of a search")
    made.add_argument(
        "--weights",
        metavar="PATH",
        default="",
        help="the backbone's weights, if they were read from a file: the path in a model folder is not used",
    )
    made.add_argument("--trial", type=int, help="the model of this trial, instead of the picked one")
    made.add_argument(
        "--against",
        nargs=2,
        metavar=("CLASS", "CLASS"),
        help="two classes side by side, each on one of its own held-out images",
    )
    made.add_argument("images", nargs="*", metavar="IMAGE", help="image files")
    made.add_argument("--out", metavar="FILE", help="write a self-contained HTML page with the saliency maps")
    add_json(made)
    return made


def main(given: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run(arguments(), body, given)


def body(arguments: argparse.Namespace) -> int:
    """Predict and explain."""
    refuse_mixtures(arguments)  # before what takes seconds to load
    from tuner.model import load_model
    from tuner.report.explanation import Decision, render_explanations
    from tuner.report.prediction import Prediction
    from tuner.search.outcome.explain import against, load_chosen

    decisions: list[Decision] = []
    predictions: list[Prediction] = []
    if arguments.against:
        decisions = [against(home_of(arguments), arguments.trial, *arguments.against)]
    if arguments.images:
        folder, weights = arguments.model, arguments.weights
        if folder:
            model = load_model(folder, weights=weights)
        else:
            model = load_chosen(home_of(arguments), arguments.trial, weights)
        predictions = model.predict([Path(image) for image in arguments.images])
    if arguments.out:
        page = render_explanations([*decisions, *(prediction.decision() for prediction in predictions)])
        Path(arguments.out).write_text(page, encoding="utf-8")
    if arguments.json:
        print_json([*(d.to_dict() for d in decisions), *(p.to_dict() for p in predictions)])
        return 0
    for text in [*(d.sentence() for d in decisions), *(p.sentence() for p in predictions)]:
        said = sys.stdout.encoding or "utf-8"
        print(text.encode(said, "replace").decode(said))  # names may contain characters that this terminal cannot show
    return 0


def refuse_mixtures(arguments: argparse.Namespace) -> None:
    """Refuse a request that does not identify one model and something to explain.

    Raises:
        UsageError: model or images are missing, or the arguments name two models.
    """
    if not (arguments.model or arguments.name):
        raise UsageError("no model is given", "--model DIR, or --store and --name", "add one of them")
    if not (arguments.images or arguments.against):
        raise UsageError("nothing to explain", "image files, or --against A B of a search", "add one of them")
    if arguments.model and arguments.against:
        todo = "name the search by --store and --name instead of --model"
        raise UsageError("--against with --model", "a search, since its held-out images show the two classes", todo)
    if arguments.model and (arguments.name or arguments.trial is not None):
        other = "--name" if arguments.name else "--trial"
        raise UsageError(f"--model with {other}", "one model, of a folder or of a search", f"drop --model or {other}")


if __name__ == "__main__":
    sys.exit(main())
