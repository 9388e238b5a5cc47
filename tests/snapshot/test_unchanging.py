"""Small variables that cannot have changed are not pickled again; what changed unseen by identity is."""

from __future__ import annotations

import random
import sys
import types
import warnings
from typing import Any

import pytest

from jupyter_flows import snapshot
from jupyter_flows.snapshot.chunks import ChunkWriter
from jupyter_flows.snapshot.picklers import FastPickler
from jupyter_flows.snapshot.pickling import GroupPickler, Saving

from .conftest import Session

CODE = "import os\nnumber = 12345\ndef double(value: int) -> int:\n    return 2 * value\n"


def test_what_stands_is_pickled_once(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    session.run(CODE)
    session.save()
    pickled: list[Any] = []
    plain = GroupPickler.dump

    def dump(self: GroupPickler, names: Any, roots: Any, parts: Any = ()) -> Any:
        pickled.append(names)
        return plain(self, names, roots, parts)

    monkeypatch.setattr(GroupPickler, "dump", dump)
    session.run("rows = [1]")
    session.save()
    assert pickled == [("globals/rows",)]
    after = session.load()
    assert after["double"](after["number"]) == 24690
    assert after["os"] is sys.modules["os"]


@pytest.mark.parametrize(
    ("change", "shows"),
    [
        ("def other(value): return 3 * value\ndouble.__code__ = other.__code__", "double(2) == 6"),
        ("double.note = 'seen'", "double.note == 'seen'"),
        ("double.__defaults__ = (7,)", "double() == 14"),
        ("double.__name__ = 'renamed'", "double.__name__ == 'renamed'"),
        ("double.__annotations__['value'] = float", "double.__annotations__['value'] is float"),
        ("number = True", "number is True"),
        ("import sys as os", "os.__name__ == 'sys'"),
    ],
)
def test_a_change_is_kept(session: Session, change: str, shows: str) -> None:
    session.run(CODE)
    session.save()
    session.save()
    after = session.after(change)
    assert eval(shows, after.namespace)


@pytest.mark.parametrize(
    ("change", "shows"),
    [
        ("rows[1]['a'][0] = 5", "rows == [1, {'a': [5]}]"),
        ("rows[0] = True", "rows[0] is True"),
        ("rows[0] = 1.0", "type(rows[0]) is float"),
        ("rows[1] = {'a': [2]}; other = rows[1]['a']", "other is rows[1]['a']"),
        ("inner = rows[1]['a']", "inner is rows[1]['a']"),
        ("rows[1] = dict(rows[1])", "rows[1]['a'] is alias"),
        ("rows.append(rows)", "rows[2] is rows"),
        ("alias = list(alias)", "alias is not rows[1]['a'] and alias == [2]"),
        ("names.add('c')", "names == {'a', 'b', 'c'}"),
        ("rows[1]['a'] = alias[:]", "rows[1]['a'] is not alias"),
    ],
)
def test_a_change_in_a_small_container_is_kept(session: Session, change: str, shows: str) -> None:
    session.run(
        "rows = [1, {'a': [2]}]\nalias = rows[1]['a']\nnames = {'a', 'b'}\nempty = {}\nfar = (empty, 'x')"
    )
    for _ in range(3):
        session.save()
    after = session.after(change)
    assert eval(shows, after.namespace)
    assert after["far"][0] is after["empty"]


def test_what_is_shared_stays_so_through_any_changes(session: Session) -> None:
    """Small containers that come, go, change, and get and lose parts in common, saved after each step."""
    chance = random.Random(7)
    names = ["a", "b", "c", "d", "e", "f"]
    session.run("\n".join(f"{name} = [{number}]" for number, name in enumerate(names)))
    for step in range(60):
        one, other = chance.sample(names, 2)
        session.run(
            chance.choice(
                [
                    f"type({one}) is list and ({one}.append({other}) if len({one}) < 4 else {one}.clear())",
                    f"{one} = {other}",
                    f"{one} = [{step}, {{'x': {other}}}]",
                    f"{one} = list({one}) if type({one}) is list else []",
                    f"{one} = {step}",
                    f"{one} = [{one}]",
                ]
            )
        )
        session.save()
        after = session.load()
        assert _shape([after[name] for name in names]) == _shape([session.namespace[name] for name in names])


def _shape(roots: list[Any]) -> list[Any]:
    """The values, and which containers are the same ones."""
    seen: dict[int, int] = {}

    def of(value: Any) -> Any:
        if type(value) not in (list, dict):
            return type(value), value
        if id(value) in seen:
            return seen[id(value)]
        seen[id(value)] = len(seen)
        return [of(one) for one in (value if type(value) is list else value.values())]

    return [of(root) for root in roots]


def test_a_number_is_the_stream_that_any_pickler_gives() -> None:
    namespace: dict[str, Any] = {}
    pickler = GroupPickler(namespace, ChunkWriter(snapshot.MemoryChunks(), {}))
    for number in (0, -1, 2**70, 1.5, True, None):
        quick = pickler.dump(("a",), (number,))
        saving = Saving(namespace, pickler._keep)
        plain = pickler._run(FastPickler, saving, [number], lambda _: NotImplemented)
        assert quick.digest == plain.digest
        assert quick.memo.ids() == plain.memo.ids() == set()


def test_sharing_with_what_stands_is_found(session: Session) -> None:
    session.run(CODE)
    session.save()
    after = session.after("table = {'double': double}")
    assert after["table"]["double"] is after["double"]


def test_a_module_that_was_replaced_is_kept_by_value(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = types.ModuleType("made_for_this_test")
    monkeypatch.setitem(sys.modules, "made_for_this_test", made)
    session.namespace["made"] = made
    session.save()
    monkeypatch.setitem(sys.modules, "made_for_this_test", types.ModuleType("made_for_this_test"))
    made.__dict__["value"] = 5
    session.save()
    assert session.load()["made"].value == 5


def test_private_state_is_compared_by_value() -> None:
    chunks, namespace = snapshot.MemoryChunks(), {"__name__": "__main__"}
    kept: list[snapshot.Manifest] = []

    def save(books: dict[str, Any]) -> Any:
        objects = {"state/books": books, "state/process": snapshot.ProcessState.now()}
        kept.append(snapshot.save(objects, chunks, namespace, kept[-1] if kept else None, objects))
        return snapshot.load(kept[-1], chunks, namespace)

    assert save({"cell": 1, "counts": {0: 1}})["state/books"] == {"cell": 1, "counts": {0: 1}}
    save({"cell": 1, "counts": {0: 1}})
    assert kept[0].chunks == kept[1].chunks
    assert save({"cell": True, "counts": {0: 1}})["state/books"]["cell"] is True
    random.seed(5)
    expected = random.random()
    random.seed(5)
    state = save({"cell": 1})["state/process"]
    random.random()
    with warnings.catch_warnings():
        assert state.put_back() == ()
    assert random.random() == expected
