"""The description says what the handlers do."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from jupyter_flows.model import ExecutionView, Status
from jupyter_flows.server_ext import messages
from jupyter_flows.server_ext.handlers import ROUTES
from jupyter_flows.server_ext.openapi import description


def operations(described: dict[str, Any]):
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def references(node: Any):
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_every_call_is_described():
    described = description(ROUTES)
    made = {
        ("/" + path, method)
        for path, handler in ROUTES.items()
        for method in ("get", "post")
        if hasattr(getattr(handler, method), "endpoint") or path == "events"
        if path != "events" or method == "get"
    }
    assert {(path, method) for path, method, _ in operations(described)} == made
    assert len(made) == 25


def test_it_is_one_valid_document():
    described = json.loads(json.dumps(description(ROUTES, "/base/")))
    assert described["servers"] == [{"url": "/base/flows/v1"}]
    schemas = described["components"]["schemas"]
    for reference in references(described):
        assert reference.removeprefix("#/components/schemas/") in schemas, reference
    names = [operation["operationId"] for _, _, operation in operations(described)]
    assert len(set(names)) == len(names)
    for path, _, operation in operations(described):
        in_path = {item["name"] for item in operation["parameters"] if item["in"] == "path"}
        assert in_path == {part.strip("{}") for part in path.split("/") if part.startswith("{")}


def test_it_speaks_of_the_structs_that_are_sent():
    described = description(ROUTES)
    schemas = described["components"]["schemas"]
    assert set(schemas["ExecutionView"]["properties"]) == {
        field.name for field in msgspec.structs.fields(ExecutionView)
    }
    assert schemas["Status"]["enum"] == sorted(Status)
    assert schemas["StartBody"]["required"] == ["flow"]
    start = described["paths"]["/executions"]["post"]
    assert start["requestBody"]["required"] is True
    assert start["responses"]["201"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/ExecutionView"
    }
    asked = {item["name"]: item for item in described["paths"]["/executions"]["get"]["parameters"]}
    assert set(asked) == {field.name for field in msgspec.structs.fields(messages.ExecutionsQuery)}
    assert asked["limit"]["schema"] == {"type": "integer", "default": 100}


async def test_the_server_gives_it(client):
    described = await client.get("openapi.json")
    assert described["openapi"] == "3.1.0"
    assert described["servers"][0]["url"].endswith("/flows/v1")
