"""Code of the flow that runs while a savepoint is made changes watched groups: none of it is missed."""

from __future__ import annotations

import collections
import dataclasses
import enum
from typing import Any

import pytest

from jupyter_flows import flow_api, reducer, snapshot
from jupyter_flows.snapshot.rehearsal import runs_code_of_the_flow

from .test_watching import MANY, _Session, needs_watching

pytest.importorskip("numpy")

_NOTEBOOK = """
class Buffered:
    def __init__(self):
        self.waiting = []

    def __getstate__(self):
        while self.waiting:
            {where}.append(self.waiting.pop())
        return dict(self.__dict__)
"""


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> _Session:
    return _Session(monkeypatch)


def assert_all_is_kept(session: _Session, name: str) -> None:
    """At once a savepoint may say what was before; the next one has all that the one before did."""
    session.save()
    for _ in range(4):
        expected = list(session.variables[name])
        session.save()
        assert session.load()[name][:MANY] == expected[:MANY]
        assert len(session.load()[name]) >= len(expected)


@needs_watching
@pytest.mark.parametrize("order", ["before", "after"])
def test_a_hook_that_writes_into_another_variable(session: _Session, order: str) -> None:
    rows = [{"number": number} for number in range(MANY)]
    if order == "before":
        session.namespace["log"] = session.variables["log"] = rows
    session.run(_NOTEBOOK.format(where="log") + "buffered = Buffered()\n")
    session.namespace["log"] = session.variables["log"] = rows
    session.save()
    for number in range(6):
        session.variables["buffered"].waiting.append({"flushed": number})
        session.variables["other"] = number
        assert_all_is_kept(session, "log")


@needs_watching
def test_a_reducer_that_writes_into_another_variable(session: _Session) -> None:
    session.variables["log"] = log = [{"number": number} for number in range(MANY)]
    session.run("class Noted:\n    notes = ()\nnoted = Noted()\n")
    waiting: list[Any] = []

    def reduce(_: Any) -> Any:
        while waiting:
            log.append(waiting.pop())
        return (int, (3,))

    cls = session.variables["Noted"]
    flow_api.reducer(cls)(reduce)
    try:
        session.save()
        for number in range(4):
            waiting.append({"flushed": number})
            assert_all_is_kept(session, "log")
    finally:
        reducer.forget(cls)


@needs_watching
def test_with_hooks_that_change_nothing_groups_are_left_alone(session: _Session) -> None:
    session.run(_NOTEBOOK.format(where="log") + "buffered = Buffered()\nlog = []\n")
    session.variables["rows"] = [{"number": number} for number in range(MANY)]
    session.save()
    assert session.comes_to_be_watched("rows")
    assert session.is_left("rows")
    session.variables["rows"][3]["number"] = -1
    assert not session.is_left("rows")
    assert session.load()["rows"] == session.variables["rows"]
    assert session.comes_to_be_watched("rows")
    assert isinstance(session.manifest, snapshot.Manifest)


class Told(list[Any]):
    """Says by itself what it is iterated over."""

    def __iter__(self) -> Any:
        return super().__iter__()


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (type("Plain", (), {"__module__": "__main__"}), False),
        (type("Hooked", (), {"__module__": "__main__", "__getstate__": lambda _: {}}), True),
        (collections.namedtuple("Pair", "one two", module="__main__"), False),
        (enum.Enum("Colour", "RED", module="__main__"), False),
        (dataclasses.make_dataclass("Data", ["a"], frozen=True, slots=True), False),
        (Told, True),
        (collections.OrderedDict, False),
        (type("Proxy", (), {"__class__": property(lambda _: int)}), True),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_it_is_known_which_classes_run_code_of_the_flow(kind: type[Any], expected: bool) -> None:
    assert runs_code_of_the_flow(kind) is expected
