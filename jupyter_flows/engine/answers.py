"""What a Flow-API call gets back, worked out from the call and the state of the executions it concerns.

Pure, and used twice: when a call is over, and when an execution goes on from a savepoint whose call had
its effect before (JOIN). So an answer never depends on anything that is not in the store.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from ..model import (
    Answer,
    Call,
    Clone,
    Connect,
    End,
    ErrorInfo,
    Execution,
    ExecutionView,
    FindExecutions,
    FindFlows,
    Get,
    GetFile,
    GetOwnUser,
    GetSetting,
    ListSavepoints,
    ReturnWhen,
    RunExecution,
    RunScript,
    StartFlow,
    Status,
    Wait,
    WaitFor,
)
from .events import Facts

_VALUE_FIELDS = ("input_value", "inputs", "output_value", "outputs")
_FIELDS = tuple(field for field in ExecutionView.__struct_fields__ if field not in _VALUE_FIELDS)

CANCELLED = Answer(error=ErrorInfo(type="ExecutionCancel", message="the execution was cancelled"))


def failed(type_name: str, message: str, **ids: str) -> Answer:
    return Answer(error=ErrorInfo(type=type_name, message=message, ids=ids))


def wait_of(call: Call, effect_ids: Sequence[str], at: datetime) -> Wait | None:
    """What the call waits for, if it is one that waits; `at` is when it was made."""
    if isinstance(call, StartFlow | RunScript | Connect):
        waits = call.wait and call.run
        return Wait(execution_ids=tuple(effect_ids), return_when=call.return_when) if waits else None
    if isinstance(call, RunExecution):
        return Wait(execution_ids=(call.execution_id,), return_when=call.return_when) if call.wait else None
    if isinstance(call, WaitFor):
        wake_at = None if call.timeout is None else later(at, call.timeout)
        return Wait(execution_ids=call.execution_ids, return_when=call.return_when, wake_at=wake_at)
    return None


def later(at: datetime, seconds: float) -> datetime:
    """`at` plus seconds; the end of time instead of an overflow."""
    try:
        return datetime.fromtimestamp(at.timestamp() + seconds, at.tzinfo)
    except (OverflowError, ValueError, OSError):
        return datetime.max.replace(tzinfo=at.tzinfo)


def is_over(wait: Wait, others: dict[str, Execution]) -> bool:
    """Whether a wait for executions is satisfied; one that does not exist any more counts as ended."""
    awaited = [others.get(execution_id) for execution_id in wait.execution_ids]
    ended = [one is None or one.status.is_final for one in awaited]
    if not awaited or all(ended):
        return True
    if wait.return_when is ReturnWhen.FIRST_ENDED:
        return any(ended)
    return wait.return_when is ReturnWhen.ALL_SUCCEEDED and _first_failed(wait, others) is not None


def outcome(
    call: Call,
    facts: Facts,
    *,
    effect_ids: Sequence[str],
    error: ErrorInfo | None,
    wait: Wait | None,
    at: datetime,
) -> Answer | None:
    """The answer of a call that had its effect; None: what it waits for is not over.

    Arguments: `effect_ids` and `error` as its savepoint keeps them, `wait` what it waits for (see
    `wait_of`; for a sleep its timer), `at` the time now.
    """
    if error is not None:
        return Answer(error=error)
    if wait is not None:
        return _waited(wait, facts, at)
    if isinstance(call, StartFlow | RunScript | Connect | Clone):
        return Answer(executions=_views(effect_ids, facts))
    if isinstance(call, RunExecution):
        return Answer(executions=_views((call.execution_id,), facts))
    if isinstance(call, End):
        return Answer(error=call.signal)
    if isinstance(call, Get):
        return _fields(call, facts)
    if isinstance(call, ListSavepoints):
        return Answer(savepoints=facts.savepoints)
    if isinstance(call, FindExecutions):
        return Answer(executions=facts.found)
    if isinstance(call, FindFlows):
        return Answer(flows=facts.flows)
    if isinstance(call, GetSetting | GetFile | GetOwnUser):
        return Answer(fields=facts.fields, outputs=facts.values or None)
    return Answer()


def _waited(wait: Wait, facts: Facts, at: datetime) -> Answer | None:
    timed_out = wait.wake_at is not None and wait.wake_at <= at
    if wait.lock is not None:
        if facts.is_lock_free:
            return Answer()
        message = f"the lock {wait.lock!r} was not free in time: another execution holds it"
        return failed("LockTimeoutError", message, **facts.fields) if timed_out else None
    if not wait.execution_ids and wait.wake_at is not None:
        return Answer() if timed_out else None
    if not is_over(wait, facts.others):
        return _timeout(wait, facts) if timed_out else None
    culprit = _first_failed(wait, facts.others) if wait.return_when is ReturnWhen.ALL_SUCCEEDED else None
    views = _views(wait.execution_ids, facts)
    return Answer(executions=views, error=None if culprit is None else _dependency_failed(culprit))


def _views(execution_ids: Sequence[str], facts: Facts) -> tuple[ExecutionView, ...]:
    return tuple(facts.others[one].view() for one in execution_ids if one in facts.others)


def _first_failed(wait: Wait, others: dict[str, Execution]) -> Execution | None:
    awaited = (others.get(execution_id) for execution_id in wait.execution_ids)
    return next(
        (one for one in awaited if one and one.status.is_final and one.status is not Status.ENDED_SUCCESS),
        None,
    )


def _dependency_failed(culprit: Execution) -> ErrorInfo:
    why = culprit.message or ""
    if culprit.error is not None:
        why = f"{culprit.error.type}: {culprit.error.message}"
    message = f"{culprit.name} ({culprit.id}) ended with {culprit.status}" + (f": {why}" if why else "")
    return ErrorInfo(type="DependencyFailedError", message=message, ids={"execution_id": culprit.id})


def _timeout(wait: Wait, facts: Facts) -> Answer:
    open_ones = [
        one
        for one in (facts.others.get(key) for key in wait.execution_ids)
        if one and not one.status.is_final
    ]
    listed = ", ".join(f"{one.name} ({one.id}) is {one.status}" for one in open_ones[:5])
    more = f" and {len(open_ones) - 5} more" if len(open_ones) > 5 else ""
    return Answer(
        executions=_views(wait.execution_ids, facts),
        error=ErrorInfo(
            type="DependencyTimeoutError",
            message=f"not over in time: {listed}{more}",
            ids={"execution_id": open_ones[0].id} if open_ones else {},
        ),
    )


def _fields(call: Get, facts: Facts) -> Answer:
    target = facts.others[call.execution_id]
    unknown = [field for field in call.fields if field not in _FIELDS and field not in _VALUE_FIELDS]
    if unknown:
        known = ", ".join(sorted((*_FIELDS, *_VALUE_FIELDS)))
        return failed(
            "InvalidInputError",
            f"an execution has no field {', '.join(map(repr, unknown))}; it has {known}",
            execution_id=target.id,
        )
    view = msgspec.structs.replace(target.view(), **facts.counts)
    asked = set(call.fields)
    plain: dict[str, Any] = {field: getattr(view, field) for field in call.fields if field in _FIELDS}
    return Answer(
        fields=plain,
        inputs=target.inputs if asked & {"input_value", "inputs"} else None,
        outputs=target.outputs if asked & {"output_value", "outputs"} else None,
    )
