"""The OpenAPI description, made from what the handlers say of themselves."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec

from .. import __version__
from .endpoint import PREFIX, Endpoint
from .messages import ChangeMessage, EventsQuery, Problem

_REFERENCES = "#/components/schemas/{name}"
_METHODS = ("get", "post")


def description(routes: Mapping[str, type[Any]], base_url: str = "/") -> dict[str, Any]:
    """OpenAPI 3.1 for the calls of `routes`, whose handlers carry an `Endpoint` on each method."""
    paths: dict[str, dict[str, Any]] = {}
    for path, handler in routes.items():
        operations = {
            method: _operation(path, method, found)
            for method in _METHODS
            if (found := getattr(getattr(handler, method, None), "endpoint", None)) is not None
        }
        paths["/" + path] = operations or {"get": _events()}
    kinds = [*_kinds(routes), ChangeMessage, Problem]
    _, schemas = msgspec.json.schema_components(kinds, ref_template=_REFERENCES)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Jupyter Flows",
            "version": __version__,
            "description": "Executions of flows, their savepoints and logs. An error has the shape Problem.",
        },
        "servers": [{"url": base_url.rstrip("/") + "/" + PREFIX}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "`token ` and the Jupyter server's token",
                }
            },
        },
    }


def _kinds(routes: Mapping[str, type[Any]]) -> list[Any]:
    """All types that a request or an answer is made of."""
    found: list[Any] = []
    for handler in routes.values():
        for method in _METHODS:
            described: Endpoint | None = getattr(getattr(handler, method, None), "endpoint", None)
            if described is None:
                continue
            found.append(described.gives)
            found += [described.body] if described.body is not None else []
            found += (
                [field.type for field in msgspec.structs.fields(described.query)] if described.query else []
            )
    return found


def _operation(path: str, method: str, described: Endpoint) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": _operation_id(path, method),
        "summary": described.summary,
        "description": f"Needs the permission to {described.action} `flows`.",
        "parameters": _parameters(path, described.query),
        "responses": {
            str(described.status): {
                "description": HTTPStatus(described.status).phrase,
                "content": {"application/json": {"schema": _schema(described.gives)}},
            },
            "default": {
                "description": "What went wrong, and what to do",
                "content": {"application/json": {"schema": _schema(Problem)}},
            },
        },
    }
    if described.body is not None:
        is_needed = any(field.required for field in msgspec.structs.fields(described.body))
        operation["requestBody"] = {
            "required": is_needed,
            "content": {"application/json": {"schema": _schema(described.body)}},
        }
    return operation


def _events() -> dict[str, Any]:
    return {
        "operationId": "events_get",
        "summary": "A WebSocket that tells each change as a ChangeMessage",
        "description": "Needs the permission to read `flows`.",
        "parameters": _parameters("events", EventsQuery),
        "responses": {
            "101": {
                "description": "Each message is one change",
                "content": {"application/json": {"schema": _schema(ChangeMessage)}},
            },
            "default": {
                "description": "What went wrong, and what to do",
                "content": {"application/json": {"schema": _schema(Problem)}},
            },
        },
    }


def _operation_id(path: str, method: str) -> str:
    words = [part.strip("{}").replace(".", "_") for part in path.split("/")]
    return "_".join([*words, method])


def _parameters(path: str, query: type[msgspec.Struct] | None) -> list[dict[str, Any]]:
    in_path = [
        {"name": part.strip("{}"), "in": "path", "required": True, "schema": {"type": "string"}}
        for part in path.split("/")
        if part.startswith("{")
    ]
    fields = msgspec.structs.fields(query) if query is not None else ()
    in_query = [
        {
            "name": field.name,
            "in": "query",
            "required": field.required,
            "schema": _schema(field.type) | _default(field.default),
        }
        for field in fields
    ]
    return [*in_path, *in_query]


def _default(default: Any) -> dict[str, Any]:
    return {} if default in (None, msgspec.NODEFAULT) else {"default": default}


def _schema(kind: Any) -> dict[str, Any]:
    (schema,), _ = msgspec.json.schema_components([kind], ref_template=_REFERENCES)
    return schema
