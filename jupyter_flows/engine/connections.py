"""Connections: executions that the worker runs itself, each in a thread."""

from __future__ import annotations

import math
import traceback
from typing import Any

import msgspec

from .. import connectors
from ..errors import EngineException, InvalidInputError
from ..model import ErrorInfo, Execution, Status, Value
from .facts import error_info


class ConnectionResult(msgspec.Struct, frozen=True, kw_only=True):
    """How it ended. `chunks` belong to the outputs, by hash."""

    status: Status
    outputs: dict[str, Value] = {}
    chunks: dict[str, bytes] = {}
    message: str | None = None
    error: ErrorInfo | None = None


def run_connection(execution: Execution) -> ConnectionResult:
    """Talk to the service; blocks until that is over, and never raises.

    The idempotency key is the execution's id: the same however often a crash makes us ask again.
    """
    try:
        assert execution.flow is not None
        connector = connectors.find(execution.flow)
        context = connectors.ConnectorContext(
            execution_id=execution.id, idempotency_key=execution.id, directory=execution.directory
        )
        result = connector.run(_plain_inputs(execution), context)
        outputs, chunks = _encoded(result)
    except EngineException as error:
        return _failed(error_info(error))
    except Exception as error:  # the connector's own fault, or that of its library
        info = ErrorInfo(
            type=type(error).__name__,
            message=str(error),
            traceback="".join(traceback.format_exception(error)),
        )
        return _failed(info)
    return ConnectionResult(status=Status.ENDED_SUCCESS, outputs=outputs, chunks=chunks)


def _failed(error: ErrorInfo) -> ConnectionResult:
    return ConnectionResult(status=Status.ENDED_ERROR, message=f"{error.type}: {error.message}", error=error)


def _plain_inputs(execution: Execution) -> dict[str, Any]:
    for name, value in execution.inputs.items():
        if not value.is_json:
            raise InvalidInputError(
                f"the input {name!r} of a connection must be JSON, not {value.type}: convert it first",
                execution_id=execution.id,
            )
    return {name: value.json for name, value in execution.inputs.items()}


def _encoded(result: dict[str, Any]) -> tuple[dict[str, Value], dict[str, bytes]]:
    chunks = _Chunks()
    return {name: _value(name, value, chunks) for name, value in result.items()}, chunks.written


def _value(name: str, value: Any, chunks: _Chunks) -> Value:
    if _is_plain(value):
        return Value(json=value)
    from ..snapshot import encode_value  # only where a result is more than JSON

    encoded: Value = encode_value(value, chunks, name=name)
    return encoded


def _is_plain(value: Any) -> bool:
    """Whether JSON keeps it exactly."""
    if value is None or type(value) in (bool, int, str):
        return True
    if type(value) is float:
        return math.isfinite(value)
    if type(value) is list:
        return all(map(_is_plain, value))
    return type(value) is dict and all(type(key) is str and _is_plain(item) for key, item in value.items())


class _Chunks:
    """A chunk store in memory: what was written goes into the transaction that ends the connection."""

    def __init__(self) -> None:
        self.written: dict[str, bytes] = {}

    def has(self, digest: str) -> bool:
        return digest in self.written

    def write(self, digest: str, content: Any) -> None:
        self.written[digest] = bytes(content)

    def read(self, digest: str) -> bytes:
        return self.written[digest]
