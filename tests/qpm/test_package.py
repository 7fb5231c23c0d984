"""The package as a notebook meets it: light imports, functions under their names, digits in twenty lines."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest

import tuner.qpm


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def test_settings_and_table_do_not_import_torch() -> None:
    code = "import sys, tuner.qpm.settings; from tuner.qpm import METRICS; print('torch' in sys.modules, len(METRICS))"
    assert run(code).strip() == f"False {len(tuner.qpm.METRICS)}"


@pytest.mark.slow
def test_public_functions_stay_functions_when_their_modules_are_imported() -> None:
    code = (
        "import tuner.qpm.assignment, tuner.qpm.evaluation, tuner.qpm.explanation, tuner.qpm.finetuning\n"
        "from tuner.qpm import *\n"
        "from tuner.qpm.assignment import assign as same\n"
        "print(all(map(callable, (assign, evaluate, explain, finetune))), same is assign)"
    )
    assert run(code).strip() == "True True"


@pytest.mark.slow
def test_a_name_that_is_imported_as_a_module_is_one() -> None:
    package = Path(tuner.qpm.__file__).parent
    modules = sorted(m.name for m in iter_modules([str(package)]) if not m.name.startswith("_"))
    code = (
        "import importlib, types, tuner.qpm\n"
        "from tuner.qpm import *\n"
        f"for name in {modules}:\n"
        "    importlib.import_module(f'tuner.qpm.{name}')\n"
        "    assert isinstance(getattr(tuner.qpm, name), types.ModuleType), name\n"
        "print(callable(assign) and callable(finetune))"
    )
    assert run(code).strip() == "True"
    assert not set(modules) & set(tuner.qpm.__all__)


def test_every_metric_is_found_in_its_file() -> None:
    from tuner.qpm.metrics import table

    files = {path.stem for path in Path(table.__file__).parent.glob("*.py")} - {"__init__"} - table._HELPERS
    found = {row.name: name for name in files for row in import_module(f"tuner.qpm.metrics.{name}").METRICS}
    assert found.keys() == set(tuner.qpm.METRICS)
    assert set(table._FIRST) <= files


def test_every_public_name_is_there_and_no_other() -> None:
    for name in tuner.qpm.__all__:
        assert getattr(tuner.qpm, name) is not None
    assert set(tuner.qpm.__all__) <= set(dir(tuner.qpm))
    assert set(dir(tuner.qpm)) == set(tuner.qpm.__all__), "what is imported lazily is what is public"
    with pytest.raises(AttributeError, match="nonsense"):
        _ = tuner.qpm.nonsense


@pytest.mark.slow
def test_digits_in_twenty_lines() -> None:
    import torch
    from sklearn.datasets import load_digits

    from tuner.qpm import AdapterConfig, AssignConfig, DenseConfig, FinetuneConfig, Samples
    from tuner.qpm import assign, dense_features, evaluate, explain, finetune, train_dense  # isort: skip

    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32) / 16
    patches = torch.nn.functional.unfold(images.unsqueeze(1), 3, padding=1).transpose(1, 2)  # (n, 64, 9)
    masks, seen = (images * 255).to(torch.uint8), torch.ones(len(images), dtype=torch.bool)
    samples = Samples(patches, None, torch.tensor(digits.target), masks, seen, (8, 8), 10)
    train, test = samples.subset(torch.arange(1200)), samples.subset(torch.arange(1200, 1797))

    dense = train_dense(train, AdapterConfig(width=48, hidden=48, n_layers=2), DenseConfig(epochs=6), seed=0)
    assignment = assign(
        dense_features(dense, train), AssignConfig(n_features=15, features_per_class=4, deadline_s=5), seed=0
    )
    model = finetune(dense, assignment, train, FinetuneConfig(epochs=6), seed=0)
    result = evaluate(model, train, test)
    explanation = explain(model, test, 0, image_size=(64, 64))

    assert result["accuracy"] > 80
    assert result["features_per_class_used"] == 4
    assert len(explanation.evidence[explanation.predicted]) == 4
