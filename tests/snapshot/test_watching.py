"""Large groups that nothing touched are not pickled again; whatever changes one is noticed."""

from __future__ import annotations

import collections
import copyreg
import ctypes
import datetime
import gc
import os
import pickle
import threading
from collections.abc import Callable
from typing import Any

import pytest

from jupyter_flows import flow_api, reducer, resumable, snapshot
from jupyter_flows.snapshot import MemoryChunks, load, pickling, save, untouched

pytest.importorskip("numpy")
MANY = untouched.MANY_OBJECTS
needs_watching = pytest.mark.skipif(
    untouched.watching(is_needed=True) is None, reason="nothing is watched on this system"
)


class Row:
    """An ordinary class that can be imported."""

    def __init__(self, number: int) -> None:
        self.number, self.tags = number, [number % 7]


class _Session:
    """Variables, saved again and again; tells which were pickled."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.variables: dict[str, Any] = {}
        self.namespace: dict[str, Any] = {"__name__": "__main__"}
        self.chunks = MemoryChunks()
        self.manifest: snapshot.Manifest | None = None
        self.pickled: list[str] = []
        plain = pickling.GroupPickler.dump

        def dump(pickler: Any, names: Any, roots: Any, parts: Any = ()) -> Any:
            self.pickled += [name.partition("/")[2] for name in names]
            return plain(pickler, names, roots, parts)

        monkeypatch.setattr(pickling.GroupPickler, "dump", dump)
        self.save()

    def save(self) -> list[str]:
        """The names of what was pickled for it."""
        self.pickled.clear()
        objects = {f"globals/{name}": value for name, value in self.variables.items()}
        self.manifest = save(objects, self.chunks, self.namespace, self.manifest)
        return list(self.pickled)

    def load(self) -> dict[str, Any]:
        assert self.manifest is not None
        found = load(snapshot.Manifest.from_bytes(self.manifest.to_bytes()), self.chunks, {})
        return {name.partition("/")[2]: value for name, value in found.items()}

    def run(self, source: str) -> None:
        """Run a cell of the notebook."""
        unit = resumable.compile_unit(source, "cell.py")
        exec(unit.code, self.namespace)
        self.variables.update({k: v for k, v in self.namespace.items() if not k.startswith("__")})

    def is_left(self, name: str) -> bool:
        """Whether a savepoint now leaves it as it is."""
        return name not in self.save()

    def comes_to_be_watched(self, name: str) -> bool:
        """Whether savepoints leave it as it is, once no other thread runs (a test runner has some)."""
        return any(self.is_left(name) for _ in range(200))


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> _Session:
    return _Session(monkeypatch)


def rows(count: int = MANY) -> list[Any]:
    return [{"id": number + 1000, "name": f"row {number}", "at": (number, 0.5)} for number in range(count)]


@needs_watching
def test_what_nothing_touched_is_not_pickled(session: _Session) -> None:
    session.variables |= {"rows": rows(), "total": 0}
    assert "rows" in session.save()
    session.variables["total"] = 1
    assert session.comes_to_be_watched("rows")
    gc.collect()
    assert sum(row["id"] for row in session.variables["rows"]) > 0
    session.variables["total"] = 2
    assert session.save() == ["total"]
    assert session.load() == session.variables
    session.variables["rows"][7]["id"] = 5
    assert "rows" in session.save()
    assert session.load() == session.variables
    assert session.comes_to_be_watched("rows")
    session.variables["total"] = 3
    assert session.save() == ["total"]


def _through_a_closure(held: Any) -> Callable[[], None]:
    def change() -> None:
        held[3]["name"] = "changed"

    return change


_CHANGES: dict[str, Callable[[Any], Any]] = {
    "a value": lambda held: held[3].update(name="changed"),
    "a value of the same size": lambda held: held[3].update(id=held[3]["id"] + 1),
    "a key": lambda held: held[3].update(new=None),
    "a key gone": lambda held: held[3].pop("at"),
    "the order of keys": lambda held: held[3].update(id=held[3].pop("id")),
    "an item": lambda held: held.append(1),
    "the order of items": lambda held: held.reverse(),
    "an item gone": lambda held: held.pop(),
    "one deep inside": lambda held: held[3]["at"][1].append(0),
    "through a closure": lambda held: _through_a_closure(held)(),
    "an equal object of another type": lambda held: held[3].update(id=float(held[3]["id"])),
    "a float's sign": lambda held: held[4].update(zero=-0.0),
    "sharing": lambda held: held.__setitem__(5, held[6]),
    "no sharing": lambda held: held[8].update(shared=[]),
}


@needs_watching
@pytest.mark.parametrize("change", _CHANGES.values(), ids=_CHANGES)
def test_each_change_is_noticed(session: _Session, change: Callable[[Any], Any]) -> None:
    held = rows()
    held[3]["at"] = (1, [2])
    held[4]["zero"] = 0.0
    held[8]["shared"] = held[9]["shared"] = []
    session.variables["held"] = held
    session.save()
    assert session.comes_to_be_watched("held")
    change(held)
    assert not session.is_left("held")
    assert pickle.dumps(session.load()["held"]) == pickle.dumps(load_and_dump(held))


def load_and_dump(subject: Any) -> Any:
    return pickle.loads(pickle.dumps(subject))


@needs_watching
def test_instances_of_a_notebooks_class_and_the_class_itself(session: _Session) -> None:
    session.run(
        "class Customer:\n"
        "    limit = [1]\n"
        "    def __init__(self, number): self.number, self.tags = number, [number]\n"
        f"customers = [Customer(number) for number in range({MANY})]\n"
    )
    session.save()
    assert session.comes_to_be_watched("customers")
    customers, cls = session.variables["customers"], session.variables["Customer"]
    for change in (
        lambda: setattr(customers[1], "number", -1),
        lambda: customers[2].tags.append(0),
        lambda: setattr(customers[3], "extra", 0),
        lambda: delattr(customers[4], "number"),
        lambda: setattr(customers[5], "__dict__", {"number": 5}),
        lambda: cls.limit.append(2),
        lambda: setattr(cls, "label", "new"),
        lambda: setattr(cls, "tags_of", customers[6].tags),
    ):
        change()
        assert not session.is_left("customers")
        restored = session.load()
        assert [vars(one) for one in restored["customers"]] == [vars(one) for one in customers]
        assert restored["Customer"].limit == cls.limit
        for name in ("label", "tags_of"):
            assert getattr(restored["Customer"], name, None) == getattr(cls, name, None)
        session.save()
    assert restored["Customer"].tags_of is restored["customers"][6].tags


@needs_watching
def test_a_class_that_pickles_in_its_own_way_from_now_on(
    session: _Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.variables["many"] = [Row(number) for number in range(MANY)]
    session.save()
    assert session.comes_to_be_watched("many")
    monkeypatch.setattr(Row, "__getstate__", lambda one: {"number": -one.number}, raising=False)
    assert not session.is_left("many")
    assert session.load()["many"][5].number == -5
    monkeypatch.delattr(Row, "__getstate__")
    session.save()
    assert session.comes_to_be_watched("many")
    monkeypatch.setitem(copyreg.dispatch_table, Row, lambda one: (int, (one.number,)))
    assert not session.is_left("many")
    assert session.load()["many"][5] == 5


@needs_watching
def test_what_comes_to_share_something_is_kept_together(session: _Session) -> None:
    session.variables |= {"held": rows(), "other": [1]}
    session.save()
    assert session.comes_to_be_watched("held")
    session.variables["other"].append(session.variables["held"][5])
    session.save()
    restored = session.load()
    assert restored["other"][1] is restored["held"][5]
    session.variables["late"] = {"one": session.variables["held"][6]}
    session.save()
    restored = session.load()
    assert restored["late"]["one"] is restored["held"][6]
    del session.variables["late"], session.variables["other"]
    session.save()
    assert session.load() == session.variables


@needs_watching
def test_opaque_objects_inside_are_looked_at_by_themselves(session: _Session) -> None:
    held: list[Any] = rows()
    held[1]["queue"] = collections.deque([[1]])
    held[2]["bytes"] = bytearray(b"abc")
    held[3]["when"] = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    session.variables["held"] = held
    session.save()
    assert session.comes_to_be_watched("held")
    for change in (lambda: held[1]["queue"][0].append(2), lambda: held[2]["bytes"].append(1)):
        change()
        assert not session.is_left("held")
        restored = session.load()["held"]
        assert restored[1]["queue"] == held[1]["queue"]
        assert restored[2]["bytes"] == held[2]["bytes"]
        assert restored[3]["when"] == held[3]["when"]
        assert session.comes_to_be_watched("held")


@needs_watching
def test_nothing_is_watched_while_another_thread_runs(session: _Session) -> None:
    ends = threading.Event()
    turns = 0

    def spin() -> None:
        nonlocal turns
        while not ends.is_set():
            turns += 1

    thread = threading.Thread(target=spin)
    thread.start()
    try:
        session.variables["held"] = rows(20 * MANY)
        before = turns
        session.save()
        assert turns > before
        assert not session.is_left("held")
    finally:
        ends.set()
        thread.join()
        while os.path.exists(f"/proc/self/task/{thread.native_id}"):
            os.sched_yield()  # the system ends it a moment after Python does
    session.save()
    assert session.comes_to_be_watched("held")


@needs_watching
def test_a_child_process_looks_for_itself(session: _Session) -> None:
    session.variables["held"] = rows()
    session.save()
    assert session.comes_to_be_watched("held")
    child = os.fork()
    if not child:
        status = 1
        try:
            session.variables["held"][3]["id"] = -3
            noticed = "held" in session.save()
            right = session.load() == session.variables
            again = session.comes_to_be_watched("held") and session.load() == session.variables
            status = 0 if noticed and right and again else 2
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert session.comes_to_be_watched("held")
    assert session.load() == session.variables


@needs_watching
def test_another_value_at_the_same_address_is_noticed(session: _Session) -> None:
    """Numbers and texts that are freed leave their place to the next of their size."""
    held = [[float(number)] for number in range(MANY)]
    session.variables["held"] = held
    session.save()
    assert session.comes_to_be_watched("held")
    address = id(held[5][0])
    for attempt in range(1000):
        held[5][0] = None
        held[5][0] = 0.25 + attempt
        if id(held[5][0]) == address:
            break
    assert id(held[5][0]) == address
    assert ctypes.c_double.from_address(address + 16).value == held[5][0]
    assert not session.is_left("held")
    assert session.load() == session.variables


@needs_watching
def test_a_lost_chunk_is_written_again(session: _Session) -> None:
    session.variables["held"] = rows()
    session.save()
    assert session.comes_to_be_watched("held")
    session.chunks.kept.clear()
    assert not session.is_left("held")
    assert session.load() == session.variables


@needs_watching
def test_a_reducer_of_the_flow_for_a_class_in_it(session: _Session) -> None:
    session.variables["many"] = [Row(number) for number in range(MANY)]
    session.save()
    assert session.comes_to_be_watched("many")
    flow_api.reducer(Row)(lambda one: (int, (one.number,)))
    try:
        assert not session.is_left("many")
    finally:
        reducer.forget(Row)
