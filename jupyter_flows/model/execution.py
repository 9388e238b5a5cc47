"""An execution: one run of a flow version."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from .options import NO_OPTIONS, FlowOptions
from .showing import masked, shortened
from .value import Value
from .words import ExecutionType, LogLevel, ReturnWhen, Status, Wish


class ErrorInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An error as it is kept and sent. `type` is the class's name, `ids` its attributes."""

    type: str
    message: str
    ids: dict[str, str] = {}
    traceback: str = ""


class ResumeMode(StrEnum):
    """How an execution goes on from its savepoint.

    JOIN (after a crash, an eviction, a wake-up): the call's effect is committed; only its outcome is
    handed in. AGAIN (after *Restore*, in a fork): the call is made again with the arguments it had.
    """

    JOIN = "JOIN"
    AGAIN = "AGAIN"


class Wait(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an execution with status WAITING waits for.

    Executions by `execution_ids` and `return_when`, until `wake_at` if that is set (then the wait for
    executions fails with DependencyTimeoutError; a sleep, which names none, just ends). Or the `lock` of that
    name.
    """

    execution_ids: tuple[str, ...] = ()
    return_when: ReturnWhen = ReturnWhen.ALL_SUCCEEDED
    wake_at: datetime | None = None
    lock: str | None = None


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """All that the rules know of an execution. Instants are aware UTC.

    `flow_version` is None for connections (then `flow` is the connector type) and for a NOTEBOOK.
    `savepoint_id` is the savepoint it stands at and goes on from. `worker_id`, `lease_until` and
    `epoch` are the claim; every write carries the epoch. `attempts` counts kernels that died since the
    last savepoint was made. `creation_key` makes creation idempotent. `wait` is kept until the next
    savepoint, so that an outcome can be told again after a crash.

    `joining` is the newest savepoint of the branch while an execution that stood at an inexact savepoint
    goes on from an older exact one: the calls between them are joined, not made again.
    `cancel_savepoint_id` is where ExecutionCancel was handed to the flow: only that call raises it, so
    that `finally` blocks may make calls.

    `options` are those of its flow when it was created; `priority` is a copy of theirs that the queue is
    sorted by. `failures` counts tries that failed, `ends_by` is when `max_runtime` is over. `held_back` names
    the limit that keeps a queued execution from being claimed. An `is_orphan` outlives its parent's
    cancellation. `owner` is the name of the person who started it or its ancestor.
    """

    id: str
    type: ExecutionType
    flow: str | None
    flow_version: str | None
    name: str
    directory: str
    status: Status
    created_at: datetime
    message: str | None = None
    wish: Wish | None = None
    inputs: dict[str, Value] = {}
    outputs: dict[str, Value] = {}
    parent_id: str | None = None
    creation_key: str | None = None
    attempts: int = 0
    started_at: datetime | None = None
    ended_at: datetime | None = None
    error: ErrorInfo | None = None
    worker_id: str | None = None
    lease_until: datetime | None = None
    epoch: int = 0
    savepoint_id: str | None = None
    resume_mode: ResumeMode = ResumeMode.JOIN
    wait: Wait | None = None
    joining: str | None = None
    cancel_savepoint_id: str | None = None
    options: FlowOptions = NO_OPTIONS
    priority: int = 0
    owner: str | None = None
    is_orphan: bool = False
    failures: int = 0
    ends_by: datetime | None = None
    held_back: str | None = None
    archived_at: datetime | None = None

    def view(self) -> ExecutionView:
        inputs = {key: value.shown() for key, value in self.inputs.items()}
        if self.type is ExecutionType.CONNECTION:
            inputs = masked(inputs)
        return ExecutionView(
            id=self.id,
            type=self.type,
            flow=self.flow,
            flow_version=self.flow_version,
            name=self.name,
            status=self.status,
            wish=self.wish,
            message=self.message,
            input_value=inputs,
            output_value={key: value.shown() for key, value in self.outputs.items()},
            parent_id=self.parent_id,
            attempts=self.attempts,
            created_at=self.created_at,
            started_at=self.started_at,
            ended_at=self.ended_at,
            error=self.error,
            owner=self.owner,
            priority=self.priority,
            failures=self.failures,
            held_back=self.held_back,
            archived_at=self.archived_at,
        )


class ExecutionView(msgspec.Struct, frozen=True, kw_only=True):
    """An execution as REST, the command line, `%flow` and handles show it."""

    id: str
    type: ExecutionType
    flow: str | None
    flow_version: str | None
    name: str
    status: Status
    wish: Wish | None
    message: str | None
    input_value: dict[str, Any]
    output_value: dict[str, Any]
    parent_id: str | None
    attempts: int
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    error: ErrorInfo | None
    owner: str | None = None
    priority: int = 0
    failures: int = 0
    held_back: str | None = None
    archived_at: datetime | None = None
    children: int = 0
    savepoints: int = 0
    is_short: bool = False

    def short(self) -> ExecutionView:
        """As lists show it: `is_short` says that long values were cut, and a traceback left out."""
        inputs, outputs = shortened(self.input_value), shortened(self.output_value)
        error = None if self.error is None else msgspec.structs.replace(self.error, traceback="")
        is_short = (inputs, outputs, error) != (self.input_value, self.output_value, self.error)
        if not is_short:
            return self
        return msgspec.structs.replace(
            self, input_value=inputs, output_value=outputs, error=error, is_short=True
        )


class LogLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of an execution's log; `number` grows within the store."""

    number: int
    execution_id: str
    at: datetime
    level: LogLevel
    text: str
    fields: dict[str, Any] = {}


class CellOutput(msgspec.Struct, frozen=True, kw_only=True):
    """What a cell printed and showed: `outputs` in nbformat 4's shape. `cell` counts all cells from 0."""

    cell: int
    execution_count: int | None
    outputs: tuple[dict[str, Any], ...] = ()
