"""A savepoint that has lost bytes: its execution ends with an error that names them and offers another."""

from __future__ import annotations

import pytest

from jupyter_flows import snapshot
from jupyter_flows.engine.damage import newest_whole, with_offer
from jupyter_flows.model import ErrorInfo

from ..store.test_contract import execution, savepoint
from .house import House


def kept(house: House, number: int, content: bytes, damaged: bool = False, exact: bool = True) -> str:
    chunks = snapshot.MemoryChunks()
    manifest = snapshot.save({"globals/x": content}, chunks, {})
    largest = max(chunks.kept, key=lambda name: len(chunks.kept[name]))
    if damaged:
        chunks.kept[largest] = chunks.kept[largest][:-1] + b"?"
    parent = f"s{number - 1}" if number > 1 else None
    one = savepoint(f"s{number}", number, parent, chunks=manifest.chunks, exact=exact)
    draft = type(one.draft)(
        **{name: getattr(one.draft, name) for name in one.draft.__struct_fields__ if name != "manifest"},
        manifest=manifest.to_bytes(),
    )
    with house.store.writing() as transaction:
        transaction.put_chunks(chunks.kept)
        fields = {name: getattr(one, name) for name in one.__struct_fields__ if name != "draft"}
        transaction.insert_savepoint(type(one)(**fields, draft=draft))
    return largest


def test_the_newest_whole_savepoint_is_offered(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_FLOWS_KEY", "damage")
    with house.store.writing() as transaction:
        transaction.insert_execution(execution("e1"))
    kept(house, 1, b"a" * 5000)
    kept(house, 2, b"b" * 5000)
    kept(house, 3, b"c" * 5000, exact=False)
    kept(house, 4, bytes(range(256)) * 400, damaged=True)
    lost = kept(house, 5, bytes(reversed(range(256))) * 400, damaged=True)
    whole = newest_whole(house.store, "s5")
    assert whole is not None
    assert whole.id == "s2"
    text = f"the savepoint is damaged: the chunk {lost} is damaged"
    error = ErrorInfo(type="SavepointError", message=text, ids={"savepoint_id": "s5"})
    offered = with_offer(house.store, error)
    assert offered is not None
    assert lost in offered.message
    assert "`jupyter flows restore s2`" in offered.message
    nothing = with_offer(
        house.store, ErrorInfo(type="SavepointError", message=text, ids={"savepoint_id": "s1"})
    )
    assert nothing is not None
    assert "No savepoint before it is whole" in nothing.message
    other = ErrorInfo(type="ValueError", message="x", ids={})
    assert with_offer(house.store, other) is other
