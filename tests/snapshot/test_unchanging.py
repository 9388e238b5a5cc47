"""Small variables that cannot have changed are not pickled again; what changed unseen by identity is."""

from __future__ import annotations

import random
import sys
import types
import warnings
from typing import Any

import pytest

from jupyter_flows import snapshot
from jupyter_flows.snapshot.pickling import GroupPickler

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
