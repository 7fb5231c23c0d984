"""An exported model on image files: what speaks for and against a class, on which scale, and how far to trust it."""

import base64
import io
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from PIL import Image

from cluster.services import answers, free_port
from jobs import explain
from tests.exported import Exported, export_digits, written
from tuner.card import CARD
from tuner.errors import TunerError, UsageError
from tuner.model import BACKBONE, TRAINING, ExportedModel, load_model
from tuner.report.verdicts import NO_DISTANCE, NO_SCALE
from tuner.search.outcome.pictures import ModelPictures
from tuner.served import ServedModel
from tuner.tracking.flavor import declare, requirement
from tuner.version import __version__

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
ODD_NAME = os.fsdecode(b"caf\xe9\x1b.png")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return export_digits(tmp_path_factory.mktemp("exported"))


@pytest.fixture(scope="module")
def model(exported: Exported) -> ExportedModel:
    return load_model(exported.folder, device="cpu")


def held_out(exported: Exported, n: int) -> list[np.ndarray]:
    rows = np.flatnonzero(~exported.dataset.is_train)[:n]
    return [np.asarray(exported.dataset.pictures.image(int(i))) for i in rows]


def test_each_feature_speaks_for_or_against_by_its_sign_and_all_numbers_add_up(exported, model, tmp_path):
    signs: Counter[str] = Counter()
    for prediction in model.predict(written(tmp_path, held_out(exported, 60))):
        document, logits = prediction.to_dict(), prediction.explanation.logits.astype(np.float64)
        best, other = (document["class"], document["runner_up"])
        assert logits[int(best)] == logits.max()
        assert document["logit"] == pytest.approx(logits.max(), abs=1e-4)
        assert sum(f["contribution"] for f in document["features"]) == pytest.approx(document["logit"], abs=1e-6)
        shares = np.exp(logits) / np.exp(logits).sum()
        assert document["probability"] == pytest.approx(shares[int(best)], rel=1e-6)
        margin = document["margin"]
        assert margin["over"] == other
        assert margin["value"] == pytest.approx(logits[int(best)] - logits[int(other)], abs=1e-4)
        made = [sum(f["contribution"] for f in margin[side]) for side in ("only_class", "only_runner_up")]
        assert margin["value"] == pytest.approx(made[0] - made[1], abs=1e-6)
        for feature in document["features"]:
            kind = "for" if feature["contribution"] > 0 else "against"
            signs[kind] += 1
            assert feature["speaks"] == kind
            assert feature["feature"] in document[kind]
            assert feature["feature"] not in document["against" if kind == "for" else "for"]
        said = prediction.sentence()
        assert ("against" in said.split("together")[0]) == bool(document["against"])
        assert f"score {document['logit']:+.2f}" in said
        assert f"{100 * document['probability']:.1f} % (softmax" in said or "over 99.9 %" in said
        assert f"a margin of {margin['value']:.2f}" in said
    assert min(signs["for"], signs["against"]) >= 10, signs


def test_strength_is_relative_to_the_training_images(exported, model, tmp_path):
    train = exported.bank.samples(exported.bank.is_train)
    maps = exported.model.feature_maps(train.patches.float()).numpy()
    np.testing.assert_allclose(model.full, maps.max(axis=(0, 2)), rtol=1e-5)
    pictures = ModelPictures(exported.model, exported.bank, exported.dataset)
    for view in [*pictures.classes(), pictures.comparison().left]:
        assert {f.index: f.full for f in view.features} == {
            f.index: pytest.approx(float(model.full[f.index])) for f in view.features
        }
    document = model.predict(written(tmp_path, held_out(exported, 1)))[0].to_dict()
    for f in document["features"]:
        assert f["strength"] == pytest.approx(f["peak_value"] / model.full[f["feature"]], rel=1e-5)


def foreign(digits: list[np.ndarray]) -> dict[str, list[np.ndarray]]:
    draw = np.random.default_rng(5)
    squares = np.indices((8, 8))
    return {
        "uniform noise": [draw.integers(0, 256, (8, 8, 3)) for _ in range(40)],
        "grey noise": [np.repeat(draw.integers(0, 256, (16, 16, 1)), 3, 2) for _ in range(40)],
        "large noise": [draw.integers(0, 256, (64, 48, 3)) for _ in range(10)],
        "constant": [np.full((8, 8, 3), value) for value in (0, 1, 64, 128, 200, 255)],
        "one colour": [np.tile(draw.integers(0, 256, 3), (8, 8, 1)) for _ in range(20)],
        "inverted": [255 - digit for digit in digits],
        "lying": [np.rot90(digit) for digit in digits],
        "red": [digit * (1.0, 0.1, 0.1) for digit in digits],
        "stripes": [np.repeat((squares[axis] // n % 2 * 255)[..., None], 3, 2) for axis in (0, 1) for n in (1, 2, 4)],
        "squares": [np.repeat(((squares // n).sum(0) % 2 * 255)[..., None], 3, 2) for n in (1, 2, 4)],
        "shuffled": [draw.permutation(digit.reshape(64, 3)).reshape(8, 8, 3) for digit in digits],
        "two digits": [np.concatenate([a, b], axis=1) for a, b in itertools.pairwise(digits)],
    }


def test_images_unlike_the_training_images_are_told_and_digits_are_not(exported, model, tmp_path):
    digits = held_out(exported, 450)
    assert len(digits) == 450
    flagged = sum(d.unlike for d in model.likeness.distances(exported.bank.patches[~exported.bank.is_train]))
    assert flagged <= 9, f"{flagged} of {len(digits)} held-out digits are called unlike the training images"
    rates = {}
    for name, images in foreign(digits[:40]).items():
        documents = [p.to_dict() for p in model.predict(written(tmp_path / name, images))]
        rates[name] = (sum(d["unlike"] for d in documents), len(documents))
        for d in documents:
            assert d["unlike"] == (d["distance"]["value"] > d["distance"]["limit"])
            assert ("Unlike the training images" in d["sentence"]) == d["unlike"]
    print(f"unlike: {flagged} of {len(digits)} held-out digits; foreign images: {rates}")
    assert all(found == n for found, n in rates.values() if n < 40), rates
    assert all(found >= 0.9 * n for found, n in rates.values()), rates


def test_the_page_shows_the_untouched_image_the_scale_and_the_warning(exported, tmp_path, capsys):
    noise = np.random.default_rng(0).integers(0, 256, (8, 8, 3))
    (plain,) = written(tmp_path, [noise])
    odd = tmp_path / ODD_NAME
    odd.write_bytes(plain.read_bytes())
    page = tmp_path / "why.html"
    assert explain.main(["--model", str(exported.folder), str(odd), "--out", str(page)]) == 0
    said = capsys.readouterr().out
    said.encode()
    assert "caf\ufffd\ufffd.png" in said
    assert "Unlike the training images" in said
    text = page.read_text(encoding="utf-8")
    assert "caf\ufffd\ufffd.png" in text
    for words in ("The untouched image", "Unlike the training images", "100 % is the strongest", "not calibrated"):
        assert words in text, words
    assert explain.main(["--model", str(exported.folder), str(odd), "--json"]) == 0
    printed = capsys.readouterr().out
    assert "\\ud" not in printed.replace("\\ufffd", "")
    assert json.loads(printed)[0]["image"].endswith("caf\ufffd\ufffd.png")


def test_an_export_of_an_earlier_version_is_read_and_says_what_it_cannot_know(exported, tmp_path):
    old = tmp_path / "old"
    shutil.copytree(exported.folder, old)
    card = json.loads((old / CARD).read_text())
    (old / CARD).write_text(json.dumps({key: card[key] for key in card if key != "files"} | {"format": 2}))
    assert load_model(old, device="cpu").likeness is not None
    (old / TRAINING).unlink()
    with pytest.raises(TunerError, match=TRAINING):
        load_model(old)
    (old / CARD).write_text(json.dumps(card | {"format": 1}))
    (prediction,) = load_model(old, device="cpu").predict(written(tmp_path, held_out(exported, 1)))
    document = prediction.to_dict()
    assert document["unlike"] is None
    assert NO_DISTANCE in document["sentence"]
    assert document["strength_is"].startswith(NO_SCALE)
    assert {f["strength"] for f in document["features"]} == {None}


def test_two_classes_are_shown_on_images_that_are_named(exported, tmp_path):
    pictures = ModelPictures(exported.model, exported.bank, exported.dataset)
    views = pictures.pair(3, 8)
    for view, label in ((views.left, 3), (views.right, 8)):
        assert view.source is not None
        row = exported.bank.paths.index(view.source.path)
        assert (view.source.label, exported.bank.labels[row], view.source.split) == (str(label), label, "test")
        np.testing.assert_array_equal(view.image, np.asarray(exported.dataset.pictures.image(row)))
        samples = exported.bank.samples(np.array([row]))
        assert view.source.predicted == str(int(exported.model.predict(samples.patches.float())))
        assert view.score == pytest.approx(float(exported.model.logits(samples.patches.float())[0, label]), abs=1e-4)
    moved = exported.dataset.__class__(**{**vars(exported.dataset), "paths": exported.dataset.paths[::-1]})
    with pytest.raises(TunerError, match="lists other images"):
        ModelPictures(exported.model, exported.bank, moved)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "no model is given"),
        (["--model", "m"], "nothing to explain"),
        (["--model", "m", "--against", "3", "8"], "--against with --model"),
        (["--model", "m", "--name", "x", "a.png"], "--model with --name"),
        (["--model", "m", "--trial", "0", "a.png"], "--model with --trial"),
    ],
)
def test_mixtures_are_refused_before_anything_is_read(arguments, said, capsys):
    assert explain.main(arguments) == UsageError.exit_code
    printed = capsys.readouterr().err
    assert said in printed
    assert "to do:" in printed


def test_an_image_is_shown_as_its_reader_reads_it(exported, model, tmp_path):
    path = tmp_path / "grey.png"
    Image.fromarray(held_out(exported, 1)[0][..., 0]).save(path)
    (prediction,) = model.predict([path])
    assert prediction.decision().comparison.left.image.shape == (8, 8, 3)
    assert Path(prediction.path) == path


def edited(of: str, **changes: object) -> Callable[[Path], None]:
    """Writes other values into a JSON file of a model folder; None takes one away."""

    def edit(folder: Path) -> None:
        document = json.loads((folder / of).read_text()) | changes
        (folder / of).write_text(json.dumps({key: value for key, value in document.items() if value is not None}))

    return edit


def replaced(of: str, **arrays: np.ndarray | None) -> Callable[[Path], None]:
    """The same for a file of tensors."""

    def edit(folder: Path) -> None:
        tensors = safetensors.numpy.load_file(folder / of) | arrays
        safetensors.numpy.save_file({key: value for key, value in tensors.items() if value is not None}, folder / of)

    return edit


def damages() -> Iterator[tuple[str, Callable[[Path], object]]]:
    for name in (CARD, "model.json", "model.safetensors", TRAINING, BACKBONE):
        yield f"no {name}", lambda folder, name=name: (folder / name).unlink()
        for content in (b"", b"\x00\xffgarbage" * 100, b"[]", b"{}", b"null"):
            yield f"{name} of {content[:10]!r}", lambda folder, name=name, b=content: (folder / name).write_bytes(b)
        yield (
            f"half of {name}",
            lambda folder, name=name: os.truncate(folder / name, (folder / name).stat().st_size // 2),
        )
    for key in ("format", "class_names", "data", "backbone", "backbone_key"):
        yield f"card without {key}", edited(CARD, **{key: None})
    for key, value in {"format": 4, "class_names": ["a", "b"], "backbone": [], "backbone_key": "x"}.items():
        yield f"card with {key} = {value}", edited(CARD, **{key: value})
    yield "format as text", edited(CARD, format="2")
    yield "class names that are numbers", edited(CARD, class_names=list(range(10)))
    yield "a model of another kind", edited("model.json", kind="dense")
    yield "strengths of other features", replaced(TRAINING, full=np.ones(3, np.float32))
    yield "strengths that are no numbers", replaced(TRAINING, full=np.full(9, np.nan, np.float32))
    yield "training images of another backbone", replaced(TRAINING, **{"which.mean": np.zeros(3, np.float32)})
    yield "no strengths", replaced(TRAINING, full=None)
    yield "a dictionary of other patches", replaced(BACKBONE, mean=np.zeros(3, np.float32))
    yield "tensors of another model", replaced("model.safetensors", **{"head.mean": None})


@pytest.mark.parametrize(("what", "damage"), [pytest.param(*both, id=both[0]) for both in damages()])
def test_a_damaged_or_foreign_export_is_named_in_three_parts(exported, tmp_path, capsys, what, damage):
    folder = tmp_path / "model"
    shutil.copytree(exported.folder, folder)
    damage(folder)
    assert explain.main(["--model", str(folder), str(tmp_path / "any.png")]) == 1, what
    said = capsys.readouterr().err
    assert str(folder) in said.split("expected:")[0]
    assert "to do:" in said
    assert "defect" not in said
    assert "Traceback" not in said


def served(exported: Exported, folder: Path) -> Path:
    """The exported model as it is registered."""
    return declare(exported.folder, folder / "served")


def as_file(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image.astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.filterwarnings("ignore:.*Any type hint is inferred:UserWarning")  # MLflow, when it is imported
def test_mlflow_loads_a_declared_model_and_gives_class_scores_and_features(exported, model, tmp_path):
    import mlflow
    import pandas as pd

    folder = served(exported, tmp_path)
    loaded = mlflow.pyfunc.load_model(str(folder))
    assert not [path for path in folder.rglob("*") if path.suffix in (".pkl", ".pickle", ".py", ".pt", ".pth")]
    images = held_out(exported, 5)
    found = loaded.predict(pd.DataFrame({"image": [as_file(image) for image in images]}))
    for (_, row), own in zip(found.iterrows(), model.predict(written(tmp_path / "images", images)), strict=True):
        told = own.to_dict()
        assert (row["class"], row["runner_up"]) == (told["class"], told["runner_up"])
        assert row["features"] == told["features"]
        assert row["scores"] == dict(zip(exported.bank.class_names, map(float, own.explanation.logits), strict=True))
        assert max(row["scores"], key=row["scores"].get) == row["class"]
        assert str(tmp_path) not in row["sentence"]
    example = loaded.predict(loaded.input_example)
    assert list(example) == loaded.metadata.get_output_schema().input_names()
    assert load_model(folder, device="cpu").class_names == model.class_names, "it is an exported model still"
    for bad, told in ((b"no image", "image 0: is not a readable image"), ("photo.png", "is of type str")):
        with pytest.raises(mlflow.exceptions.MlflowException, match=told):
            ServedModel(model).predict(pd.DataFrame({"image": [bad]}))


def test_a_declared_model_names_the_package_that_loads_it(exported, tmp_path):
    assert requirement(exported.folder) == f"qpm-tuner=={__version__}"
    for backbone, extra in (("dinov2", "[dino]"), ("efficientnet_lite2", "[cnn]"), ("own", "")):
        (tmp_path / CARD).write_text(json.dumps({"backbone": {"name": backbone}}))
        assert requirement(tmp_path) == f"qpm-tuner{extra}=={__version__}"


@pytest.mark.long
@pytest.mark.cluster
def test_mlflow_serves_a_declared_model(exported, model, tmp_path):
    folder, port = served(exported, tmp_path), free_port("127.0.0.1")
    words = ["models", "serve", "-m", str(folder), "--env-manager", "local", "--host", "127.0.0.1", "-p", str(port)]
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-m", "mlflow", *words]
    with (tmp_path / "serve.log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        deadline = time.monotonic() + 300
        while answers(f"http://127.0.0.1:{port}/ping") != 200:
            assert time.monotonic() < deadline, (tmp_path / "serve.log").read_text()
            assert process.poll() is None, (tmp_path / "serve.log").read_text()
            time.sleep(0.5)
        (image,) = held_out(exported, 1)
        encoded = base64.b64encode(as_file(image)).decode()
        table = {"columns": ["image"], "data": [[encoded]]}
        example = json.loads((folder / "serving_input_example.json").read_text())
        for asked in (example, {"dataframe_split": table}):
            body, kind = json.dumps(asked).encode(), {"Content-Type": "application/json"}
            request = urllib.request.Request(f"http://127.0.0.1:{port}/invocations", body, kind)
            with urllib.request.urlopen(request, timeout=60) as answer:
                (row,) = json.load(answer)["predictions"]
            assert set(row) >= {"class", "scores", "features", "sentence"}
        (own,) = model.predict(written(tmp_path / "images", [image]))
        assert row["class"] == own.class_name
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)
