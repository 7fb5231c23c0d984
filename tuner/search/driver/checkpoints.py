"""Removes the checkpoints of early stopping that no trial can go on from (docs/reference/store-files.md#checkpoints).

A checkpoint spares epochs and is never required: fine-tuning that finds none starts from its first epoch and gives the
same model. So a removal that crosses another driver's or worker's path costs time, never a result.
"""

import logging
from collections.abc import Iterator
from functools import cached_property

from tuner.errors import TunerError
from tuner.recipe import Recipe
from tuner.search.execute.rung_checkpoint import CHECKPOINTS, CONTINUED_BY
from tuner.search.execute.rung_plan import plan_stoppable
from tuner.search.record.holder import is_gone, this_driver
from tuner.search.record.home import SearchHome, searches
from tuner.search.record.searched_banks import Bank
from tuner.search.record.state import SearchState
from tuner.search.stages import model_stage, rung_stage
from tuner.store import Claims, CorruptArtifactError, StoreError
from tuner.store.store import for_each

FORGOTTEN_S = 30 * 24 * 3600.0
"""After this time without a trial that may need it, in any search of the store, a checkpoint is removed."""
UPLOADED_S = 24 * 3600.0
"""Files without a manifest are of an upload that was cut off; one under way is younger."""

_log = logging.getLogger(__name__)


def clear_checkpoints(home: SearchHome, recipe: Recipe, bank: Bank, state: SearchState) -> list[str]:
    """Remove checkpoints that are no longer needed, and return their keys.

    Args:
        home: the search whose lease this process holds.
        recipe: of its present run.
        bank: its feature bank.
        state: its ledger.

    Raises:
        StoreError: the store fails; what is left is removed the next time.
    """
    files: dict[str, list[str]] = {}
    for name in home.store.list(f"{CHECKPOINTS}/"):
        files.setdefault(name.split("/")[1], []).append(name)
    if not files or not home.is_of_this_code():  # the keys of another version's trials follow from other rules
        return []
    others, ended = _Others(home), _of_ended(state)
    asked = sorted(files.keys() - _needed(recipe, bank, state))

    def goes(key: str) -> bool:
        return _goes(home, key, files[key], others, has_ended=key in ended)

    removed = [key for key, gone in zip(asked, for_each(home.store, goes, asked), strict=True) if gone]
    for key in removed:
        home.artifacts.remove(CHECKPOINTS, key)
    return removed


def _goes(home: SearchHome, key: str, files: list[str], others: "_Others", *, has_ended: bool) -> bool:
    """Whether a checkpoint is removed that no trial of this search may go on from."""
    try:
        manifest = home.artifacts.find(CHECKPOINTS, key)
    except CorruptArtifactError:  # nobody can go on from it
        return True
    except StoreError:
        raise
    except TunerError:  # a later version wrote it
        return False
    if manifest is None:
        return _age_s(home, files) > UPLOADED_S
    tuned = str(manifest.meta.get(CONTINUED_BY, ""))
    if _is_complete(home, tuned):
        return True
    if not has_ended and _age_s(home, [name for name in files if name.endswith("/manifest.json")]) < FORGOTTEN_S:
        return False
    return not others.run(tuned) and not others.need(key)


class _Others:
    """What other drivers and searches of a store do and may do."""

    def __init__(self, home: SearchHome) -> None:
        self._home = home
        self._claims = Claims(home.store, this_driver(), is_gone=is_gone)

    def run(self, tuned: str) -> bool:
        """Whether some driver runs this fine-tuning now."""
        return bool(tuned) and self._claims.holder_of((model_stage().kind, tuned)) is not None

    def need(self, key: str) -> bool:
        """Whether a pruned trial of another search may go on from a checkpoint."""
        return self._pruned is None or key in self._pruned

    @cached_property
    def _pruned(self) -> set[str] | None:
        """The checkpoints of all these trials; None: a search cannot be read, and may need any."""
        found: set[str] = set()
        for name in searches(self._home.store):
            if name == self._home.name:
                continue
            try:
                found |= set(_of_pruned(SearchHome(self._home.store, name).state()))
            except StoreError:
                raise
            except TunerError as error:
                _log.info("checkpoints are kept, as search %s cannot be read: %s", name, error.what)
                return None
        return found


def _needed(recipe: Recipe, bank: Bank, state: SearchState) -> set[str]:
    """Of the trials that may go on: the pruned ones, which a search with other settings resumes, and the open ones."""
    found = set(_of_pruned(state))
    for trial in state.trials.values():
        if trial.outcome is None:
            for spec in plan_stoppable(recipe, bank, state, trial)[0]:
                found |= {spec.key} if spec.stage == rung_stage().name else {spec.partner}
    return found


def _of_pruned(state: SearchState) -> Iterator[str]:
    for trial in state.trials.values():
        if trial.outcome == "pruned" and (key := trial.stage_key(rung_stage().name)):
            yield key


def _of_ended(state: SearchState) -> set[str]:
    """Of the trials that have ended for good: complete, failed, skipped, stopped or infeasible."""
    ended = (trial for trial in state.trials.values() if trial.outcome not in (None, "pruned"))
    return {key for trial in ended if (key := trial.stage_key(rung_stage().name))}


def _is_complete(home: SearchHome, tuned: str) -> bool:
    """Whether the fine-tuning that a checkpoint is for is in the store."""
    try:
        return bool(tuned) and home.artifacts.find(model_stage().kind, tuned) is not None
    except StoreError:
        raise
    except TunerError:  # it is damaged, or what the checkpoint says is no key
        return False


def _age_s(home: SearchHome, files: list[str]) -> float:
    """Seconds since any of these files was written, by the store's clock."""
    now_s = home.store.now()
    return now_s - max((stat.modified for name in files if (stat := home.store.stat(name))), default=now_s)
