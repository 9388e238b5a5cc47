"""One WebSocket tells every client each change, in order, once."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import msgspec
import pytest
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect

from jupyter_flows.model import Status
from jupyter_flows.server_ext import hub
from jupyter_flows.server_ext.messages import ChangeMessage


@pytest.fixture
def connect(service, jp_ws_fetch):  # noqa: ARG001
    async def connect(**params: Any):
        return await jp_ws_fetch("flows/v1/events", params=params)

    return connect


async def read(socket) -> ChangeMessage:
    text = await socket.read_message()
    assert text is not None, f"closed: {socket.close_code} {socket.close_reason}"
    return msgspec.json.decode(text, type=ChangeMessage)


async def start(client, count: int = 1) -> list[str]:
    return [(await client.post("executions", {"flow": "double"}))["id"] for _ in range(count)]


async def test_a_change_comes_with_its_execution(client, connect):
    socket = await connect()
    (id,) = await start(client)
    change = await read(socket)
    assert (change.kind, change.execution_id, change.parent_id) == ("execution", id, None)
    assert change.execution is not None
    assert change.execution.status is Status.QUEUED
    await client.post(f"executions/{id}/cancel")
    while change.execution.status is not Status.ENDED_CANCELLED:
        change = await read(socket)
    socket.close()


async def test_all_clients_are_told_the_same(client, connect):
    sockets = [await connect() for _ in range(3)]
    ids = await start(client, 4)
    told = [[await read(socket) for _ in ids] for socket in sockets]
    assert told[0] == told[1] == told[2]
    assert [change.execution_id for change in told[0]] == ids
    assert sorted(change.seq for change in told[0]) == [change.seq for change in told[0]]


async def test_nothing_of_before_is_told_without_after(client, connect):
    await start(client, 3)
    socket = await connect()
    (new,) = await start(client)
    assert (await read(socket)).execution_id == new


async def test_after_goes_on_where_a_client_was(client, connect):
    first = await connect(after=0)
    ids = await start(client, 2)
    seen = [await read(first), await read(first)]
    first.close()
    ids += await start(client, 2)
    second = await connect(after=seen[-1].seq)
    seen += [await read(second), await read(second)]
    ids += await start(client, 1)
    seen.append(await read(second))
    assert [change.execution_id for change in seen] == ids


async def test_what_is_no_longer_kept_is_read_from_the_store(client, connect, monkeypatch):
    monkeypatch.setattr(hub, "_KEPT", 2)
    monkeypatch.setattr(hub, "_PART", 3)
    live = await connect()
    ids = await start(client, 10)
    assert [(await read(live)).execution_id for _ in ids] == ids
    late = await connect(after=0)
    told = [await read(late) for _ in ids]
    assert [change.execution_id for change in told] == ids
    assert told[0].execution is not None


async def test_many_changes_reach_many_clients_in_order(connect, service):
    """Some read as it comes, some later, one comes back in the middle; nobody misses or repeats any."""
    engine = await service.engine()
    count = 400
    eager = [await connect() for _ in range(10)]
    lazy = [await connect(after=0) for _ in range(10)]

    async def read_all(socket, wanted=count):
        return [await read(socket) for _ in range(wanted)]

    async def leave_and_come_back():
        socket = await connect(after=0)
        seen = await read_all(socket, 50)
        socket.close()
        return seen + await read_all(await connect(after=seen[-1].seq), count - 50)

    def start_many():
        return [engine.start("double", {"number": number}).id for number in range(count)]

    starting = asyncio.ensure_future(asyncio.to_thread(start_many))
    told = await asyncio.gather(leave_and_come_back(), *map(read_all, eager))
    told += [await read_all(socket) for socket in lazy]
    ids = await starting
    for changes in told:
        assert [change.execution_id for change in changes] == ids
        assert [change.execution.input_value["number"] for change in changes] == list(range(count))


async def test_changes_of_another_process_are_told_too(connect, root, store_url):
    socket = await connect()
    command = [
        sys.executable,
        "-m",
        "jupyter_flows.cli",
        "start",
        "double",
        "--store",
        store_url,
        "--root",
        root,
    ]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    assert (await read(socket)).execution_id == out.decode().strip()


async def test_a_seq_of_the_future_means_now(client, connect):
    socket = await connect(after=10**9)
    (id,) = await start(client)
    assert (await read(socket)).execution_id == id


async def test_a_large_execution_is_told_without_its_content(client, connect):
    socket = await connect()
    body = {"flow": "double", "inputs": {"text": "x" * 100_000}}
    id = (await client.post("executions", body))["id"]
    change = await read(socket)
    assert (change.kind, change.execution_id, change.execution) == ("execution", id, None)


async def test_a_client_that_does_not_read_holds_up_nobody(client, connect, service):
    """What it is sent fills all buffers on its way."""
    engine = await service.engine()
    await connect()
    reader = await connect()
    inputs = {"text": "x" * 30_000}

    def start_many():
        return [engine.start("double", inputs).id for _ in range(300)]

    starting = asyncio.ensure_future(asyncio.to_thread(start_many))
    told = [(await read(reader)).execution_id for _ in range(300)]
    assert told == await starting
    assert await client.get("status")


async def test_a_client_that_went_away_is_forgotten(client, connect):
    before = asyncio.all_tasks()
    socket = await connect()
    (sender,) = [
        task for task in asyncio.all_tasks() - before if "EventsHandler._send" in repr(task.get_coro())
    ]
    socket.close()
    with pytest.raises(asyncio.CancelledError):
        await sender
    (id,) = await start(client)
    assert id


async def test_what_a_client_says_is_ignored(client, connect):
    socket = await connect()
    await socket.write_message("anything")
    (id,) = await start(client)
    assert (await read(socket)).execution_id == id


async def test_a_bad_after_is_refused(connect):
    with pytest.raises(HTTPClientError) as caught:
        await connect(after="yesterday")
    assert caught.value.code == 400


async def test_clients_are_told_that_the_server_stops(connect, service):
    socket = await connect()
    await service.stop()
    assert await socket.read_message() is None
    assert socket.close_code == 1013


async def test_another_origin_is_refused(client, jp_fetch, jp_http_port, jp_base_url):
    """A page of another site comes with the user's cookie."""
    response = await jp_fetch("flows/v1/flows")
    cookie = "; ".join(value.split(";")[0] for value in response.headers.get_list("Set-Cookie"))
    url = f"ws://127.0.0.1:{jp_http_port}{jp_base_url}flows/v1/events"
    elsewhere = {"Cookie": cookie, "Origin": "http://elsewhere.example"}
    with pytest.raises(HTTPClientError) as caught:
        await websocket_connect(HTTPRequest(url, headers=elsewhere))
    assert caught.value.code == 403
    socket = await websocket_connect(HTTPRequest(url, headers={"Cookie": cookie}))
    (id,) = await start(client)
    assert (await read(socket)).execution_id == id
