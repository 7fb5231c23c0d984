"""A store without conditional writes: found out however it fails, and refused before anything else."""

from pathlib import Path

import pytest

from tuner.store import Lease, StoreError, probe_conditional_put
from tuner.store.errors import NotSupportedError, RefusedError
from tuner.store.local import LocalStore


class Forgetful(LocalStore):
    """Accepts conditions and ignores them."""

    def put_new(self, key: str, data: bytes) -> bool:
        self.put(key, data)
        return True

    def replace(self, key: str, data: bytes, version: str) -> str | None:
        self.put(key, data)
        return "0"


class OnlyCreates(LocalStore):
    """Knows If-None-Match and ignores If-Match."""

    def replace(self, key: str, data: bytes, version: str) -> str | None:
        self.put(key, data)
        return "0"


class NeverReplaces(LocalStore):
    """Finds that no version is the one it told."""

    def replace(self, key: str, data: bytes, version: str) -> str | None:
        return None


class Unknowing(LocalStore):
    """Answers a conditional write with 501."""

    def put_new(self, key: str, data: bytes) -> bool:
        raise NotSupportedError("cannot write: 501", "another", "another")


class Refusing(LocalStore):
    """Answers a conditional write with 400."""

    def put_new(self, key: str, data: bytes) -> bool:
        raise RefusedError("cannot write: 400 InvalidArgument", "valid credentials", "check them")


class Forbidding(Refusing):
    """Answers every write with 400."""

    def put(self, key: str, data: bytes) -> None:
        self.put_new(key, data)


class Silent(LocalStore):
    """Does not answer."""

    def put_new(self, key: str, data: bytes) -> bool:
        raise StoreError("no connection", "a server", "start it")


@pytest.mark.parametrize("kind", [Forgetful, OnlyCreates, NeverReplaces, Unknowing, Refusing])
def test_a_store_that_keeps_no_conditions_is_refused_in_three_parts(kind: type[LocalStore], tmp_path: Path) -> None:
    store = kind(tmp_path)
    assert probe_conditional_put(store) is False
    with pytest.raises(StoreError, match="cannot hold a search") as caught, Lease(store, "digits", "ana"):
        pass
    assert str(tmp_path) in caught.value.what
    assert "If-None-Match" in caught.value.expected
    assert caught.value.todo
    assert list(store.list("")) == []


@pytest.mark.parametrize(("kind", "said"), [(Forbidding, "InvalidArgument"), (Silent, "no connection")])
def test_other_trouble_keeps_its_own_words(kind: type[LocalStore], said: str, tmp_path: Path) -> None:
    for ask in (lambda: probe_conditional_put(kind(tmp_path)), Lease(kind(tmp_path), "digits", "ana").__enter__):
        with pytest.raises(StoreError) as caught:
            ask()
        assert caught.value.what.endswith(said)
