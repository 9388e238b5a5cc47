"""The server's own worker and real kernels, seen through REST and events."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jupyter_flows.model import ExecutionView, SavepointKind, SavepointView, Status
from jupyter_flows.server_ext import messages

PARENT = """
import flow_api

def handler(system, this, inputs):
    data = this.connect(
        connector_type='SQL', url='sqlite:///shop.db', fetch='SELECT * FROM orders'
    ).get('output_value')
    this.create_savepoint('with-fetched-data')
    if not system_is_mended():
        raise ConnectionError('the remote service is down')
    parts = [this.flow('double', size=row['size'], wait=False) for row in data['result']]
    this.wait_for(*parts)
    this.set_output('sizes', [part.get('output_value')['double'] for part in parts])
    return this.success('all done')

def system_is_mended():
    import pathlib
    return pathlib.Path('mended').exists()
"""

SLEEPER = """
def handler(system, this):
    try:
        this.log('asleep')
        this.sleep(3600)
    finally:
        this.log('tidied up')
"""


@pytest.fixture
def flows_config() -> dict[str, object]:
    return {"slots": 2}


@pytest.fixture
def root(root: Path) -> Path:
    (root / "parent.py").write_text(PARENT)
    (root / "sleeper.py").write_text(SLEEPER)
    with sqlite3.connect(root / "shop.db") as database:
        database.execute("CREATE TABLE orders (size INTEGER)")
        database.executemany("INSERT INTO orders VALUES (?)", [(1,), (2,), (3,)])
    database.close()
    return root


@pytest.fixture
def follow(service, jp_ws_fetch, client):  # noqa: ARG001
    """`follow(id, *statuses)`: the execution as soon as it has one of the statuses, told by events."""

    async def follow(id: str, *statuses: Status) -> ExecutionView:
        wanted = statuses or tuple(status for status in Status if status.is_final)
        socket = await jp_ws_fetch("flows/v1/events", params={"after": 0})
        while (text := await socket.read_message()) is not None:
            change = msgspec.json.decode(text, type=messages.ChangeMessage)
            if (
                change.execution is not None
                and change.execution.id == id
                and change.execution.status in wanted
            ):
                socket.close()
                return change.execution
        raise AssertionError("the server closed the events")

    return follow


async def start(client, flow: str, **inputs: Any) -> str:
    return (await client.post("executions", {"flow": flow, "inputs": inputs}))["id"]


async def test_a_flow_runs_to_its_end(client, follow):
    id = await start(client, "double", size=21)
    ended = await follow(id)
    assert (ended.status, ended.message, ended.output_value) == (
        Status.ENDED_SUCCESS,
        "all done",
        {"double": 42},
    )
    log = (await client.get(f"executions/{id}/log", messages.Log)).log
    assert [(line.text, line.fields) for line in log] == [("hello", {"size": 21})]
    savepoints = (await client.get(f"executions/{id}/savepoints", messages.Savepoints)).savepoints
    assert [savepoint.action for savepoint in savepoints] == ["log", "create_savepoint", "set_output", "end"]
    named = savepoints[1]
    assert (named.kind, named.name, named.exact) == (SavepointKind.NAMED, "half-way", True)
    assert named.last_command == "this.create_savepoint('half-way')"
    assert await client.get(f"savepoints/{named.id}", SavepointView) == named
    variables = (await client.get(f"savepoints/{named.id}/variables", messages.Variables)).variables
    assert ("handler", "inputs") in {(variable.scope, variable.name) for variable in variables}


async def test_the_seeds_story(client, follow, root):
    """It fetches, makes a named savepoint, fails, and is restored to go on without fetching again."""
    id = await start(client, "parent")
    failed = await follow(id)
    assert failed.status is Status.ENDED_ERROR
    assert failed.error is not None
    assert "the remote service is down" in failed.error.message
    savepoints = (await client.get(f"executions/{id}/savepoints", messages.Savepoints)).savepoints
    (named,) = [savepoint for savepoint in savepoints if savepoint.name == "with-fetched-data"]

    (root / "mended").touch()
    restored = await client.post(f"savepoints/{named.id}/restore", {}, ExecutionView)
    assert not restored.status.is_final
    ended = await follow(id, Status.ENDED_SUCCESS)
    assert ended.output_value == {"sizes": [2, 4, 6]}
    children = (await client.get(f"executions/{id}/children", messages.Children)).executions
    assert [(child.type.value, child.flow) for child in children] == [
        ("CONNECTION", "SQL"),
        *[("FLOW", "double")] * 3,
    ]
    assert {child.parent_id for child in children} == {id}


async def test_a_fork_leaves_its_origin_alone(client, follow):
    id = await start(client, "double", size=1)
    await follow(id)
    savepoints = (await client.get(f"executions/{id}/savepoints", messages.Savepoints)).savepoints
    body = {"name": "again", "inputs": {"size": 5}}
    forked = await client.post(f"savepoints/{savepoints[1].id}/fork", body, ExecutionView)
    assert forked.id != id
    assert (forked.name, forked.input_value) == ("again", {"size": 5})
    assert forked.status in (Status.QUEUED, Status.RUNNING)  # a free slot takes it at once
    ended = await follow(forked.id)
    assert (ended.status, ended.output_value) == (Status.ENDED_SUCCESS, {"double": 10})
    origin = await client.get(f"executions/{id}", ExecutionView)
    assert (origin.input_value, origin.output_value) == ({"size": 1}, {"double": 2})
    assert len((await client.get(f"executions/{id}/savepoints", messages.Savepoints)).savepoints) == 4


async def test_a_sleeper_is_cancelled(client, follow):
    id = await start(client, "sleeper")
    await follow(id, Status.WAITING)
    await client.post(f"executions/{id}/cancel")
    assert (await follow(id)).status is Status.ENDED_CANCELLED
    log = (await client.get(f"executions/{id}/log", messages.Log)).log
    assert [line.text for line in log] == ["asleep", "tidied up"]


async def test_restoring_what_cannot_be(client, follow):
    id = await start(client, "double")
    await follow(id)
    code, problem = await client.refused(f"executions/{id}/cancel", method="POST", body="")
    assert (code, problem["type"]) == (409, "ConflictError")


async def test_the_status_names_the_worker(client, service):
    status = await client.get("status", messages.ServerStatus)
    assert status.worker == messages.WorkerStatus(id=service.worker.id, slots=2, running=[])


async def test_kernels_learn_where_the_worker_is(service):
    await service.opened()
    assert os.environ["JUPYTER_FLOWS_SOCKET"] == service.worker.socket_path
    await service.stop()
    assert "JUPYTER_FLOWS_SOCKET" not in os.environ
