"""What REST takes and gives beyond the views of `model`: bodies, queries and the wrappers of lists."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

from ..engine.many import Action
from ..model import (
    ExecutionType,
    ExecutionView,
    FlowView,
    LogLine,
    SavepointView,
    Status,
    VariableChange,
    VariableView,
)

# With its zone: without one, nobody knows when it is.
Instant = Annotated[datetime, msgspec.Meta(tz=True)]

# --- taken --------------------------------------------------------------------------------------


class ExecutionsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which executions. `roots`: those without a parent; `text` is looked for in id, name, flow, message,
    inputs and log; `created_after` is included, `created_before` not."""

    status: Status | None = None
    flow: str | None = None
    parent_id: str | None = None
    roots: bool = False
    text: str | None = None
    type: ExecutionType | None = None
    name: str | None = None
    owner: str | None = None
    created_after: Instant | None = None
    created_before: Instant | None = None
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
    """`flow` by name or path; with `key` a repetition returns the execution that it started first.
    `options` replace those that the flow declares."""

    flow: str
    inputs: dict[str, Any] = {}
    name: str | None = None
    key: str | None = None
    options: dict[str, Any] = {}


class RestoreBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`code`: "saved", as it was at the savepoint, or "current", as the flow's file is now. `changes`: other
    values for variables of the namespace and of the outermost function, by name."""

    code: Literal["saved", "current"] = "saved"
    changes: dict[str, Any] = {}


class ForkBody(RestoreBody, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`inputs` replace those of the same name; `code` and `changes` as for a restore."""

    inputs: dict[str, Any] = {}
    name: str | None = None


class AgainBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`same_code`: the version that it ran, not the flow as it is now."""

    same_code: bool = False
    name: str | None = None


class ManyFilter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As the query of a list."""

    status: Status | None = None
    flow: str | None = None
    parent_id: str | None = None
    roots: bool = False
    text: str | None = None
    type: ExecutionType | None = None
    name: str | None = None
    owner: str | None = None
    created_after: Instant | None = None
    created_before: Instant | None = None


class ManyBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An `action` on the executions of `ids`, or on all that a `filter` finds."""

    action: Action
    ids: list[str] | None = None
    filter: ManyFilter | None = None


class EmptyBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nothing is asked for."""


# --- given --------------------------------------------------------------------------------------


class Flows(msgspec.Struct, frozen=True, kw_only=True):
    flows: list[FlowView]


class Executions(msgspec.Struct, frozen=True, kw_only=True):
    """Newest first; `next` is the cursor of the next part, null at the end."""

    executions: list[ExecutionView]
    next: str | None = None


class Deleted(msgspec.Struct, frozen=True, kw_only=True):
    id: str


class Children(msgspec.Struct, frozen=True, kw_only=True):
    executions: list[ExecutionView]


class Savepoints(msgspec.Struct, frozen=True, kw_only=True):
    savepoints: list[SavepointView]


class Log(msgspec.Struct, frozen=True, kw_only=True):
    log: list[LogLine]


class Variables(msgspec.Struct, frozen=True, kw_only=True):
    variables: list[VariableView]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """What was added, removed or changed, and how many variables are the `same`."""

    changes: list[VariableChange]
    same: int


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
