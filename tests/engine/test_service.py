"""`Engine` as REST, the command line and tests use it; most of it needs no worker."""

from __future__ import annotations

import asyncio
import os
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from msgspec.structs import replace

from jupyter_flows.engine import upkeep
from jupyter_flows.engine.ledger import Ledger
from jupyter_flows.errors import (
    ConflictError,
    InvalidInputError,
    ResourceNotFoundError,
    SavepointError,
)
from jupyter_flows.model import CellOutput, Status
from jupyter_flows.store import Change

from ..store.postgresql import Server
from .house import House


def test_start_creates_and_returns_at_once(any_house: House) -> None:
    any_house.flow("hello")
    view = any_house.engine.start("hello", {"n": 1}, name="mine")
    assert (view.status, view.name, view.input_value, view.flow) == (Status.QUEUED, "mine", {"n": 1}, "hello")
    assert any_house.engine.execution(view.id) == view


def test_a_key_starts_once_however_many_try(any_house: House) -> None:
    any_house.flow("hello")
    any_house.flow("other")
    ids: list[str] = []
    together = threading.Barrier(4)

    def start() -> None:
        together.wait()
        ids.append(any_house.engine.start("hello", key="monday").id)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 4
    assert len(set(ids)) == 1
    with pytest.raises(ConflictError, match=r"belongs to execution .* of the flow hello: take another key"):
        any_house.engine.start("other", key="monday")


@pytest.mark.parametrize("value", [object(), {"a": complex(1)}, ...])
def test_inputs_from_outside_are_json(house: House, value: Any) -> None:
    house.flow("hello")
    with pytest.raises(InvalidInputError, match="'x' is no JSON value"):
        house.engine.start("hello", {"x": value})
    assert house.engine.executions().executions == ()


def test_the_unknown_is_said_to_be_unknown(house: House) -> None:
    engine = house.engine
    for ask in (engine.execution, engine.children, engine.savepoints, engine.log, engine.notebook):
        with pytest.raises(ResourceNotFoundError, match="no execution nothing"):
            ask("nothing")
    for act in (engine.cancel, engine.pause, engine.resume, engine.archive):
        with pytest.raises(ResourceNotFoundError, match="no execution nothing"):
            act("nothing")
    for go in (engine.savepoint, engine.variables, engine.restore, engine.fork):
        with pytest.raises(ResourceNotFoundError, match="no savepoint nothing"):
            go("nothing")
    with pytest.raises(ResourceNotFoundError):
        engine.start("nothing")


def test_what_has_ended_cannot_be_cancelled_or_paused(house: House) -> None:
    house.flow("hello")
    view = house.run("hello")
    for act in (house.engine.cancel, house.engine.pause, house.engine.resume):
        with pytest.raises(ConflictError, match="status ENDED_SUCCESS"):
            act(view.id)


def test_cancelling_twice_is_no_error(house: House) -> None:
    house.flow("hello")
    view = house.engine.start("hello")
    assert house.engine.cancel(view.id).status is Status.ENDED_CANCELLED
    assert house.engine.cancel(view.id).status is Status.ENDED_CANCELLED


def test_a_paused_execution_is_not_claimed(house: House) -> None:
    house.flow("hello", "Log(text='x')")

    async def main() -> None:
        view = house.engine.start("hello")
        assert house.engine.pause(view.id).status is Status.PAUSED
        async with house.worker() as worker:
            await worker.until_idle()
            assert house.engine.execution(view.id).status is Status.PAUSED
            house.engine.resume(view.id)
            assert (await house.until(view.id)).status is Status.ENDED_SUCCESS

    asyncio.run(main())


def test_an_inexact_savepoint_cannot_be_gone_on_from(house: House) -> None:
    house.flow("flow", "Log(text='x')", inexact=(0,))
    view = house.run("flow")
    (savepoint,) = house.engine.savepoints(view.id)
    assert not savepoint.exact
    for go in (house.engine.restore, house.engine.fork):
        with pytest.raises(SavepointError, match=r"not exact.*\(a test said so\): take one before it"):
            go(savepoint.id)


def test_restore_gives_back_the_outputs_of_then(house: House) -> None:
    house.flow(
        "flow",
        "SetOutput(outputs={'a': Value(json=1)})",
        "CreateSavepoint(name='here')",
        "SetOutput(outputs={'a': Value(json=2), 'b': Value(json=3)})",
    )
    view = house.run("flow")
    assert view.output_value == {"a": 2, "b": 3}
    here = next(one for one in house.engine.savepoints(view.id) if one.name == "here")
    restored = house.engine.restore(here.id)
    assert (restored.status, restored.output_value, restored.ended_at) == (Status.QUEUED, {"a": 1}, None)


def test_archiving_deletes_savepoints_and_frees_their_chunks(any_house: House) -> None:
    house = any_house
    house.flow("flow", "Log(text='x')", "Log(text='y')")
    waiting = house.engine.start("flow")
    with pytest.raises(ConflictError, match="cancel it first"):
        house.engine.archive(waiting.id)
    house.engine.cancel(waiting.id)
    view = house.run("flow")
    archived = house.engine.archive(view.id)
    assert (archived.status, archived.savepoints) == (Status.ENDED_SUCCESS, 0)
    assert house.texts(view.id) == ["x", "y"]
    upkeep.collect(house.engine, grace=timedelta(0))
    assert upkeep.storage(house.engine).chunks == 0


def test_old_executions_are_archived_together(house: House) -> None:
    house.flow("flow", "Log(text='x')")
    old = [house.run("flow") for _ in range(2)]
    instant = house.engine.clock()
    new = house.run("flow")
    assert house.engine.archive_ended(instant - timedelta(days=1)) == 0
    assert house.engine.archive_ended(instant) == 2
    assert [house.engine.execution(view.id).savepoints for view in (*old, new)] == [0, 0, 1]
    assert house.engine.archive_ended(instant) == 0


def test_the_executed_notebook_has_its_outputs(house: House) -> None:
    house.flow("flow")
    view = house.engine.start("flow")
    outputs = ({"output_type": "stream", "name": "stdout", "text": "hi\n"},)
    with house.store.writing() as transaction:
        transaction.put_cells(view.id, [CellOutput(cell=0, execution_count=1, outputs=outputs)])
    notebook = house.engine.notebook(view.id)
    (cell,) = notebook["cells"]
    assert (notebook["nbformat"], notebook["metadata"]["kernelspec"]["name"]) == (4, "flows")
    assert (cell["cell_type"], cell["execution_count"], cell["outputs"]) == ("code", 1, list(outputs))
    assert "def handler" in cell["source"]


def test_changes_are_told_in_order_and_once(any_house: House) -> None:
    house = any_house
    house.flow("hello")
    told: list[Change] = []
    ended = threading.Event()

    def listen(change: Change) -> None:
        told.append(change)
        if len(told) == 3:
            ended.set()

    def fail(_: Change) -> None:
        raise RuntimeError("a listener's own fault")

    house.engine.on_change(fail)
    dispose = house.engine.on_change(listen)
    first, second = house.engine.start("hello"), house.engine.start("hello")
    house.engine.cancel(first.id)
    assert ended.wait(60)
    assert [change.execution_id for change in told] == [first.id, second.id, first.id]
    assert house.engine.changes(told[0].seq) == told[1:]
    assert house.engine.newest_change() == told[-1].seq
    dispose()
    house.engine.cancel(second.id)
    assert len(told) == 3


def test_a_change_out_of_order_is_told_too(tmp_path: Path, postgresql_server: Server) -> None:
    """On PostgreSQL a change may become visible after a later one."""
    house = House(tmp_path, postgresql_server.url(f"t{uuid4().hex}"))
    house.flow("hello")
    view = house.engine.start("hello")
    told: list[str] = []
    arrived = {name: threading.Event() for name in ("early", "late")}

    def listen(change: Change) -> None:
        told.append(change.execution_id)
        view = house.engine.execution(change.execution_id)
        if view.message in arrived:
            arrived[view.message].set()

    house.engine.on_change(listen)
    other = house.engine.start("hello")
    with house.store.writing() as slow:
        first = Ledger(slow, house.engine.clock()).execution(view.id)
        slow.update_execution(replace(first, message="late"), epoch=first.epoch)
        slow.write_changes()  # type: ignore[attr-defined]
        with house.store.writing() as quick:
            second = Ledger(quick, house.engine.clock()).execution(other.id)
            quick.update_execution(replace(second, message="early"), epoch=second.epoch)
        assert arrived["early"].wait(60)
    assert arrived["late"].wait(60)
    house.close()


def test_lists_and_children(house: House) -> None:
    house.flow("child", "Log(text='needle')")
    house.flow("parent", "StartFlow(flow='child')")
    view = house.run("parent")
    (child,) = house.engine.children(view.id)
    assert [one.id for one in house.engine.executions(roots_only=True).executions] == [view.id]
    assert [one.id for one in house.engine.executions(text="needle").executions] == [child.id]
    assert [one.id for one in house.engine.executions(flow="child").executions] == [child.id]
    assert house.engine.executions(status=Status.ENDED_ERROR).executions == ()


def test_flows_are_found(house: House) -> None:
    house.flow("one")
    os.mkdir(house.root / "deep")
    house.flow("deep/two")
    assert [flow.name for flow in house.engine.flows()] == ["deep/two", "one"]
