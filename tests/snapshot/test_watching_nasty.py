"""What nobody should do to objects, done to watched groups: a savepoint that leaves groups alone says the
same as one that pickles everything anew.

Memory is written through ctypes, views and buffers, constants and tuples are changed in place, instances get
another class or dict, threads and callbacks write, and objects in C go on inside: the bytes of all groups are
compared after every round.
"""

from __future__ import annotations

import array
import collections
import ctypes
import decimal
import functools
import gc
import io
import itertools
import random
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from jupyter_flows import resumable, snapshot
from jupyter_flows.snapshot import MemoryChunks, save, saving, untouched

from .test_watching import Row, needs_watching

numpy = pytest.importorskip("numpy")

_NOTEBOOK = """
class Plain:
    pass

class Other(Plain):
    pass

class Slotted:
    __slots__ = ("one", "two")

class Listed(list):
    pass

def counter():
    number = 0
    def up():
        nonlocal number
        number += 1
        return number
    return up
"""


def _put_into(address: int, value: Any) -> None:
    """Put an object where a pointer is; what was there is never freed."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(value))
    ctypes.c_void_p.from_address(address).value = id(value)


class Nasty:
    """Variables that a seed decides; `trace` tells what was done to them last."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.namespace: dict[str, Any] = {"__name__": "__main__"}
        exec(resumable.compile_unit(_NOTEBOOK, "notebook.py").code, self.namespace)
        self.trace: list[str] = []
        self.begin()

    def begin(self) -> None:
        chance, own = self.chance, self.namespace
        kind = chance.choice([Row, Row, lambda _: own["Plain"]()])
        self.variables: dict[str, Any] = {
            "rows": [{"n": n, "row": kind(n), "pair": (n + 1000, [n])} for n in range(40)],
            "table": {f"k{n}": [float(n), f"text {n}", (n,), b"%d bytes" % n] for n in range(40)},
            "held": [self.odd() for _ in range(3)],
        }
        for name in ("rows", "table"):
            if chance.random() < 0.5:
                target = self.variables[name]
                odd = [self.odd() for _ in range(chance.randrange(1, 3))]
                target.append(odd) if name == "rows" else target.update(odd=odd)

    def odd(self) -> Any:
        """An object that is not plain."""
        own, chance = self.namespace, self.chance
        makers: list[Callable[[], Any]] = [
            lambda: own["Slotted"](),
            lambda: own["Listed"]([1, [2]]),
            lambda: own["counter"](),
            lambda: collections.deque([1, [2]], maxlen=9),
            lambda: collections.OrderedDict(a=1, b=[2]),
            lambda: collections.defaultdict(list, a=[1]),
            lambda: array.array("d", [1.0, 2.0]),
            lambda: bytearray(b"abcd"),
            lambda: memoryview(bytearray(b"wxyz")),
            lambda: io.BytesIO(b"12345678"),
            lambda: io.StringIO("some text"),
            lambda: iter([1, 2, 3, 4, 5]),
            lambda: itertools.count(3),
            lambda: itertools.cycle([1, 2, 3]),
            lambda: random.Random(chance.randrange(99)),
            lambda: decimal.Context(prec=9),
            lambda: functools.partial(sorted, [3, 2], reverse=True),
            lambda: numpy.arange(5.0),
            lambda: numpy.zeros((4, 3))[::2],
            lambda: numpy.array([[1], None], dtype=object),
            lambda: numpy.random.default_rng(chance.randrange(9)),
        ]
        return chance.choice(makers)()

    def objects(self) -> list[Any]:
        found: dict[int, Any] = {}
        waiting = list(self.variables.values())
        while waiting:
            one = waiting.pop()
            if id(one) in found:
                continue
            found[id(one)] = one
            if isinstance(one, list | tuple | collections.deque):
                waiting += one
            elif isinstance(one, dict):
                waiting += one.values()
            if hasattr(one, "__dict__") and not callable(one):
                waiting += vars(one).values()
        return list(found.values())

    def change(self) -> None:
        one = self.chance.choice(self.objects())
        self.trace.append(type(one).__name__)
        for kind, ways in _WAYS.items():
            if isinstance(one, kind):
                self.chance.choice(ways)(self, one)
                return

    def number(self) -> int:
        return self.chance.randrange(1000, 10**6)


def _list_by_pointer(nasty: Nasty, one: list[Any]) -> None:
    if one:
        items = ctypes.c_void_p.from_address(id(one) + 24).value or 0
        _put_into(items + 8 * nasty.chance.randrange(len(one)), [nasty.number()])


def _tuple_by_pointer(nasty: Nasty, one: tuple[Any, ...]) -> None:
    if one and gc.is_tracked(one):  # short ones of constants may be the compiler's own
        _put_into(id(one) + 24, nasty.number())


def _same_place(nasty: Nasty, one: list[Any]) -> None:
    """What is freed leaves its place to the next of its size."""
    for number in range(min(len(one), 5)):
        one[number] = None
        one[number] = {"n": float(nasty.number())}


def _by_thread(nasty: Nasty, one: Any) -> None:
    thread = threading.Thread(target=one.append, args=(nasty.number(),))
    thread.start()
    thread.join()


def _by_callback(nasty: Nasty, one: Any) -> None:
    gone = Row(1)
    weakref.finalize(gone, one.append, nasty.number())
    del gone


def _order(_: Nasty, one: dict[Any, Any]) -> None:
    if one:
        key = next(iter(one))
        dict.__setitem__(one, key, dict.pop(one, key))


def _again(_: Nasty, one: dict[Any, Any]) -> None:
    copied = dict(one)
    dict.clear(one)
    dict.update(one, copied)


def _class(nasty: Nasty, one: Any) -> None:
    plain, other = nasty.namespace["Plain"], nasty.namespace["Other"]
    if type(one) in (plain, other):
        one.__class__ = other if type(one) is plain else plain


def _partial(nasty: Nasty, one: Any) -> None:
    one.__setstate__((one.func, one.args, {"reverse": bool(nasty.number() % 2)}, {"x": nasty.number()}))


def _array(nasty: Nasty, one: Any) -> None:
    if one.dtype == object:
        one[0].append(nasty.number())
    else:
        one.flat[nasty.chance.randrange(one.size)] = nasty.number()


_WAYS: dict[Any, list[Callable[[Any, Any], Any]]] = {
    list: [
        _list_by_pointer,
        _same_place,
        _by_thread,
        _by_callback,
        lambda nasty, one: one.append(nasty.odd()),
        lambda nasty, one: one.append(nasty.chance.choice(nasty.objects())),
        lambda _, one: one.reverse(),
        lambda nasty, one: one.__setitem__(slice(None), [*one, nasty.number()]),
    ],
    tuple: [_tuple_by_pointer],
    dict: [_order, _again, lambda nasty, one: one.update({f"k{nasty.number() % 50}": nasty.number()})],
    bytearray: [lambda nasty, one: one.__setitem__(0, nasty.number() % 256)],
    memoryview: [lambda nasty, one: one.__setitem__(0, nasty.number() % 256)],
    array.array: [
        lambda nasty, one: setattr(ctypes.c_double.from_buffer(one), "value", float(nasty.number()))
    ],
    float: [
        lambda nasty, one: setattr(ctypes.c_double.from_address(id(one) + 16), "value", float(nasty.number()))
    ],
    io.BytesIO: [lambda nasty, one: (one.seek(nasty.number() % 8), one.write(b"z"))],
    io.StringIO: [lambda _, one: one.read(1)],
    collections.deque: [lambda nasty, one: (one.rotate(1), one.append(nasty.number()))],
    random.Random: [lambda _, one: one.random()],
    decimal.Context: [lambda nasty, one: setattr(one, "prec", nasty.number() % 20 + 1)],
    functools.partial: [_partial],
    numpy.ndarray: [_array],
    numpy.random.Generator: [lambda _, one: one.random()],
    (type(iter([])), itertools.count, itertools.cycle): [lambda _, one: next(one, None)],
    type(_partial): [lambda _, one: one()],
    object: [
        _class,
        lambda nasty, one: hasattr(one, "__dict__") and setattr(one, "__dict__", {"new": nasty.number()}),
        lambda nasty, one: hasattr(one, "__dict__") and vars(one).update({f"v{nasty.number() % 40}": [1]}),
        lambda nasty, one: hasattr(one, "two") and object.__setattr__(one, "two", nasty.number()),
        lambda _, one: hasattr(one, "__dict__") and vars(one).clear(),
    ],
}


def _digests(manifest: snapshot.Manifest) -> dict[tuple[str, ...], str]:
    return {group.names: group.digest for group in manifest.body.groups}


def _compare(seed: int, rounds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saving, "MANY_OBJECTS", 20)
    nasty, chunks, before = Nasty(seed), MemoryChunks(), None
    left_alone = 0
    for number in range(rounds):
        for _ in range(nasty.chance.choice([0, 0, 0, 1, 1, 2])):
            nasty.change()
        names = {name: value for name, value in nasty.namespace.items() if not name.startswith("__")}
        objects = {f"globals/{name}": value for name, value in (names | nasty.variables).items()}
        before = save(objects, chunks, nasty.namespace, before)
        looking = untouched.watching()
        left_alone += looking is not None and bool(looking._groups)
        expected = _digests(save(objects, MemoryChunks(), nasty.namespace))
        found = _digests(before)
        for members, digest in expected.items():
            group = next(group for group in found if set(members) <= set(group))  # a link too many is none
            assert group != members or found[group] == digest, (number, members, nasty.trace[-6:])
        if number % 40 == 39:
            nasty.begin()
    assert left_alone


@needs_watching
@pytest.mark.parametrize("seed", range(2))
def test_what_is_left_alone_is_as_it_was(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    _compare(seed, 80, monkeypatch)


@needs_watching
@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 140))
def test_what_is_left_alone_is_as_it_was_for_long(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    _compare(seed, 400, monkeypatch)
