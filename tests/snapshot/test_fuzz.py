"""Random object graphs, changed in random ways: each restored state equals a full copy made at that time.

The copies are made with `copy.deepcopy` of all variables at once, and compared by walking both graphs in
step, so that sharing counts too: two paths lead to one object in one graph exactly if they do in the other.
"""

from __future__ import annotations

import copy
import random
from typing import Any

import pytest

from jupyter_flows import snapshot

NAMES = [f"v{number}" for number in range(12)]


class Node:
    """An instance with attributes."""


class Graph:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.variables: dict[str, Any] = {"v0": [], "v1": {}}

    def containers(self) -> list[Any]:
        seen: dict[int, Any] = {}
        waiting = list(self.variables.values())
        while waiting:
            one = waiting.pop()
            if id(one) in seen or not isinstance(one, list | dict | Node | bytearray | tuple):
                continue
            seen[id(one)] = one
            if isinstance(one, list | tuple):
                waiting += one
            elif isinstance(one, dict):
                waiting += one.values()
            elif isinstance(one, Node):
                waiting += vars(one).values()
        return list(seen.values())

    def value(self) -> Any:
        choice = self.random.randrange(11)
        if choice < 3:
            return self.random.choice(self.containers() or [None])
        made = {
            3: lambda: [],
            4: lambda: {},
            5: Node,
            6: lambda: bytearray(self.random.randbytes(self.random.choice([5, 100_000]))),
            7: lambda: (self.random.choice(self.containers() or [0]), self.random.random()),
            8: lambda: self.random.choice(["text" * 3, "long " * 20_000]),
        }
        return made.get(choice, lambda: self.random.randrange(5))()

    def mutate(self) -> None:
        target = self.random.choice([*self.containers(), self.variables, self.variables])
        if target is self.variables:
            name = self.random.choice(NAMES)
            if name in self.variables and self.random.random() < 0.3:
                del self.variables[name]
            else:
                self.variables[name] = self.value()
        elif isinstance(target, list):
            if target and self.random.random() < 0.3:
                target.pop(self.random.randrange(len(target)))
            else:
                target.insert(0, self.value())
        elif isinstance(target, dict):
            target[self.random.choice("abcd")] = self.value()
        elif isinstance(target, Node):
            setattr(target, self.random.choice("xyz"), self.value())
        elif isinstance(target, bytearray):
            target[self.random.randrange(len(target))] ^= 255


def assert_same(one: Any, other: Any, pairs: dict[int, int], back: dict[int, int]) -> None:
    """Walk both graphs in step."""
    waiting = [(one, other)]
    while waiting:
        left, right = waiting.pop()
        assert type(left) is type(right)
        if not isinstance(left, list | dict | Node | bytearray | tuple):
            assert left == right
            continue
        if not isinstance(left, tuple):
            assert pairs.setdefault(id(left), id(right)) == id(right)
            if back.setdefault(id(right), id(left)) != id(left):
                raise AssertionError("what was apart is one")
            if (left, 0) != (left, 0) or (id(left) in pairs and ("seen", id(left)) in pairs):
                continue
            pairs[("seen", id(left))] = 1  # type: ignore[index]
        if isinstance(left, list | tuple):
            assert len(left) == len(right)
            waiting += zip(left, right, strict=True)
        elif isinstance(left, dict):
            assert list(left) == list(right)
            waiting += [(left[key], right[key]) for key in left]
        elif isinstance(left, Node):
            assert list(vars(left)) == list(vars(right))
            waiting += [(vars(left)[key], vars(right)[key]) for key in vars(left)]
        else:
            assert left == right


@pytest.mark.parametrize("seed", range(25))
def test_each_restored_state_equals_a_full_copy(seed: int) -> None:
    graph, chunks, previous, copies = Graph(seed), snapshot.MemoryChunks(), None, []
    for step in range(30):
        for _ in range(graph.random.choice([0, 1, 1, 3, 8])):
            graph.mutate()
        objects = {f"globals/{name}": value for name, value in graph.variables.items()}
        previous = snapshot.save(objects, chunks, {}, previous)
        copies.append((previous.to_bytes(), copy.deepcopy(objects)))
        if step % 10 == 9:  # go on from a loaded state, as after a crash
            previous = snapshot.Manifest.from_bytes(previous.to_bytes())
            loaded = snapshot.load(previous, chunks, {})
            graph.variables = {name.removeprefix("globals/"): value for name, value in loaded.items()}
    for data, expected in copies:
        found = snapshot.load(snapshot.Manifest.from_bytes(data), chunks, {})
        assert_same(expected, found, {}, {})
