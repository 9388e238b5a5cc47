"""Random graphs of small objects, changed in random ways, saved with the savepoint before: what is loaded is
what was there, sharing and order included.

The number from which on groups are watched is set low, so that small graphs go through all of it fast.
"""

from __future__ import annotations

import collections
import gc
import random
import threading
from collections.abc import Callable
from typing import Any

import pytest

from jupyter_flows import resumable, snapshot
from jupyter_flows.snapshot import MemoryChunks, grouping, load, save, saving, untouched, watching

pytest.importorskip("numpy")
needs_watching = pytest.mark.skipif(
    untouched.watching(is_needed=True) is None, reason="nothing is watched on this system"
)
_NOTEBOOK = """
class Plain:
    shared = [0]
    label = "a"

class Child(Plain):
    def method(self):
        return self

class Slotted:
    __slots__ = ("one", "two")

class Reduced:
    def __getstate__(self):
        return {"kept": self.__dict__.get("kept")}

def closed_over(held, default=[]):
    def function(value=None):
        if value is not None:
            held.append(value)
            default.append(value)
        return held
    return function
"""
_CLASSES = ("Plain", "Child", "Slotted", "Reduced")


class Importable:
    """An instance of a class that has a module."""


class Graph:
    """Variables that a seed decides."""

    def __init__(self, seed: int, size: int = 40) -> None:
        self.chance = random.Random(seed)
        self.namespace: dict[str, Any] = {"__name__": "__main__"}
        exec(resumable.compile_unit(_NOTEBOOK, "notebook.py").code, self.namespace)
        self.variables = {name: value for name, value in self.namespace.items() if not name.startswith("__")}
        self.variables["v0"] = [self.tree(3) for _ in range(size)]
        self.variables["v1"] = {f"k{number}": self.tree(2) for number in range(size)}
        self.variables["closure"] = self.namespace["closed_over"](self.any_of(list))

    # --- making ----------------------------------------------------------------------------------

    def atom(self) -> Any:
        chance = self.chance
        return chance.choice(
            [
                lambda: None,
                lambda: chance.random() < 0.5,
                lambda: chance.randrange(300),
                lambda: chance.getrandbits(chance.choice([10, 29, 31, 61, 200])) - 1000,
                lambda: chance.random(),
                lambda: float(chance.randrange(3)),
                lambda: -0.0,
                lambda: complex(chance.random(), 1),
                lambda: "x" * chance.randrange(40),
                lambda: chance.choice(["é", "€", "\U0001f600"]) * chance.randrange(1, 9),
                lambda: chance.randbytes(chance.randrange(20)),
                lambda: f"long {chance.random()}" * 400,
            ]
        )()

    def tree(self, depth: int) -> Any:
        chance = self.chance
        if not depth or chance.random() < 0.2:
            return self.atom()
        kinds: list[Callable[[], Any]] = [
            lambda: [self.tree(depth - 1) for _ in range(chance.randrange(5))],
            lambda: {self.key(): self.tree(depth - 1) for _ in range(chance.randrange(5))},
            lambda: tuple(self.tree(depth - 1) for _ in range(chance.randrange(4))),
            lambda: {self.key() for _ in range(chance.randrange(4))},
            lambda: frozenset(self.key() for _ in range(chance.randrange(4))),
            lambda: self.instance(chance.choice(["Plain", "Plain", "Child", "Importable"]), depth),
        ]
        if chance.random() < 0.04:
            kinds += [
                lambda: self.instance(chance.choice(["Slotted", "Reduced"]), depth),
                lambda: collections.deque([self.tree(depth - 1)]),
                lambda: collections.OrderedDict(a=self.tree(depth - 1)),
                lambda: bytearray(b"abc"),
            ]
        return chance.choice(kinds)()

    def instance(self, kind: str, depth: int) -> Any:
        cls = Importable if kind == "Importable" else self.variables.get(kind, Importable)
        made = cls()
        for name in self.chance.sample(["one", "two"], self.chance.randrange(3)):
            setattr(made, name, self.tree(depth - 1))
        return made

    def key(self) -> Any:
        chance = self.chance
        return chance.choice([chance.randrange(50), f"k{chance.randrange(20)}", (1, chance.randrange(5))])

    # --- finding ---------------------------------------------------------------------------------

    def objects(self) -> list[Any]:
        found: dict[int, Any] = {}
        waiting = list(self.variables.values())
        while waiting:
            one = waiting.pop()
            if id(one) not in found and not isinstance(one, str | int | float | bytes | complex):
                found[id(one)] = one
                waiting += [child for _, child in children(one)]
        return list(found.values())

    def any_of(self, *kinds: type[Any]) -> Any:
        found = [one for one in self.objects() if type(one) in kinds]
        return self.chance.choice(found) if found else kinds[0]()

    def anything(self) -> Any:
        if self.chance.random() < 0.4:
            shared = [one for one in self.objects() if isinstance(one, list | dict | tuple | Importable)]
            return self.chance.choice(shared)
        return self.tree(2)

    # --- changing --------------------------------------------------------------------------------

    def mutate(self) -> None:
        ways = [way for name, way in sorted(vars(Graph).items()) if name.startswith("do_")]
        self.chance.choice(ways)(self)

    def do_list(self) -> None:
        one, chance = self.any_of(list), self.chance
        at = chance.randrange(len(one) + 1)
        way = chance.randrange(8)
        if way == 0:
            one.insert(at, self.anything())
        elif way == 1 and one:
            one.pop(at - 1)
        elif way == 2:
            one.reverse()
        elif way == 3 and len(one) < 20:
            one.clear()
        elif way == 4:
            one[at:at] = [self.atom() for _ in range(chance.randrange(30))]
        elif one:
            one[at - 1] = None  # its memory may go to the next
            one[at - 1] = self.anything()

    def do_number_in_place(self) -> None:
        """A number or text makes room for another of its kind, often at its address."""
        one = self.any_of(list, dict)
        places = list(range(len(one))) if isinstance(one, list) else list(one)
        for place in places:
            value = one[place]
            if type(value) in (float, int, str):
                del value
                changed = type(one[place])(self.chance.randrange(10**6))
                one[place] = None
                one[place] = changed
                return

    def do_dict(self) -> None:
        one, chance = self.any_of(dict), self.chance
        way = chance.randrange(6)
        if way == 0 and one:
            one.pop(chance.choice(list(one)))
        elif way == 1 and one:
            key = chance.choice(list(one))
            one[key] = one.pop(key)
        elif way == 2 and one:
            one[chance.choice(list(one))] = self.anything()
        elif way == 3:
            one.update({self.key(): number for number in range(chance.randrange(12))})
        else:
            one[self.key()] = self.anything()

    def do_set(self) -> None:
        one = self.any_of(set)
        if isinstance(one, set):
            one ^= {self.key(), self.key()}

    def do_instance(self) -> None:
        found = [one for one in self.objects() if type(one).__name__ in (*_CLASSES, "Importable")]
        if not found:
            return
        one, chance = self.chance.choice(found), self.chance
        name = chance.choice(["one", "two"])
        way = chance.randrange(5)
        if way == 0 and hasattr(one, name):
            delattr(one, name)
        elif way == 1 and hasattr(one, "__dict__"):
            one.__dict__ = {"two": self.atom()}
        elif way == 2 and hasattr(one, "__dict__"):
            for number in range(chance.randrange(35)):
                setattr(one, f"name{number}", self.atom())
        else:
            setattr(one, name, self.anything())

    def do_class(self) -> None:
        cls = self.variables.get(self.chance.choice(["Plain", "Child"]))
        if cls is None:
            return
        way = self.chance.randrange(4)
        if way == 0:
            cls.label = self.atom()
        elif way == 1:
            cls.shared.append(self.atom())
        elif way == 2:
            cls.shared = self.any_of(list)
        else:
            cls.shared = list(cls.shared)

    def do_closure(self) -> None:
        function = self.variables.get("closure")
        if function is None:
            self.variables["closure"] = self.namespace["closed_over"](self.any_of(list))
        elif self.chance.random() < 0.8:
            function(self.atom())
        else:
            del self.variables["closure"]

    def do_method(self) -> None:
        children_there = [one for one in self.objects() if type(one).__name__ == "Child"]
        if children_there:
            self.variables["method"] = self.chance.choice(children_there).method

    def do_variable(self) -> None:
        name = f"v{self.chance.randrange(6)}"
        if name in self.variables and self.chance.random() < 0.3:
            del self.variables[name]
        else:
            self.variables[name] = self.anything()

    def do_again(self) -> None:
        """Equal, but another object."""
        name = f"v{self.chance.randrange(2)}"
        if isinstance(self.variables.get(name), list):
            self.variables[name] = list(self.variables[name])

    def do_large(self) -> None:
        """Several groups can be watched."""
        self.variables[f"v{self.chance.randrange(6)}"] = [self.tree(2) for _ in range(40)]

    def do_cycle(self) -> None:
        one = self.any_of(list)
        one.append(one)

    def do_break_cycles(self) -> None:
        for one in self.objects():
            if isinstance(one, list) and any(part is one for part in one):
                one[:] = [part for part in one if part is not one]

    def do_nothing(self) -> None:
        """Reading, and other people's objects."""
        described(self.variables)
        gc.collect()
        made = [[float(number)] for number in range(self.chance.randrange(3000))]
        del made[::2]

    def do_thread(self) -> None:
        thread = threading.Thread(target=lambda: (self.do_list(), self.do_dict()))
        thread.start()
        thread.join()


def children(one: Any) -> list[tuple[str, Any]]:
    """The parts of an object, each with what it is called."""
    if isinstance(one, list | tuple | collections.deque):
        return [(str(number), part) for number, part in enumerate(one)]
    if isinstance(one, dict):
        found = [(f"key {number}", key) for number, key in enumerate(one)]
        return found + [(f"value {number}", value) for number, value in enumerate(one.values())]
    if isinstance(one, set | frozenset):
        return [(str(number), part) for number, part in enumerate(sorted(one, key=repr))]
    kind = type(one).__name__
    if kind == "Slotted":
        return [(name, getattr(one, name)) for name in ("one", "two") if hasattr(one, name)]
    if kind == "Reduced":
        return [("kept", vars(one).get("kept"))]
    if kind in (*_CLASSES, "Importable"):
        return [("class", type(one)), *sorted(vars(one).items()), ("names", tuple(vars(one)))]
    if isinstance(one, type) and one.__name__ in _CLASSES:
        own = {name: value for name, value in vars(one).items() if name in ("shared", "label")}
        return sorted(own.items())
    if kind == "function":
        return [(str(number), cell.cell_contents) for number, cell in enumerate(one.__closure__ or ())]
    if kind == "method":
        return [("self", one.__self__)]
    return []


def described(subject: Any) -> list[Any]:
    """A list that is equal for equal graphs: types, values, order, and which objects are the same."""
    found: list[Any] = []
    numbers: dict[int, int] = {}
    waiting: list[tuple[str, Any]] = [("", subject)]
    while waiting:
        name, one = waiting.pop()
        if id(one) in numbers:
            found.append((name, numbers[id(one)]))
            continue
        if isinstance(one, str | bytes | bytearray | int | float | complex | type(None)):
            found.append((name, type(one).__name__, repr(one)))
        else:
            parts = children(one)
            if not isinstance(one, tuple | frozenset):
                numbers[id(one)] = len(found)
            found.append((name, type(one).__name__, len(parts)))
            waiting += parts
    return found


class _Rounds:
    """Savepoints of a graph, one after the other, each loaded and compared."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.chunks: Any = MemoryChunks()
        self.manifest: snapshot.Manifest | None = None
        self.kept = 0

    def save(self) -> snapshot.Manifest:
        objects = {f"globals/{name}": value for name, value in self.graph.variables.items()}
        self.manifest = save(objects, self.chunks, self.graph.namespace, self.manifest)
        looking = untouched.watching()
        self.kept += len(looking._groups) if looking is not None else 0
        return self.manifest

    def check(self) -> dict[str, Any]:
        manifest = snapshot.Manifest.from_bytes(self.save().to_bytes())
        loaded = load(manifest, self.chunks, {"__name__": "__main__"})
        found = {name.partition("/")[2]: value for name, value in loaded.items()}
        assert described(found) == described(self.graph.variables)
        return found


def run_rounds(seed: int, rounds: int, monkeypatch: pytest.MonkeyPatch) -> _Rounds:
    monkeypatch.setattr(saving, "MANY_OBJECTS", 20)
    monkeypatch.setattr(grouping, "MANY_OBJECTS", 20)
    monkeypatch.setattr(watching, "_SHARE_BESIDE", 2)
    graph = Graph(seed)
    session = _Rounds(graph)
    for number in range(rounds):
        for _ in range(graph.chance.choice([0, 0, 1, 1, 2, 5])):
            graph.mutate()
        if number % 40 == 39:  # what was restored in this process goes on
            graph.variables = session.check()
            graph.namespace.update(graph.variables)
        elif graph.chance.random() < 0.8:
            session.check()
        else:
            session.save()
        if len(graph.objects()) > 3000:
            graph.variables["v0"] = [graph.tree(3) for _ in range(40)]
            graph.variables["v1"] = {}
            for name in ("v2", "v3", "v4", "v5", "closure", "method"):
                graph.variables.pop(name, None)
            graph.namespace["Plain"].shared = [0]
    return session


@needs_watching
@pytest.mark.parametrize("seed", range(6))
def test_what_is_loaded_is_what_was_there(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_rounds(seed, 60, monkeypatch).kept


@needs_watching
@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 160))
def test_thousands_of_rounds(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_rounds(seed, 200, monkeypatch).kept
