"""REST on a real engine. No worker runs here, so that every execution stays as it was made."""

from __future__ import annotations

import pytest

from jupyter_flows import __version__
from jupyter_flows.model import ExecutionView, Status
from jupyter_flows.server_ext import messages


async def test_flows_below_the_root(client):
    flows = await client.get("flows", messages.Flows)
    assert [flow.name for flow in flows.flows] == ["double"]


async def test_start_and_look(client):
    started = await client.post("executions", {"flow": "double", "inputs": {"size": 2}}, ExecutionView)
    assert (started.flow, started.status, started.input_value) == ("double", Status.QUEUED, {"size": 2})
    assert await client.get(f"executions/{started.id}", ExecutionView) == started
    assert (await client.get(f"executions/{started.id}/children", messages.Children)).executions == []
    assert (await client.get(f"executions/{started.id}/savepoints", messages.Savepoints)).savepoints == []
    assert (await client.get(f"executions/{started.id}/log", messages.Log, after=3)).log == []
    notebook = await client.get(f"executions/{started.id}/notebook")
    assert notebook["nbformat"] == 4
    assert "def handler" in notebook["cells"][0]["source"]


async def test_a_start_is_answered_with_created(client, jp_fetch):  # noqa: ARG001
    response = await jp_fetch("flows/v1/executions", method="POST", body='{"flow": "double"}')
    assert response.code == 201


async def test_a_key_starts_once(client):
    body = {"flow": "double", "key": "monday"}
    first = await client.post("executions", body, ExecutionView)
    assert await client.post("executions", body, ExecutionView) == first


async def test_lists_by_page_and_filter(client, root):
    (root / "other.py").write_text("def handler(system, this): ...")
    ids = [(await client.post("executions", {"flow": "double"}))["id"] for _ in range(3)]
    other = (await client.post("executions", {"flow": "other", "name": "nightly"}))["id"]
    await client.post(f"executions/{ids[0]}/cancel")

    async def listed(**params):
        page = await client.get("executions", messages.Executions, **params)
        return [execution.id for execution in page.executions]

    assert await listed() == [other, *reversed(ids)]
    assert await listed(flow="other") == [other]
    assert await listed(status="ENDED_CANCELLED") == ids[:1]
    assert await listed(text="nightly") == [other]
    assert await listed(roots="1", status="", flow="double") == ids[::-1]
    assert await listed(parent_id=other) == []
    first = await client.get("executions", messages.Executions, limit=3)
    assert [execution.id for execution in first.executions] == [other, *ids[:0:-1]]
    rest = await client.get("executions", messages.Executions, limit=3, cursor=first.next)
    assert [execution.id for execution in rest.executions] == ids[:1]
    assert rest.next is None


async def test_cancel_what_waits_for_a_worker(client):
    started = await client.post("executions", {"flow": "double"}, ExecutionView)
    cancelled = await client.post(f"executions/{started.id}/cancel", {}, ExecutionView)
    assert cancelled.status is Status.ENDED_CANCELLED


async def test_pause_resume_and_archive(client):
    id = (await client.post("executions", {"flow": "double"}))["id"]
    paused = await client.post(f"executions/{id}/pause", {}, ExecutionView)
    assert paused.status is Status.PAUSED
    resumed = await client.post(f"executions/{id}/resume", {}, ExecutionView)
    assert resumed.status is Status.QUEUED
    code, problem = await client.refused(f"executions/{id}/archive", method="POST", body="")
    assert (code, problem["type"], problem["execution_id"]) == (409, "ConflictError", id)
    await client.post(f"executions/{id}/cancel")
    assert (await client.post(f"executions/{id}/archive", {}, ExecutionView)).id == id


async def test_status(client, store_url):
    status = await client.get("status", messages.ServerStatus)
    assert (status.version, status.store, status.worker) == (__version__, store_url, None)


@pytest.mark.parametrize(
    ("path", "type_name"),
    [
        ("executions/no-such", "ResourceNotFoundError"),
        ("executions/no-such/children", "ResourceNotFoundError"),
        ("executions/no-such/savepoints", "ResourceNotFoundError"),
        ("executions/no-such/log", "ResourceNotFoundError"),
        ("executions/no-such/notebook", "ResourceNotFoundError"),
        ("savepoints/no-such", "ResourceNotFoundError"),
        ("executions/a%20b", "ResourceNotFoundError"),
        ("executions/no-such/nonsense", "ResourceNotFoundError"),
        ("nonsense", "ResourceNotFoundError"),
        ("", "ResourceNotFoundError"),
    ],
)
async def test_what_is_not_there_is_404(client, path, type_name):
    code, problem = await client.refused(path)
    assert (code, problem["type"]) == (404, type_name)
    assert problem["message"]


async def test_ids_come_with_the_error(client):
    _, problem = await client.refused("executions/no-such")
    assert problem["execution_id"] == "no-such"


@pytest.mark.parametrize(
    "path", ["savepoints/no-such/restore", "savepoints/no-such/fork", "executions/x/cancel"]
)
async def test_actions_on_what_is_not_there(client, path):
    code, problem = await client.refused(path, method="POST", body="{}")
    assert (code, problem["type"]) == (404, "ResourceNotFoundError")


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("restore", '{"code": "new"}', "$.code"),
        ("restore", '{"changes": []}', "$.changes"),
        ("restore", '{"codes": "current"}', "Known are: code, changes"),
        ("fork", '{"code": 1}', "$.code"),
    ],
)
async def test_a_restore_that_is_no_restore(client, path, body, message):
    code, problem = await client.refused(f"savepoints/s/{path}", method="POST", body=body)
    assert (code, problem["type"]) == (400, "InvalidInputError")
    assert message in problem["message"]


@pytest.mark.parametrize(
    ("body", "code", "type_name", "message"),
    [
        ("", 400, "InvalidInputError", "`flow`"),
        ("{", 400, "InvalidInputError", "not JSON"),
        (b"\xff", 400, "InvalidInputError", "not JSON"),
        ("[]", 400, "InvalidInputError", "Expected `object`"),
        ('{"flow": 3}', 400, "InvalidInputError", "$.flow"),
        ('{"flow": "double", "input": {}}', 400, "InvalidInputError", "Known are: flow, inputs, name, key"),
        ('{"flow": "double", "inputs": []}', 400, "InvalidInputError", "$.inputs"),
        ('{"flow": "double", "name": "a\\u0000"}', 400, "InvalidInputError", "U+0000"),
        ('{"flow": "doubel"}', 404, "ResourceNotFoundError", "Did you mean double?"),
        ('{"flow": "../double"}', 404, "ResourceNotFoundError", ""),
        ('{"flow": "broken"}', 400, "InvalidFlowError", "is not Python"),
    ],
)
async def test_bad_starts(client, root, body, code, type_name, message):
    (root / "broken.py").write_text("def handler(:")
    found, problem = await client.refused("executions", method="POST", body=body)
    assert (found, problem["type"]) == (code, type_name)
    assert message in problem["message"]
    assert (await client.get("executions"))["executions"] == []


async def test_a_name_that_two_flows_have_is_a_conflict(client, root):
    (root / "double.ipynb").write_text(
        '{"nbformat": 4, "metadata": {}, "cells": [{"cell_type": "code", "source": "import flow_api"}]}'
    )
    code, problem = await client.refused("executions", method="POST", body='{"flow": "double"}')
    assert (code, problem["type"]) == (409, "ConflictError")


@pytest.mark.parametrize(
    "params", [{"status": "DONE"}, {"limit": "many"}, {"state": "QUEUED"}, {"text": "\0"}]
)
async def test_bad_queries(client, params):
    code, problem = await client.refused("executions", params=params)
    assert (code, problem["type"]) == (400, "InvalidInputError")


async def test_what_jupyters_clients_add_is_ignored(client):
    assert (await client.get("executions", **{"1763866000000": "", "_xsrf": "x"}))["executions"] == []


async def test_another_method_is_refused_in_json(client):
    code, problem = await client.refused("flows", method="POST", body="{}")
    assert (code, problem["type"]) == (405, "InvalidInputError")


async def test_our_own_faults_are_500_and_tell_no_secrets(client, service, monkeypatch):
    engine = await service.engine()
    monkeypatch.setattr(engine, "flows", lambda: {}["secret"])
    code, problem = await client.refused("flows")
    assert (code, problem["type"]) == (500, "InternalError")
    assert "secret" not in problem["message"]


async def test_again_delete_and_many(client):
    body = {"flow": "double", "inputs": {"size": 2}, "options": {"priority": 3}}
    first = await client.post("executions", body, ExecutionView)
    assert first.priority == 3
    assert first.owner is not None
    again = await client.post(f"executions/{first.id}/again", {}, ExecutionView)
    assert (again.input_value, again.priority) == ({"size": 2}, 0)
    created = first.created_at.isoformat().replace("+00:00", "Z")
    page = await client.get("executions", messages.Executions, created_before=created)
    assert page.executions == []
    page = await client.get("executions", messages.Executions, created_after=created)
    assert len(page.executions) == 2
    many = await client.post("executions/many", {"action": "cancel", "filter": {"flow": "double"}})
    assert many["done"] == [again.id, first.id]
    deleted = await client.post(f"executions/{first.id}/delete", {})
    assert deleted == {"id": first.id}
    many = await client.post("executions/many", {"action": "delete", "ids": [first.id, again.id]})
    assert many["done"] == [again.id]
    assert [one["error"]["type"] for one in many["refused"]] == ["ResourceNotFoundError"]
