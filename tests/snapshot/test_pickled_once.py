"""A large group that several variables share is pickled once when it changes, and comes back as one."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from jupyter_flows import snapshot
from jupyter_flows.snapshot import pickling

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="whether it is quiet is asked of Linux")
MANY = 3000


class _Counted:
    """How many objects the picklers went through, by what their memos hold."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.large = 0
        before = pickling.GroupPickler.dump_untried

        def dump(pickler: Any, names: Any, roots: Any, parts: Any = ()) -> Any:
            pickled = before(pickler, names, roots, parts)
            self.large += len(pickled.memo) >= MANY
            return pickled

        monkeypatch.setattr(pickling.GroupPickler, "dump_untried", dump)


class _AlwaysQuiet:
    def holds(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _no_other_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test runner's own threads do is no business of these tests."""
    monkeypatch.setattr("jupyter_flows.snapshot.saving.from_now_on", lambda _: _AlwaysQuiet())


def _objects(namespace: dict[str, Any]) -> dict[str, Any]:
    return {f"globals/{name}": value for name, value in namespace.items()}


def test_a_changed_group_is_pickled_once_and_shares_what_it_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = _Counted(monkeypatch)
    many: list[Any] = [{"number": number, "tags": [number]} for number in range(MANY)]
    namespace: dict[str, Any] = {"few": many[:3], "many": many, "first": many[0], "alone": {"a": [1]}}
    chunks = snapshot.MemoryChunks()
    before = snapshot.save({"globals/alone": namespace["alone"]}, chunks, namespace=namespace)
    for turn in range(4):
        many[0]["number"] = -turn - 1
        counted.large = 0
        before = snapshot.save(_objects(namespace), chunks, namespace=namespace, previous=before)
        assert counted.large == 1
        loaded = snapshot.load(before, chunks, namespace={})
        assert list(loaded) == list(_objects(namespace))
        found = {name.partition("/")[2]: value for name, value in loaded.items()}
        assert found == namespace
        assert found["few"][0] is found["many"][0] is found["first"]
        assert found["few"][2]["tags"] is found["many"][2]["tags"]


def test_an_end_of_sharing_divides_the_group() -> None:
    many: list[Any] = [[number] for number in range(MANY)]
    namespace: dict[str, Any] = {"few": many[:3], "many": many}
    chunks = snapshot.MemoryChunks()
    before = snapshot.save(_objects(namespace), chunks, namespace=namespace)
    for _ in range(3):
        many[0].append(1)
        before = snapshot.save(_objects(namespace), chunks, namespace=namespace, previous=before)
    assert len(before.body.groups) == 1
    namespace["few"] = [[0]]
    many[0].append(2)
    before = snapshot.save(_objects(namespace), chunks, namespace=namespace, previous=before)
    assert len(before.body.groups) == 2
    loaded = snapshot.load(before, chunks, namespace={})
    assert loaded == _objects(namespace)


def test_what_the_flow_changes_while_it_is_pickled_is_pickled_together() -> None:
    """Code of the flow ran after the large one was pickled: the streams must be of one state."""
    many: list[Any] = [[number] for number in range(MANY)]
    namespace: dict[str, Any] = {"__name__": "__main__", "many": many}
    source = (
        "class Teller:\n"
        "    def __getstate__(self):\n"
        "        many[0].append('told')\n"
        "        return {'told': list(many[0]), 'where': many[0]}\n"
    )
    exec(source, namespace)
    objects = {"globals/many": many, "globals/teller": namespace["Teller"]()}
    chunks = snapshot.MemoryChunks()
    before = snapshot.save({"globals/x": 1}, chunks, namespace=namespace)
    for _ in range(2):
        before = snapshot.save(objects, chunks, namespace=namespace, previous=before)
        groups = [group.names for group in before.body.groups]
        assert groups == [("globals/many", "globals/teller")]
        assert not before.missing


def test_what_joins_an_untouched_group_is_put_behind_its_bytes() -> None:
    many: list[Any] = [{"number": number, "text": f"text {number * 7919}"} for number in range(30 * MANY)]
    namespace: dict[str, Any] = {"few": many[:3], "many": many, "label": ["a"]}
    chunks = snapshot.MemoryChunks()
    before = snapshot.save({"globals/label": namespace["label"]}, chunks, namespace=namespace)
    for _ in range(2):
        before = snapshot.save(_objects(namespace), chunks, namespace=namespace, previous=before)
    (group,) = (group for group in before.body.groups if "globals/many" in group.names)
    assert sum(group.parts) == len(group.names)
    namespace |= {"first": many[0], "pair": {"one": many[5], "two": [many[5]]}}
    joined = snapshot.save(_objects(namespace), chunks, namespace=namespace, previous=before)
    assert joined.bytes_new < before.bytes_total / 10
    (again,) = (one for one in joined.body.groups if "globals/many" in one.names)
    assert again.names[: len(group.names)] == group.names
    found = snapshot.load(joined, chunks, namespace={})
    assert found == _objects(namespace)
    assert found["globals/first"] is found["globals/few"][0] is found["globals/many"][0]
    assert found["globals/pair"]["two"][0] is found["globals/many"][5]
    steady = snapshot.save(_objects(namespace), chunks, namespace=namespace, previous=joined)
    assert {one.digest for one in steady.body.groups} == {one.digest for one in joined.body.groups}
