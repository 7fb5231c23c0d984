"""A worker keeps the sides it used last, and gives them up before a new one stays on the disk."""

from dataclasses import replace

from tests.qpm.conftest import make_samples
from tuner.search.execute.sides_cache import MOST, SidesCache


def test_what_was_used_last_is_kept() -> None:
    cache, loaded = SidesCache(), []

    def side(name: int):
        return cache.get(name, lambda: loaded.append(name) or make_samples(4, seed=name))

    first = side(0)
    assert side(0) is first
    for name in range(1, MOST):
        side(name)
    assert side(0) is first
    side(MOST)  # pushes out 1, which was not used for longest
    assert side(0) is first
    side(1)
    assert loaded == [0, *range(1, MOST), MOST, 1]


def test_a_side_that_finds_no_room_pushes_the_others_out_first() -> None:
    cache, room = SidesCache(), 2

    def load():
        fits = len(cache._kept) < room
        return make_samples(4) if fits else replace(make_samples(4), streamed=True)

    first, second = cache.get(1, load), cache.get(2, load)
    third = cache.get(3, load)
    assert not third.streamed
    assert cache.get(2, load) is second
    assert cache.get(1, load) is not first
    room = 0
    on_disk = cache.get(4, load)
    assert on_disk.streamed
    assert cache.get(4, load) is on_disk
