"""What REST takes and gives beyond the views of `model`: bodies, queries and the wrappers of lists."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from ..model import ExecutionView, FlowView, LogLine, SavepointView, Status, VariableView

# --- taken --------------------------------------------------------------------------------------


class ExecutionsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which executions. `roots`: those without a parent; `text` is looked for in their names and messages."""

    status: Status | None = None
    flow: str | None = None
    parent_id: str | None = None
    roots: bool = False
    text: str | None = None
    limit: int = 100
    cursor: str | None = None


class LogQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Lines with a number greater than `after`, at most `limit`."""

    after: int = 0
    limit: int = 1000


class EventsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Go on after the change with the seq `after`; without it with the next change."""

    after: int | None = None


class StartBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`flow` by name or path; with `key` a repetition returns the execution that it started first."""

    flow: str
    inputs: dict[str, Any] = {}
    name: str | None = None
    key: str | None = None


class RestoreBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`code`: "saved", as it was at the savepoint, or "current", as the flow's file is now. `changes`: other
    values for variables of the namespace and of the outermost function, by name."""

    code: Literal["saved", "current"] = "saved"
    changes: dict[str, Any] = {}


class ForkBody(RestoreBody, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`inputs` replace those of the same name; `code` and `changes` as for a restore."""

    inputs: dict[str, Any] = {}
    name: str | None = None


class EmptyBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nothing is asked for."""


# --- given --------------------------------------------------------------------------------------


class Flows(msgspec.Struct, frozen=True, kw_only=True):
    flows: list[FlowView]


class Executions(msgspec.Struct, frozen=True, kw_only=True):
    """Newest first; `next` is the cursor of the next part, null at the end."""

    executions: list[ExecutionView]
    next: str | None = None


class Children(msgspec.Struct, frozen=True, kw_only=True):
    executions: list[ExecutionView]


class Savepoints(msgspec.Struct, frozen=True, kw_only=True):
    savepoints: list[SavepointView]


class Log(msgspec.Struct, frozen=True, kw_only=True):
    log: list[LogLine]


class Variables(msgspec.Struct, frozen=True, kw_only=True):
    variables: list[VariableView]


class WorkerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The server's own worker; `running` are the ids of the executions that it runs now."""

    id: str
    slots: int
    running: list[str]


class ServerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """`store` is its URL without a password; `trouble` what it refuses now; `worker` null: it hosts none."""

    version: str
    store: str
    worker: WorkerStatus | None
    trouble: str | None = None


class ChangeMessage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the WebSocket tells. `seq` grows; `kind` is execution, savepoint or log. With the first comes the
    `execution` as it is now, unless it is deleted or too large to be pushed: then ask for it."""

    seq: int
    kind: str
    execution_id: str
    parent_id: str | None
    execution: ExecutionView | None = None


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """An answer of 400 and above. `type` is a class of `jupyter_flows.errors`; ids may stand beside."""

    message: str
    type: str
