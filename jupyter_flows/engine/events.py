"""What can happen to an execution, and what is to be done then: the words of `machine`.

Events bring all facts that a decision needs, the time among them. Instructions are of two kinds: those
for the store, carried out in the transaction of the decision, and those for the worker (`Begin`, `Reply`,
`Park`, `StopKernel`), carried out after the commit, so that a repeat is harmless.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from ..model import (
    Answer,
    Call,
    ErrorInfo,
    Execution,
    ExecutionView,
    FlowView,
    LogLevel,
    ResumeMode,
    Savepoint,
    SavepointView,
    Status,
    Value,
)


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a Flow-API call must know of the rest of the store.

    `others`: the executions it names, by id (also the calling one, if named). `child`: the one that it
    would create. `error`: why it can have no effect. `target` is the savepoint to load, `outputs` what
    the execution's outputs were at it. `is_lock_free`: the lock that it asks for is its own, or nobody's.
    `fields` and `values` are what was read of a setting, file or user.
    """

    others: dict[str, Execution] = {}
    child: Execution | None = None
    found: tuple[ExecutionView, ...] = ()
    savepoints: tuple[SavepointView, ...] = ()
    counts: dict[str, int] = {}
    target: Savepoint | None = None
    outputs: dict[str, Value] = {}
    is_lock_free: bool = False
    fields: dict[str, Any] = {}
    values: dict[str, Value] = {}
    flows: tuple[FlowView, ...] = ()
    error: ErrorInfo | None = None


# --- events -------------------------------------------------------------------------------------


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """`child.run()`, or a person lets a paused execution go on."""

    at: datetime


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """A worker takes a queued execution.

    `stands_at`: the savepoint that it goes on from and `facts` of its call (for JOIN). `joining`: set
    when that is an older one, because the newest is not exact. `in_place`: its kernel still waits.
    `heard`: what the flow was told there before, while recorded calls follow that it made after it;
    `is_untold`: that it is cancelled it heard there or later.
    """

    at: datetime
    worker_id: str
    lease_until: datetime
    stands_at: Savepoint | None = None
    facts: Facts = Facts()
    joining: str | None = None
    in_place: bool = False
    heard: Answer | None = None
    is_untold: bool = False


class CallMade(msgspec.Struct, frozen=True, kw_only=True):
    """The flow made a Flow-API call; `savepoint` was made for it.

    `joins`: it is the call that was recorded as this savepoint before a crash, and `heard` what the flow was
    told then, unless it was the last one recorded. `was_told`: ExecutionCancel
    was raised in the flow while it computed, before this call. `goes_on`: the flow does not wait for the
    answer, so that wishes are told with its next call.
    """

    at: datetime
    call: Call
    savepoint: Savepoint
    facts: Facts = Facts()
    joins: Savepoint | None = None
    heard: Answer | None = None
    was_told: bool = False
    goes_on: bool = False


class AwaitedEnded(msgspec.Struct, frozen=True, kw_only=True):
    """An awaited execution ended with `status`; `others_left` says whether more are awaited."""

    at: datetime
    status: Status
    others_left: bool


class TimerRang(msgspec.Struct, frozen=True, kw_only=True):
    at: datetime


class LockGranted(msgspec.Struct, frozen=True, kw_only=True):
    """The lock that it waited for is its own now."""

    at: datetime


class RuntimeOver(msgspec.Struct, frozen=True, kw_only=True):
    """The time that its option `max_runtime` gives may be over."""

    at: datetime


class OutOfMemory(msgspec.Struct, frozen=True, kw_only=True):
    """Its kernel took more memory than its option `memory_limit` allows: bytes."""

    at: datetime
    peak: int
    limit: int


class HeldBack(msgspec.Struct, frozen=True, kw_only=True):
    """As many as the limit of that name allows have begun and not ended: it must wait for one of them."""

    at: datetime
    limit: str


class Admitted(msgspec.Struct, frozen=True, kw_only=True):
    """No limit holds it back any more."""

    at: datetime


class Archived(msgspec.Struct, frozen=True, kw_only=True):
    at: datetime


class Deleted(msgspec.Struct, frozen=True, kw_only=True):
    at: datetime


class FlowEnded(msgspec.Struct, frozen=True, kw_only=True):
    """The code of the flow, or the connection, is through."""

    at: datetime
    status: Status
    message: str | None = None
    error: ErrorInfo | None = None
    outputs: dict[str, Value] | None = None


class KernelDied(msgspec.Struct, frozen=True, kw_only=True):
    at: datetime
    reason: str
    limit: int = 3


class WorkerGone(msgspec.Struct, frozen=True, kw_only=True):
    """The worker that held it died, stopped, or lost its lease."""

    at: datetime


class Evicted(msgspec.Struct, frozen=True, kw_only=True):
    """Its kernel was stopped while it waited: any worker may go on with it."""

    at: datetime


class WaitAbandoned(msgspec.Struct, frozen=True, kw_only=True):
    """The person at a notebook interrupted a wait, and makes another call."""

    at: datetime
    lease_until: datetime


class CancelWished(msgspec.Struct, frozen=True, kw_only=True):
    at: datetime


class GraceOver(msgspec.Struct, frozen=True, kw_only=True):
    """A flow did not react to the wish to cancel it; its kernel is killed."""

    at: datetime
    seconds: float


class PauseWished(msgspec.Struct, frozen=True, kw_only=True):
    at: datetime


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """A person puts it back to a savepoint; `outputs` are those that it had there.

    `flow_version`: the code that it goes on with; None, the one that it has.
    """

    at: datetime
    savepoint_id: str
    outputs: dict[str, Value] = {}
    flow_version: str | None = None


class NotebookOpened(msgspec.Struct, frozen=True, kw_only=True):
    """A notebook's kernel goes on with it from a savepoint."""

    at: datetime
    worker_id: str
    lease_until: datetime
    savepoint_id: str
    outputs: dict[str, Value] = {}


class NotebookReopened(msgspec.Struct, frozen=True, kw_only=True):
    """A new kernel of a notebook whose last one has gone: the same execution, with empty hands."""

    at: datetime
    worker_id: str
    lease_until: datetime


Event = (
    Run
    | Claimed
    | CallMade
    | AwaitedEnded
    | TimerRang
    | FlowEnded
    | KernelDied
    | WorkerGone
    | Evicted
    | WaitAbandoned
    | CancelWished
    | GraceOver
    | PauseWished
    | Restored
    | NotebookOpened
    | NotebookReopened
    | LockGranted
    | RuntimeOver
    | OutOfMemory
    | HeldBack
    | Admitted
    | Archived
    | Deleted
)


# --- instructions for the store -----------------------------------------------------------------


class InsertSavepoint(msgspec.Struct, frozen=True, kw_only=True):
    savepoint: Savepoint


class InsertExecution(msgspec.Struct, frozen=True, kw_only=True):
    execution: Execution


class StartWait(msgspec.Struct, frozen=True, kw_only=True):
    """Also for the `lock` of that name, behind those that wait for it already."""

    execution_ids: tuple[str, ...] = ()
    lock: str | None = None


class EndWait(msgspec.Struct, frozen=True, kw_only=True):
    """`is_for_lock`: it leaves the queue for its lock."""

    is_for_lock: bool = False


class WakeWaiters(msgspec.Struct, frozen=True, kw_only=True):
    """Tell those that wait for this execution how it ended."""

    status: Status


class CancelChildren(msgspec.Struct, frozen=True, kw_only=True):
    """All but orphans."""


class CancelOther(msgspec.Struct, frozen=True, kw_only=True):
    execution_id: str


class PauseOther(msgspec.Struct, frozen=True, kw_only=True):
    execution_id: str


class ArchiveOther(msgspec.Struct, frozen=True, kw_only=True):
    execution_id: str


class DeleteOther(msgspec.Struct, frozen=True, kw_only=True):
    execution_id: str


class DeleteSavepoints(msgspec.Struct, frozen=True, kw_only=True):
    """All of this execution."""


class DeleteExecution(msgspec.Struct, frozen=True, kw_only=True):
    """This one, with its descendants."""


class ForgetCells(msgspec.Struct, frozen=True, kw_only=True):
    """The outputs of cells of a try that failed."""


class SeekPermit(msgspec.Struct, frozen=True, kw_only=True):
    """Find out whether a limit holds it back."""


class ReleasePermits(msgspec.Struct, frozen=True, kw_only=True):
    """Let the next one begin."""


class ReleaseLocks(msgspec.Struct, frozen=True, kw_only=True):
    """All locks that it holds."""


class TakeLock(msgspec.Struct, frozen=True, kw_only=True):
    name: str


class ReleaseLock(msgspec.Struct, frozen=True, kw_only=True):
    name: str


class WriteSetting(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    value: Any


class RemoveSetting(msgspec.Struct, frozen=True, kw_only=True):
    name: str


class WriteFile(msgspec.Struct, frozen=True, kw_only=True):
    """`size` in bytes."""

    name: str
    content: Value
    size: int


class RemoveFile(msgspec.Struct, frozen=True, kw_only=True):
    name: str


class RunOther(msgspec.Struct, frozen=True, kw_only=True):
    execution_id: str


class SaveOther(msgspec.Struct, frozen=True, kw_only=True):
    """Set these fields (by name) of another execution."""

    execution_id: str
    fields: dict[str, Any]


class AppendLog(msgspec.Struct, frozen=True, kw_only=True):
    level: LogLevel
    text: str
    fields: dict[str, Any] = {}


class CountRestore(msgspec.Struct, frozen=True, kw_only=True):
    savepoint_id: str


# --- instructions for the worker ----------------------------------------------------------------


class Begin(msgspec.Struct, frozen=True, kw_only=True):
    """Let a kernel run it: from the start, or from `savepoint_id`, with `answer` for JOIN."""

    savepoint_id: str | None
    mode: ResumeMode
    answer: Answer | None = None


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """Answer the call that the kernel waits for."""

    answer: Answer


class Park(msgspec.Struct, frozen=True, kw_only=True):
    """The call is not answered yet: the slot is free, the kernel kept for a while."""


class StopKernel(msgspec.Struct, frozen=True, kw_only=True):
    reason: str


Instruction = (
    InsertSavepoint
    | InsertExecution
    | StartWait
    | EndWait
    | WakeWaiters
    | CancelChildren
    | CancelOther
    | PauseOther
    | ArchiveOther
    | DeleteOther
    | DeleteSavepoints
    | DeleteExecution
    | ForgetCells
    | SeekPermit
    | ReleasePermits
    | ReleaseLocks
    | TakeLock
    | ReleaseLock
    | WriteSetting
    | RemoveSetting
    | WriteFile
    | RemoveFile
    | RunOther
    | SaveOther
    | AppendLog
    | CountRestore
    | Begin
    | Reply
    | Park
    | StopKernel
)
