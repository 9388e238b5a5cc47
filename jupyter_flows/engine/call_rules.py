"""The effect of each Flow-API call: what changes with the call's savepoint, in the same transaction.

A call that can have no effect (an unknown flow, a wait for itself) still makes its savepoint; the error is
kept in it and is the call's answer.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from ..model import (
    AcquireLock,
    Archive,
    Call,
    Cancel,
    Clone,
    Connect,
    Delete,
    DeleteFile,
    DeleteSetting,
    ErrorInfo,
    Execution,
    ExecutionType,
    LoadSavepoint,
    Log,
    Pause,
    ReleaseLock,
    RunExecution,
    RunScript,
    Save,
    SaveFile,
    Savepoint,
    SaveSetting,
    SetOutput,
    Sleep,
    StartFlow,
    Status,
    Wait,
    WaitFor,
    Wish,
)
from . import events
from .answers import later, wait_of
from .events import (
    AppendLog,
    ArchiveOther,
    CallMade,
    CancelChildren,
    CancelOther,
    CountRestore,
    DeleteOther,
    Facts,
    InsertExecution,
    Instruction,
    PauseOther,
    RemoveFile,
    RemoveSetting,
    RunOther,
    SaveOther,
    TakeLock,
    WriteFile,
    WriteSetting,
)

_FLOW = ExecutionType.FLOW


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """`wait`: the call is over when that is. `goes_to`: the execution goes on from there instead.
    `is_cancelled`: the call cancelled its own execution."""

    execution: Execution
    instructions: tuple[Instruction, ...] = ()
    effect_ids: tuple[str, ...] = ()
    error: ErrorInfo | None = None
    wait: Wait | None = None
    goes_to: Savepoint | None = None
    is_cancelled: bool = False


def effect(execution: Execution, event: CallMade) -> Effect:
    """What the call does; `event.facts` says what it must know of others."""
    error = event.facts.error or _own_error(execution, event.call) or _others_error(event)
    if error is not None:
        return Effect(execution=execution, error=error)
    rule = _EFFECTS.get(type(event.call))
    done = rule(execution, event) if rule else Effect(execution=execution)
    return replace(done, wait=_wait(event.call, done.effect_ids, event.at))


def wait_at(savepoint: Savepoint) -> Wait | None:
    """What the call of a savepoint waits for; None when it does not wait or had no effect."""
    if savepoint.error is not None:
        return None
    return _wait(savepoint.call, savepoint.effect_ids, savepoint.created_at)


def _wait(call: Call, effect_ids: tuple[str, ...], at: datetime) -> Wait | None:
    if isinstance(call, Sleep):
        return Wait(wake_at=call.until or later(at, call.seconds or 0.0))
    if isinstance(call, AcquireLock):
        return Wait(lock=call.name, wake_at=None if call.timeout is None else later(at, call.timeout))
    return wait_of(call, effect_ids, at)


def lock_taken(wait: Wait | None, facts: Facts) -> tuple[Instruction, ...]:
    """What makes a lock its own that it waited for, if it is free."""
    if wait is None or wait.lock is None or not facts.is_lock_free:
        return ()
    return (TakeLock(name=wait.lock),)


def count_restore(target: Savepoint) -> tuple[Instruction, ...]:
    return (CountRestore(savepoint_id=target.id),)


def _own_error(execution: Execution, call: Call) -> ErrorInfo | None:
    """What is wrong with the call whatever the rest of the store looks like."""
    ids = {"execution_id": execution.id}
    waits_for_itself = isinstance(call, WaitFor) and execution.id in call.execution_ids
    if waits_for_itself or (isinstance(call, RunExecution) and call.execution_id == execution.id):
        message = "an execution cannot wait for itself: leave `this` out of what it waits for"
        return ErrorInfo(type="InvalidInputError", message=message, ids=ids)
    if isinstance(call, Pause) and call.execution_id == execution.id and execution.type is not _FLOW:
        message = "only flows can be paused: in a notebook, just run the next cell later"
        return ErrorInfo(type="ConflictError", message=message, ids=ids)
    if isinstance(call, Archive | Delete) and call.execution_id == execution.id:
        message = "an execution cannot archive or delete itself: it has not ended"
        return ErrorInfo(type="ConflictError", message=message, ids=ids)
    if isinstance(call, LoadSavepoint) and execution.type is ExecutionType.NOTEBOOK:
        message = f"a notebook goes back with `%flow restore {call.ref}`, not with load_savepoint"
        return ErrorInfo(type="SavepointError", message=message, ids=ids)
    return None


def _others_error(event: CallMade) -> ErrorInfo | None:
    """Why another execution cannot be paused, archived or deleted now."""
    call = event.call
    if not isinstance(call, Pause | Archive | Delete):
        return None
    other = event.facts.others.get(call.execution_id)
    if other is None:
        return None
    reason = None
    if isinstance(call, Archive | Delete):
        verb = "archived" if isinstance(call, Archive) else "deleted"
        reason = (
            None if other.status.is_final else f"it cannot be {verb} before it has ended: cancel it first"
        )
    elif other.type is not _FLOW:
        reason = "only flows can be paused"
    elif other.status.is_final or other.wish is Wish.CANCEL:
        reason = "it cannot be paused any more"
    if reason is None:
        return None
    message = f"execution {other.id} ({other.name}) is {other.status}: {reason}"
    return ErrorInfo(type="ConflictError", message=message, ids={"execution_id": other.id})


def _start_child(execution: Execution, event: CallMade) -> Effect:
    child = event.facts.child
    assert child is not None
    return Effect(
        execution=execution, instructions=(InsertExecution(execution=child),), effect_ids=(child.id,)
    )


def _run(execution: Execution, event: CallMade) -> Effect:
    assert isinstance(event.call, RunExecution)
    target = event.facts.others[event.call.execution_id]
    # One that runs or ended already is not started twice: made again after a restore, the call joins it.
    starts = target.status is Status.PAUSED
    return Effect(execution=execution, instructions=(RunOther(execution_id=target.id),) if starts else ())


def _save(execution: Execution, event: CallMade) -> Effect:
    call = event.call
    assert isinstance(call, Save)
    fields: dict[str, Any] = {
        field: getattr(call, field)
        for field in ("name", "message", "outputs")
        if getattr(call, field) is not None
    }
    if call.execution_id == execution.id:
        return Effect(execution=replace(execution, **fields))
    return Effect(
        execution=execution, instructions=(SaveOther(execution_id=call.execution_id, fields=fields),)
    )


def _set_output(execution: Execution, event: CallMade) -> Effect:
    assert isinstance(event.call, SetOutput)
    return Effect(execution=replace(execution, outputs={**execution.outputs, **event.call.outputs}))


def _log(execution: Execution, event: CallMade) -> Effect:
    call = event.call
    assert isinstance(call, Log)
    line = AppendLog(level=call.level, text=call.text, fields=call.fields)
    return Effect(execution=execution, instructions=(line,))


def _cancel(execution: Execution, event: CallMade) -> Effect:
    assert isinstance(event.call, Cancel)
    if event.call.execution_id == execution.id:
        return Effect(execution=execution, instructions=(CancelChildren(),), is_cancelled=True)
    return Effect(execution=execution, instructions=(CancelOther(execution_id=event.call.execution_id),))


def _pause(execution: Execution, event: CallMade) -> Effect:
    assert isinstance(event.call, Pause)
    if event.call.execution_id == execution.id:
        return Effect(execution=replace(execution, wish=Wish.PAUSE))
    return Effect(execution=execution, instructions=(PauseOther(execution_id=event.call.execution_id),))


def _archive(execution: Execution, event: CallMade) -> Effect:
    assert isinstance(event.call, Archive)
    return Effect(execution=execution, instructions=(ArchiveOther(execution_id=event.call.execution_id),))


def _delete(execution: Execution, event: CallMade) -> Effect:
    assert isinstance(event.call, Delete)
    return Effect(execution=execution, instructions=(DeleteOther(execution_id=event.call.execution_id),))


def _save_setting(execution: Execution, event: CallMade) -> Effect:
    assert isinstance(event.call, SaveSetting)
    write = WriteSetting(name=event.call.name, value=event.call.value)
    return Effect(execution=execution, instructions=(write,))


def _delete_setting(execution: Execution, event: CallMade) -> Effect:
    assert isinstance(event.call, DeleteSetting)
    return Effect(execution=execution, instructions=(RemoveSetting(name=event.call.name),))


def _acquire(execution: Execution, event: CallMade) -> Effect:
    assert isinstance(event.call, AcquireLock)
    taken = lock_taken(Wait(lock=event.call.name), event.facts)
    return Effect(execution=execution, instructions=taken)


def _release(execution: Execution, event: CallMade) -> Effect:
    assert isinstance(event.call, ReleaseLock)
    return Effect(execution=execution, instructions=(events.ReleaseLock(name=event.call.name),))


def _save_file(execution: Execution, event: CallMade) -> Effect:
    call = event.call
    assert isinstance(call, SaveFile)
    write = WriteFile(name=call.name, content=call.inputs["content"], size=call.size)
    return Effect(execution=execution, instructions=(write,))


def _delete_file(execution: Execution, event: CallMade) -> Effect:
    assert isinstance(event.call, DeleteFile)
    return Effect(execution=execution, instructions=(RemoveFile(name=event.call.name),))


def _load_savepoint(execution: Execution, event: CallMade) -> Effect:
    call, target = event.call, event.facts.target
    assert isinstance(call, LoadSavepoint)
    assert target is not None
    ids = {"execution_id": execution.id, "savepoint_id": target.id}
    if not target.draft.exact:
        reason = (
            f"savepoint {target.id} is not exact, so nothing can go on from it: {target.draft.inexact_reason}"
        )
        error = ErrorInfo(type="SavepointError", message=reason, ids=ids)
        return Effect(execution=execution, error=error)
    if target.restores >= call.max_restores:
        message = (
            f"savepoint {target.draft.name or target.id} was loaded {target.restores} times already: this "
            "looks like an endless loop; give load_savepoint a greater max_restores if it is none"
        )
        error = ErrorInfo(type="SavepointError", message=message, ids=ids)
        return Effect(execution=execution, error=error)
    return Effect(execution=execution, goes_to=target)


_EFFECTS: dict[type[Any], Callable[[Execution, CallMade], Effect]] = {
    StartFlow: _start_child,
    RunScript: _start_child,
    Clone: _start_child,
    Connect: _start_child,
    Pause: _pause,
    Archive: _archive,
    Delete: _delete,
    SaveSetting: _save_setting,
    DeleteSetting: _delete_setting,
    AcquireLock: _acquire,
    ReleaseLock: _release,
    SaveFile: _save_file,
    DeleteFile: _delete_file,
    RunExecution: _run,
    Save: _save,
    SetOutput: _set_output,
    Log: _log,
    Cancel: _cancel,
    LoadSavepoint: _load_savepoint,
}
