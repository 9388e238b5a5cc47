"""Buffers that nobody wrote to are not hashed again; whatever writes to one is noticed."""

from __future__ import annotations

import mmap
import os
import random
from typing import Any

import pytest

from jupyter_flows.snapshot import MemoryChunks, chunks, load, save, written

numpy = pytest.importorskip("numpy")
MEGABYTE = 1 << 20
needs_tracker = pytest.mark.skipif(written.tracker() is None, reason="this system offers no tracking")


class _Counting:
    """Counts the bytes that are hashed as large chunks."""

    def __init__(self) -> None:
        self.bytes = 0
        self._put = chunks.ChunkWriter.put

    def put(self, writer: Any, data: Any) -> Any:
        if memoryview(data).nbytes >= MEGABYTE // 2:
            self.bytes += memoryview(data).nbytes
        return self._put(writer, data)


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> _Counting:
    counting = _Counting()
    monkeypatch.setattr(chunks.ChunkWriter, "put", lambda writer, data: counting.put(writer, data))
    return counting


@needs_tracker
def test_only_what_was_written_is_hashed_again(hashed: _Counting) -> None:
    store, objects = MemoryChunks(), {"globals/a": numpy.random.default_rng(1).random(8 * MEGABYTE)}
    first = save(objects, store, {})
    assert hashed.bytes == 64 * MEGABYTE
    hashed.bytes = 0
    second = save(objects, store, {}, first)
    assert (hashed.bytes, second.bytes_new) == (0, 0)
    objects["globals/a"][4 * MEGABYTE] = 7.0
    third = save(objects, store, {}, second)
    assert 0 < hashed.bytes <= 3 * MEGABYTE
    assert load(third, store, {})["globals/a"][4 * MEGABYTE] == 7.0


@needs_tracker
def test_without_a_tracker_everything_is_hashed(hashed: _Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "tracker", lambda: None)
    store, objects = MemoryChunks(), {"globals/a": numpy.ones(MEGABYTE)}
    save(objects, store, {}, save(objects, store, {}))
    assert hashed.bytes == 16 * MEGABYTE


@needs_tracker
def test_a_child_process_has_a_tracker_of_its_own() -> None:
    parents = written.tracker()
    child = os.fork()
    if not child:
        own = written.tracker()
        os._exit(0 if own is not parents and (own is None or own.process == os.getpid()) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert written.tracker() is parents


@needs_tracker
def test_memory_given_back_and_memory_that_others_write_are_hashed() -> None:
    private = mmap.mmap(-1, 4 * MEGABYTE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    shared = mmap.mmap(-1, 4 * MEGABYTE)
    arrays = {name: numpy.frombuffer(memory, "u1") for name, memory in (("p", private), ("s", shared))}
    for array in arrays.values():
        array[:] = 1
    pages = written.tracker()
    assert pages is not None
    ends = (MEGABYTE, 2 * MEGABYTE, 3 * MEGABYTE, 4 * MEGABYTE)
    places = {name: array.__array_interface__["data"][0] for name, array in arrays.items()}
    known: list[written.Reference] = [("name", 0, MEGABYTE)] * 4
    for place in places.values():
        pages.known(place, ends)
        pages.learn(place, ends, known)
    assert pages.known(places["p"], ends) == known
    assert pages.known(places["s"], ends) == [None] * 4
    private.madvise(mmap.MADV_DONTNEED, MEGABYTE, mmap.PAGESIZE)
    assert pages.known(places["p"], ends) == [known[0], None, known[2], known[3]]


@pytest.mark.parametrize("tracked", [True, False])
@pytest.mark.parametrize("seed", range(6))
def test_a_savepoint_is_what_a_full_copy_would_be(
    seed: int, tracked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    mutate_and_compare(seed, 25, tracked, monkeypatch)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 160))
def test_many_savepoints_are_what_full_copies_would_be(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    mutate_and_compare(seed, 120, True, monkeypatch)


def mutate_and_compare(seed: int, steps: int, tracked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not tracked:
        monkeypatch.setattr(chunks, "tracker", lambda: None)
    chance = random.Random(seed)
    store, manifest, arrays = MemoryChunks(), None, {}
    for _ in range(steps):
        for _ in range(chance.randrange(3)):
            _mutate(arrays, chance)
        objects = {f"globals/{name}": array for name, array in arrays.items()}
        manifest = save(objects, store, {}, manifest)
        copies = {name: array.copy() for name, array in arrays.items()}
        restored = load(manifest, store, {})
        for name, copy in copies.items():
            assert numpy.array_equal(restored[f"globals/{name}"], copy), (seed, name)


def _mutate(arrays: dict[str, Any], chance: random.Random) -> None:
    """One random change: made anew (often at the address of one just deleted), deleted, or written to."""
    name = chance.choice("abcde")
    way = chance.randrange(9)
    if name not in arrays or way == 0:
        arrays.pop(name, None)
        size = chance.choice([40_000, 60_000, 200_000, 400_000])
        arrays[name] = numpy.random.default_rng(chance.randrange(1000)).random(size)
        return
    array = arrays[name]
    if way == 1:
        del arrays[name]
    elif way == 2:  # through a view, an element at either end or between
        array[1:-1].reshape(2, -1)[chance.randrange(2), -1] = chance.random()
    elif way == 3:
        array[chance.choice([0, -1, chance.randrange(array.size)])] = chance.random()
    elif way == 4:
        array.sort()
    elif way == 5:  # the system writes, not the process
        with open("/dev/urandom", "rb", buffering=0) as source:
            at = chance.randrange(array.nbytes - 100)
            source.readinto(memoryview(array.view("u1"))[at : at + 7])
        array[numpy.isnan(array)] = 0
    elif way == 6:
        numpy.multiply(array, 2, out=array)
    elif way == 7:
        arrays[chance.choice("fgh")] = array[array.size // 3 :]
    else:
        array.resize(array.size + chance.choice([8, 4096, 100_000]), refcheck=False) if _owns(
            array, arrays
        ) else None


def _owns(array: Any, arrays: dict[str, Any]) -> bool:
    return bool(array.flags.owndata) and all(other.base is not array for other in arrays.values())
