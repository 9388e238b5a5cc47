"""What a Flow-API call gets back from the engine."""

from __future__ import annotations

from typing import Any

import msgspec

from .execution import ErrorInfo, ExecutionView
from .flow import FlowView
from .savepoint import SavepointView
from .value import Value

__all__ = ["Answer", "ErrorInfo"]


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The outcome of one Flow-API call.

    `error` set: the call raises it (`jupyter_flows.errors.from_info`), life-cycle signals included.
    Otherwise the fields that the call asks for are filled: `executions` (started, awaited or found),
    `fields` (plain fields of `get`/`load`), `inputs` and `outputs` (when those fields were asked for),
    `savepoints`, `flows`.
    """

    executions: tuple[ExecutionView, ...] = ()
    fields: dict[str, Any] = {}
    inputs: dict[str, Value] | None = None
    outputs: dict[str, Value] | None = None
    savepoints: tuple[SavepointView, ...] = ()
    flows: tuple[FlowView, ...] = ()
    error: ErrorInfo | None = None
