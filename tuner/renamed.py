"""Moved modules: their old names still work, with a warning that gives the new name."""

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

# Old package, new package, modules (old name:new name where that changed too). Moved in version 0.2.
MOVES = (
    (
        "tuner.search",
        "tuner.search.record",
        "home events fields possible records:restoration state turns:clock inputs values front_view holder",
    ),
    ("tuner.search", "tuner.search.propose", "study:proposer searcher"),
    (
        "tuner.search",
        "tuner.search.execute",
        "runs:stage_run task:stage_task work:worker plan trial tries:attempts watchman:watchdog hung:hang_detector "
        "arrivals:trial_queue known:results coordinator contact:broker_monitor banks",
    ),
    ("tuner.search", "tuner.search.session", "connect own_ray address surroundings precision"),
    ("tuner.search", "tuner.search.watch", "progress:trials_view summary mirror mirror_process"),
    (
        "tuner.search",
        "tuner.search.outcome",
        "finish:files reporting:report pictures picking:pick explaining:explain",
    ),
    ("tuner.search", "tuner.search.systems", "baselines:of_search"),
    (
        "tuner.search",
        "tuner.search.driver",
        "run drive:driver limit:time_limit interrupts leftovers feasible:split_check measurable:objective_check",
    ),
    ("tuner.search", "tuner.base", "heartbeat:steps tables processes"),
    ("tuner.search", "tuner.doctor", "doctor:checks inspection:search"),
    (
        "tuner",
        "tuner.base",
        "environment files folders locks plain_json private pulse secrets settings text untrusted",
    ),
    ("tuner.qpm.program", "tuner.qpm.program.instance", "problem coefficients threshold verify"),
    ("tuner.qpm.program", "tuner.qpm.program.primal", "heuristic:tabu distinct"),
    ("tuner.qpm.program", "tuner.qpm.program.improvement", "refine"),
    ("tuner.qpm.program", "tuner.qpm.program.cuts", "cliques etas:class_values"),
    ("tuner.qpm.program", "tuner.qpm.program.bound", "root rootlp:relaxation"),
    (
        "tuner.qpm.program",
        "tuner.qpm.program.tree",
        "handler:constraint_handler bands:node_selection forced:forced_pairs",
    ),
    ("tuner.qpm.program", "tuner.qpm.program", "race:state"),
    (
        "tuner.front",
        "tuner.report",
        "report:search_page sections pages:templates galleries tiles views documents explanation verdicts picture "
        "proof",
    ),
)

RENAMED = {
    f"{old}.{module.partition(':')[0]}": f"{new}.{module.rpartition(':')[2]}"
    for old, new, modules in MOVES
    for module in modules.split()
}

# Modules that were named like the function in them. An import binds the module in its package, where the function was.
NAMESAKES = {
    "tuner.qpm.assign": "tuner.qpm.assignment",
    "tuner.qpm.evaluate": "tuner.qpm.evaluation",
    "tuner.qpm.explain": "tuner.qpm.explanation",
    "tuner.qpm.finetune": "tuner.qpm.finetuning",
}

_OLD = RENAMED | NAMESAKES


class Namesake(ModuleType):
    """Stands for a moved module and for the function of its old name: has the names of one, is called as the other."""

    def __getattr__(self, name: str) -> Any:
        """A name of the module."""
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(importlib.import_module(NAMESAKES[self.__name__]), name)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Call the function."""
        return getattr(self, self.__name__.rpartition(".")[2])(*arguments, **options)


class OldNames(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds a moved module under its old name."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """A spec that loads the module of the new name, for an old one; None for any other."""
        return importlib.util.spec_from_loader(fullname, self) if fullname in _OLD else None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        """What stands for a module and a function; None: a plain module."""
        return Namesake(spec.name) if spec.name in NAMESAKES else None

    def exec_module(self, module: ModuleType) -> None:
        """Put the moved module in the place of the empty one that was made for its old name."""
        old, new = module.__name__, _OLD[module.__name__]
        warnings.warn(f"{old} is now {new}; the old name goes in version 0.3", FutureWarning, stacklevel=2)
        moved = importlib.import_module(new)
        if old not in NAMESAKES:
            sys.modules[old] = moved


def understand_old_names() -> None:
    """Let `import` find moved modules; they are looked for last, so nothing else gets slower."""
    sys.meta_path.append(OldNames())


def renamed_names(module: str, names: Mapping[str, str]) -> Callable[[str], Any]:
    """A module's `__getattr__` that understands old names, with a warning.

    Args:
        module: the module's name.
        names: old name -> new name, with its module and a dot in front where it has moved to another module.
    """

    def find(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        place, _, new = names[name].rpartition(".")
        message = f"{module}.{name} is now {names[name]}; the old name goes in version 0.3"
        warnings.warn(message, FutureWarning, stacklevel=2)
        return getattr(importlib.import_module(place or module), new)

    return find
