"""What a Flow-API call must know before its rules can decide: read in the call's own transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from ..errors import EngineException, InvalidFlowError, parts
from ..model import (
    AcquireLock,
    Archive,
    Call,
    Cancel,
    Clone,
    Connect,
    Delete,
    ErrorInfo,
    Execution,
    ExecutionType,
    FindExecutions,
    FindFlows,
    FlowOptions,
    FlowSource,
    FlowView,
    Get,
    GetFile,
    GetOwnUser,
    GetSetting,
    ListSavepoints,
    LoadSavepoint,
    Pause,
    ReleaseLock,
    RunExecution,
    RunScript,
    Save,
    Savepoint,
    SetOutput,
    StartFlow,
    Status,
    Value,
    WaitFor,
)
from ..store import ExecutionFilter, Transaction
from .events import Facts


class Preparation(msgspec.Struct, frozen=True, kw_only=True):
    """What is worked out for a call before its transaction begins, so that the transaction can be
    repeated: the ids it would use, the flow that it would start and with which options (or why it cannot),
    and the flows that were found. `stood_at` is the savepoint that its execution stood at before."""

    savepoint_id: str
    child_id: str
    stood_at: str | None = None
    source: FlowSource | None = None
    options: FlowOptions | None = None
    flows: tuple[FlowView, ...] = ()
    error: ErrorInfo | None = None


def error_info(error: EngineException) -> ErrorInfo:
    type_name, message, ids = parts(error)
    return ErrorInfo(type=type_name, message=message, ids=ids)


def new_execution(
    source: FlowSource,
    execution_id: str,
    at: datetime,
    inputs: dict[str, Value],
    *,
    name: str | None = None,
    parent_id: str | None = None,
    creation_key: str | None = None,
    runs: bool = True,
    options: FlowOptions | None = None,
    owner: str | None = None,
    is_orphan: bool = False,
) -> Execution:
    """`options` are those of the source unless others are given."""
    options = source.options if options is None else options
    return Execution(
        id=execution_id,
        type=ExecutionType.FLOW,
        flow=source.name,
        flow_version=source.digest,
        name=name or source.name.rsplit("/", 1)[-1],
        directory=source.directory,
        status=Status.QUEUED if runs else Status.PAUSED,
        message=None if runs else "created, not started yet",
        created_at=at,
        inputs=inputs,
        parent_id=parent_id,
        creation_key=creation_key,
        options=options,
        priority=options.priority,
        owner=owner,
        is_orphan=is_orphan,
    )


def gather(
    transaction: Transaction,
    execution: Execution,
    call: Call,
    *,
    at: datetime,
    effect_ids: Sequence[str] = (),
    preparation: Preparation | None = None,
) -> Facts:
    """The facts for a call that is made (`preparation` given) or whose outcome is told again."""
    if preparation is not None and preparation.error is not None:
        return Facts(error=preparation.error)
    if isinstance(call, StartFlow | RunScript | Connect | Clone):
        if preparation is None:
            return Facts(others=transaction.executions(effect_ids, lock=True))
        if isinstance(call, Clone):
            return _cloned(transaction, execution, call, preparation, at)
        child = _child(execution, call, preparation, at)
        return Facts(child=child, others={child.id: child})
    rule = _READERS.get(type(call))
    if rule is not None:
        return rule(transaction, execution, call)
    if isinstance(call, FindFlows) and preparation is not None:
        return Facts(flows=preparation.flows)
    if isinstance(call, WaitFor):
        return _others(transaction, call.execution_ids, lock=True)
    if isinstance(call, RunExecution):
        return _others(transaction, (call.execution_id,), lock=True)
    if isinstance(call, Get):
        return _get(transaction, execution, call)
    if isinstance(call, Save | Cancel | Pause | Archive | Delete):
        return _others(transaction, (call.execution_id,), lock=True)
    if isinstance(call, ListSavepoints):
        known = _others(transaction, (call.execution_id,))
        return (
            known if known.error else Facts(savepoints=tuple(transaction.savepoint_views(call.execution_id)))
        )
    if isinstance(call, FindExecutions):
        return _found(transaction, call)
    if isinstance(call, LoadSavepoint):
        return _target(transaction, execution, call)
    return Facts()


def outputs_at(transaction: Transaction, savepoint: Savepoint) -> dict[str, Value]:
    """The outputs that the execution had at a savepoint: those that the calls before it had set.

    Read back to the newest savepoint that keeps them, however long the history is.
    """
    outputs: dict[str, Value] = {}
    since: list[Savepoint] = []
    for earlier in transaction.branch(savepoint.id):
        since.append(earlier)
        if earlier.draft.outputs is not None:
            outputs = dict(earlier.draft.outputs)
            break
    for earlier in reversed(since[1:]):
        call = earlier.call
        if earlier.error is not None:
            continue
        if isinstance(call, SetOutput):
            outputs |= call.outputs
        elif (
            isinstance(call, Save) and call.execution_id == earlier.execution_id and call.outputs is not None
        ):
            outputs = dict(call.outputs)
    return outputs


def same_call(one: Call, other: Call) -> bool:
    """Whether two calls ask the same; the manifests of equal values may differ in bytes."""
    return type(one) is type(other) and _comparable(one) == _comparable(other)


def _comparable(call: Call) -> dict[str, object]:
    fields = msgspec.structs.asdict(call)
    for name in ("inputs", "outputs"):
        if fields.get(name):
            fields[name] = {
                key: (value.json, value.type, sorted(value.chunks), value.is_json)
                for key, value in fields[name].items()
            }
    return fields


def _child(
    parent: Execution, call: StartFlow | RunScript | Connect, preparation: Preparation, at: datetime
) -> Execution:
    if isinstance(call, StartFlow | RunScript):
        if preparation.source is None:
            raise InvalidFlowError("the flow to be started was not read")
        return new_execution(
            preparation.source,
            preparation.child_id,
            at,
            call.inputs,
            name=call.name,
            parent_id=parent.id,
            runs=call.run,
            options=preparation.options,
            owner=parent.owner,
            is_orphan=call.is_orphan,
        )
    return Execution(
        id=preparation.child_id,
        type=ExecutionType.CONNECTION,
        flow=call.connector_type,
        flow_version=None,
        name=call.name or call.connector_type,
        directory=parent.directory,
        status=Status.QUEUED if call.run else Status.PAUSED,
        message=None if call.run else "created, not started yet",
        created_at=at,
        inputs=call.inputs,
        parent_id=parent.id,
        owner=parent.owner,
    )


def copied(
    origin: Execution,
    execution_id: str,
    at: datetime,
    inputs: dict[str, Value],
    *,
    name: str | None = None,
    parent_id: str | None = None,
    owner: str | None = None,
    runs: bool = True,
) -> Execution:
    """A new execution of the same flow version with the same inputs, but for those that are given."""
    return Execution(
        id=execution_id,
        type=origin.type,
        flow=origin.flow,
        flow_version=origin.flow_version,
        name=name or origin.name,
        directory=origin.directory,
        status=Status.QUEUED if runs else Status.PAUSED,
        message=None if runs else "created, not started yet",
        created_at=at,
        inputs={**origin.inputs, **inputs},
        parent_id=parent_id,
        options=origin.options,
        priority=origin.priority,
        owner=owner,
    )


def _cloned(
    transaction: Transaction, execution: Execution, call: Clone, preparation: Preparation, at: datetime
) -> Facts:
    facts = _others(transaction, (call.execution_id,), lock=True)
    if facts.error is not None:
        return facts
    origin = facts.others[call.execution_id]
    if origin.type is ExecutionType.NOTEBOOK:
        message = f"execution {origin.id} is that of a notebook: start the notebook as a flow instead"
        return Facts(error=ErrorInfo(type="ConflictError", message=message, ids={"execution_id": origin.id}))
    child = copied(
        origin,
        preparation.child_id,
        at,
        call.inputs,
        name=call.name,
        parent_id=execution.id,
        owner=execution.owner,
        runs=False,
    )
    return Facts(child=child, others={child.id: child})


def _not_found(execution_id: str) -> ErrorInfo:
    message = f"there is no execution {execution_id}: it was deleted, or the id is wrong"
    return ErrorInfo(type="ResourceNotFoundError", message=message, ids={"execution_id": execution_id})


def _others(transaction: Transaction, execution_ids: Sequence[str], lock: bool = False) -> Facts:
    others = transaction.executions(execution_ids, lock=lock)
    missing = [one for one in execution_ids if one not in others]
    return Facts(others=others, error=_not_found(missing[0]) if missing else None)


def _get(transaction: Transaction, execution: Execution, call: Get) -> Facts:
    facts = (
        Facts(others={execution.id: execution})
        if call.execution_id == execution.id
        else _others(transaction, (call.execution_id,))
    )
    if facts.error or not {"children", "savepoints"} & set(call.fields):
        return facts
    view = transaction.view(call.execution_id)
    counts = {"children": view.children, "savepoints": view.savepoints} if view else {}
    return msgspec.structs.replace(facts, counts=counts)


def _found(transaction: Transaction, call: FindExecutions) -> Facts:
    if call.execution_id is not None:
        view = transaction.view(call.execution_id)
        return Facts(error=_not_found(call.execution_id)) if view is None else Facts(found=(view,))
    wanted = ExecutionFilter(
        flow=call.flow,
        status=call.status,
        parent_id=call.parent_id,
        type=call.execution_type,
        text=call.text,
        name=call.name,
        created_after=call.created_after,
        created_before=call.created_before,
        limit=call.limit,
    )
    return Facts(found=transaction.views(wanted).executions)


def _target(transaction: Transaction, execution: Execution, call: LoadSavepoint) -> Facts:
    if call.by == "name":
        target = transaction.savepoint_by_name(execution.id, call.ref)
    elif call.by == "id":
        target = transaction.savepoint(call.ref)
    else:
        message = f"load_savepoint(by={call.by!r}) is not known: take by='id' or by='name'"
        return Facts(error=ErrorInfo(type="InvalidInputError", message=message))
    if target is None or target.execution_id != execution.id:
        message = f"execution {execution.id} has no savepoint with the {call.by} {call.ref!r}"
        ids = {"execution_id": execution.id}
        return Facts(error=ErrorInfo(type="SavepointError", message=message, ids=ids))
    return Facts(target=target, outputs=outputs_at(transaction, target))


# --- settings, locks, files ---------------------------------------------------------------------


def _setting(transaction: Transaction, _: Execution, call: GetSetting) -> Facts:
    found = transaction.setting(call.name)
    if found is None:
        return _nothing_named("setting", call.name)
    plain = msgspec.to_builtins(found)
    unknown = [field for field in call.fields if field not in plain]
    if unknown:
        message = f"a setting has no field {', '.join(map(repr, unknown))}; it has {', '.join(plain)}"
        return Facts(error=ErrorInfo(type="InvalidInputError", message=message))
    return Facts(fields={field: plain[field] for field in call.fields})


def _file(transaction: Transaction, _: Execution, call: GetFile) -> Facts:
    found = transaction.file(call.name)
    if found is None:
        return _nothing_named("file", call.name)
    return Facts(values={"content": found})


def _lock(transaction: Transaction, execution: Execution, call: AcquireLock) -> Facts:
    holder = transaction.lock_holder(call.name)
    fields = {} if holder is None else {"execution_id": holder}
    return Facts(is_lock_free=holder in (None, execution.id), fields=fields)


def _held_lock(transaction: Transaction, execution: Execution, call: ReleaseLock) -> Facts:
    if transaction.lock_holder(call.name) == execution.id:
        return Facts()
    message = f"execution {execution.id} does not hold the lock {call.name!r}: acquire it first"
    return Facts(error=ErrorInfo(type="ConflictError", message=message, ids={"execution_id": execution.id}))


def _own_user(_: Transaction, execution: Execution, __: GetOwnUser) -> Facts:
    return Facts(fields={"name": execution.owner})


def _nothing_named(kind: str, name: str) -> Facts:
    message = f"there is no {kind} {name!r}: save it first"
    return Facts(error=ErrorInfo(type="ResourceNotFoundError", message=message, ids={kind: name}))


_READERS: dict[type[Any], Callable[[Transaction, Execution, Any], Facts]] = {
    GetSetting: _setting,
    GetFile: _file,
    AcquireLock: _lock,
    ReleaseLock: _held_lock,
    GetOwnUser: _own_user,
}
