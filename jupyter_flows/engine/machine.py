"""The rules: what becomes of an execution when something happens to it.

`handle` is pure: no clock, no store, no process. It takes an execution and an event and returns the new
execution and instructions. Which event is possible in which status is a table; every other pair is refused
with an error that shows the execution. Constraints of the database repeat what `violations` checks.

Weighed and left out: a status for "created", "starting" or "cancelling". They would be the same facts
twice: a created execution is PAUSED without a savepoint, a wish is a field, and starting a kernel is what
its worker does while the execution is RUNNING.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import asdict, replace

from ..errors import ConflictError
from ..model import Answer, ErrorInfo, Execution, ExecutionType, ResumeMode, Savepoint, Status, Wait, Wish
from . import call_rules
from .answers import CANCELLED, later, outcome
from .events import (
    Admitted,
    Archived,
    AwaitedEnded,
    Begin,
    CallMade,
    CancelChildren,
    CancelWished,
    Claimed,
    Deleted,
    DeleteExecution,
    DeleteSavepoints,
    EndWait,
    Event,
    Evicted,
    FlowEnded,
    ForgetCells,
    GraceOver,
    HeldBack,
    InsertSavepoint,
    Instruction,
    KernelDied,
    LockGranted,
    NotebookOpened,
    NotebookReopened,
    OutOfMemory,
    Park,
    PauseWished,
    ReleaseLocks,
    ReleasePermits,
    Reply,
    Restored,
    Run,
    RuntimeOver,
    SeekPermit,
    StartWait,
    StopKernel,
    TimerRang,
    WaitAbandoned,
    WakeWaiters,
    WorkerGone,
)
from .limits import limits_of
from .memory import size

Outcome = tuple[Execution, list[Instruction]]

#: How long a woken execution is left to the worker that kept its kernel.
AFFINITY = timedelta(seconds=1)
#: The longest delay between two tries, in seconds.
LONGEST_DELAY = 3600.0
#: Stands for "before the first savepoint" where a savepoint's id is kept.
BEFORE_FIRST = "-"

_FINAL = tuple(status for status in Status if status.is_final)
_OPEN = tuple(status for status in Status if not status.is_final)


def handle(execution: Execution, event: Event) -> Outcome:
    """The execution after `event`, and what is to be done.

    Raises ConflictError when that event cannot happen to an execution with this status.
    """
    rule = _TABLE.get((execution.status, type(event)))
    if rule is None:
        raise refused(execution, type(event).__name__)
    return rule(execution, event)


def refused(execution: Execution, what: str, advice: str = "") -> ConflictError:
    shown = {
        key: value
        for key, value in asdict(execution).items()
        if key in ("status", "type", "wish", "epoch", "worker_id", "savepoint_id", "attempts") and value
    }
    facts = ", ".join(f"{key} {value}" for key, value in shown.items())
    message = f"{what} is not possible: execution {execution.id} ({execution.name}) has {facts}"
    return ConflictError(f"{message}; {advice}" if advice else message, execution_id=execution.id)


def violations(execution: Execution) -> list[str]:
    """What must never be and is: empty for every execution that the rules made."""
    status, is_final = execution.status, execution.status.is_final
    claim = (execution.worker_id, execution.lease_until)
    checks = {
        "a final status has an end, no other has": is_final == (execution.ended_at is not None),
        "WAITING has a wait": status is not Status.WAITING or execution.wait is not None,
        "RUNNING is claimed and was started": status is not Status.RUNNING
        or (None not in claim and execution.started_at is not None and execution.epoch > 0),
        "an ended one is not claimed": not is_final or claim == (None, None),
        "an ended one has no wish": not is_final or execution.wish is None,
        "an ended one waits for nothing": not is_final or execution.wait is None,
        "nothing waits for itself": execution.wait is None
        or execution.id not in execution.wait.execution_ids,
        "counts are not negative": execution.epoch >= 0 and execution.attempts >= 0,
        "AGAIN needs a savepoint": execution.resume_mode is ResumeMode.JOIN
        or execution.savepoint_id is not None,
        "only a queued one is held back": execution.held_back is None or status is Status.QUEUED,
        "only an ended one is archived": execution.archived_at is None or is_final,
        "only one that stands somewhere was told of its cancellation": execution.cancel_savepoint_id is None
        or execution.savepoint_id is not None,
    }
    return [text for text, holds in checks.items() if not holds]


# --- claims -------------------------------------------------------------------------------------


def _claimed(execution: Execution, event: Claimed) -> Outcome:
    running = replace(
        execution,
        status=Status.RUNNING,
        worker_id=event.worker_id,
        lease_until=event.lease_until,
        epoch=execution.epoch + 1,
        started_at=execution.started_at or event.at,
        ends_by=execution.ends_by or _ends_by(execution, event.at),
    )
    stands_at = event.stands_at
    if stands_at is None and execution.failures:
        running = replace(running, error=None, message=None)
    if event.joining is not None:
        running = replace(
            running,
            savepoint_id=stands_at.id if stands_at else None,
            joining=event.joining,
            resume_mode=ResumeMode.JOIN,
            cancel_savepoint_id=None if event.is_untold else running.cancel_savepoint_id,
        )
    if stands_at is None or running.resume_mode is ResumeMode.AGAIN:
        return running, [Begin(savepoint_id=running.savepoint_id, mode=running.resume_mode)]
    if event.heard is not None:
        told = _tells_again(running, stands_at, event.heard)
        return told, [Begin(savepoint_id=stands_at.id, mode=ResumeMode.JOIN, answer=event.heard)]
    if _hears_of_cancel(running) or running.cancel_savepoint_id == stands_at.id:
        told = replace(running, cancel_savepoint_id=stands_at.id, joining=None)
        return told, [Begin(savepoint_id=stands_at.id, mode=ResumeMode.JOIN, answer=CANCELLED)]
    wait = call_rules.wait_at(stands_at)
    answer = outcome(
        stands_at.call,
        event.facts,
        effect_ids=stands_at.effect_ids,
        error=stands_at.error,
        wait=wait,
        at=event.at,
    )
    if answer is None:  # it was woken too early, or what it waited for was restored meanwhile
        assert wait is not None
        return _waiting(execution, wait)
    begin = Begin(savepoint_id=stands_at.id, mode=ResumeMode.JOIN, answer=answer)
    return running, [*call_rules.lock_taken(wait, event.facts), begin]


def _waiting(execution: Execution, wait: Wait) -> Outcome:
    waiting = replace(execution, status=Status.WAITING, wait=wait, lease_until=None)
    return waiting, [_end_wait(execution), _start_wait(wait)]


def _start_wait(wait: Wait) -> StartWait:
    return StartWait(execution_ids=wait.execution_ids, lock=wait.lock)


def _end_wait(execution: Execution) -> EndWait:
    """`execution` as it was before."""
    return EndWait(is_for_lock=execution.wait is not None and execution.wait.lock is not None)


def _ends_by(execution: Execution, at: datetime) -> datetime | None:
    seconds = execution.options.max_runtime
    return None if seconds is None else later(at, seconds)


def _tells_again(execution: Execution, savepoint: Savepoint, heard: Answer) -> Execution:
    """What it was told there before; of its cancellation too, if it was that."""
    is_cancel = heard.error is not None and heard.error.type == "ExecutionCancel"
    return replace(execution, cancel_savepoint_id=savepoint.id) if is_cancel else execution


def _hears_of_cancel(execution: Execution) -> bool:
    return execution.wish is Wish.CANCEL and execution.cancel_savepoint_id is None


# --- calls --------------------------------------------------------------------------------------


def _called(execution: Execution, event: CallMade) -> Outcome:
    if event.joins is not None:
        return _joined(execution, event, event.joins)
    standing = replace(
        execution,
        savepoint_id=event.savepoint.id,
        resume_mode=ResumeMode.JOIN,
        attempts=0,
        joining=None,
        wait=None,
    )
    if event.was_told and _hears_of_cancel(standing):
        standing = replace(standing, cancel_savepoint_id=execution.savepoint_id or BEFORE_FIRST)
    if _hears_of_cancel(standing) and not event.goes_on:
        return _told_of_cancel(standing, [InsertSavepoint(savepoint=event.savepoint)], event.savepoint)
    effect = call_rules.effect(standing, event)
    savepoint = replace(event.savepoint, effect_ids=effect.effect_ids, error=effect.error)
    first: list[Instruction] = [InsertSavepoint(savepoint=savepoint)]
    if effect.goes_to is not None:
        return _loaded(effect.execution, event, first, effect.goes_to)
    if effect.is_cancelled:
        told = replace(effect.execution, wish=Wish.CANCEL)
        return _told_of_cancel(told, [*first, *effect.instructions], savepoint)
    return _answered_or_parked(
        effect.execution, event, savepoint, effect.wait, [*first, *effect.instructions]
    )


def _joined(execution: Execution, event: CallMade, recorded: Savepoint) -> Outcome:
    """The call had its effect before the crash: only its outcome is told again, and as it was told then,
    since what the flow did next may come from it."""
    is_newest = recorded.id == execution.joining
    standing = replace(
        execution,
        savepoint_id=recorded.id,
        resume_mode=ResumeMode.JOIN,
        joining=None if is_newest else execution.joining,
    )
    if event.heard is not None:
        return _tells_again(standing, recorded, event.heard), [Reply(answer=event.heard)]
    if is_newest and _hears_of_cancel(standing):
        return _told_of_cancel(standing, [], recorded)
    wait = call_rules.wait_at(recorded)
    return _answered_or_parked(standing, event, recorded, wait, [])


def _told_of_cancel(execution: Execution, first: list[Instruction], savepoint: Savepoint) -> Outcome:
    return replace(execution, cancel_savepoint_id=savepoint.id), [*first, Reply(answer=CANCELLED)]


def _answered_or_parked(
    execution: Execution, event: CallMade, savepoint: Savepoint, wait: Wait | None, first: list[Instruction]
) -> Outcome:
    answer = outcome(
        event.call,
        event.facts,
        effect_ids=savepoint.effect_ids,
        error=savepoint.error,
        wait=wait,
        at=event.at,
    )
    if execution.wish is Wish.PAUSE and not event.goes_on:
        paused = replace(
            execution, status=Status.PAUSED, wish=None, wait=wait, lease_until=None, ends_by=None
        )
        return paused, [*first, Park()]
    if answer is not None:
        return execution, [*first, Reply(answer=answer)]
    assert wait is not None
    waiting = replace(execution, status=Status.WAITING, wait=wait, lease_until=None)
    return waiting, [*first, _start_wait(wait), Park()]


def _loaded(execution: Execution, event: CallMade, first: list[Instruction], target: Savepoint) -> Outcome:
    instructions = [*first, *call_rules.count_restore(target)]
    back = _put_back(execution, target.id, event.facts.outputs)
    return back, [*instructions, StopKernel(reason="the execution goes on from another savepoint")]


# --- waits --------------------------------------------------------------------------------------


def _awaited_ended(execution: Execution, event: AwaitedEnded) -> Outcome:
    assert execution.wait is not None
    return_when = execution.wait.return_when.value
    failed = event.status is not Status.ENDED_SUCCESS
    is_over = (
        not event.others_left or return_when == "FIRST_ENDED" or (failed and return_when == "ALL_SUCCEEDED")
    )
    return _woken(execution, event) if is_over else (execution, [])


def _timer_rang(execution: Execution, event: TimerRang) -> Outcome:
    assert execution.wait is not None
    if execution.wait.wake_at is None or execution.wait.wake_at > event.at:
        return execution, []
    return _woken(execution, event)


def _lock_granted(execution: Execution, event: LockGranted) -> Outcome:
    return _woken(execution, event)


def _woken(execution: Execution, event: AwaitedEnded | TimerRang | LockGranted | CancelWished) -> Outcome:
    """The wait is kept: whether its time was over shows what the answer is."""
    woken = replace(execution, status=Status.QUEUED, lease_until=_affinity(execution, event))
    return woken, [_end_wait(execution)]


def _affinity(execution: Execution, event: Any) -> datetime | None:
    return None if execution.worker_id is None else event.at + AFFINITY


def _evicted(execution: Execution, event: Evicted) -> Outcome:
    del event
    return replace(execution, worker_id=None, lease_until=None), []


def _wait_abandoned(execution: Execution, event: WaitAbandoned) -> Outcome:
    if execution.type is not ExecutionType.NOTEBOOK or execution.worker_id is None:
        raise refused(execution, "giving a wait up", "only the person at a notebook can")
    running = replace(execution, status=Status.RUNNING, lease_until=event.lease_until, wait=None)
    return running, [_end_wait(execution)]


# --- ends ---------------------------------------------------------------------------------------


def _ended(
    execution: Execution, event: Any, status: Status, message: str | None, error: ErrorInfo | None = None
) -> Outcome:
    ended = replace(
        execution,
        status=status,
        ended_at=event.at,
        message=execution.message if message is None else message,
        error=error,
        wish=None,
        wait=None,
        worker_id=None,
        lease_until=None,
        joining=None,
        ends_by=None,
        held_back=None,
    )
    instructions: list[Instruction] = [_end_wait(execution)] if execution.status is Status.WAITING else []
    if execution.type is not ExecutionType.CONNECTION:
        instructions.append(ReleaseLocks())
    if limits_of(execution):
        instructions.append(ReleasePermits())
    instructions.append(WakeWaiters(status=status))
    if status is Status.ENDED_CANCELLED:
        instructions.append(CancelChildren())
    return ended, instructions


def _failed(execution: Execution, event: Any, error: ErrorInfo, message: str | None = None) -> Outcome:
    """It is tried again from its start if its flow says so, else it has ended."""
    options = execution.options
    may_retry = execution.type is ExecutionType.FLOW and execution.wish is not Wish.CANCEL
    if not may_retry or execution.failures >= options.retries:
        return _ended(execution, event, Status.ENDED_ERROR, message, error)
    delay = min(options.retry_delay * 2.0**execution.failures, LONGEST_DELAY)
    what = f"try {execution.failures + 1} of {options.retries + 1} failed ({error.type}: {error.message})"
    again = replace(
        execution,
        status=Status.WAITING,
        wait=Wait(wake_at=later(event.at, delay)),
        message=f"{what}; the next begins in {delay:g} s",
        error=error,
        failures=execution.failures + 1,
        attempts=0,
        outputs={},
        wish=None,
        savepoint_id=None,
        cancel_savepoint_id=None,
        resume_mode=ResumeMode.JOIN,
        joining=None,
        worker_id=None,
        lease_until=None,
        ends_by=None,
    )
    left: list[Instruction] = [_end_wait(execution)] if execution.status is Status.WAITING else []
    return again, [*left, ReleaseLocks(), ForgetCells()]


def _runtime_over(execution: Execution, event: RuntimeOver) -> Outcome:
    if execution.ends_by is None or execution.ends_by > event.at:
        return execution, []
    seconds = execution.options.max_runtime or 0.0
    message = f"it ran longer than its max_runtime of {seconds:g} s"
    return _stopped(execution, event, ErrorInfo(type="TimeoutExceededError", message=message))


def _out_of_memory(execution: Execution, event: OutOfMemory) -> Outcome:
    message = f"killed: out of memory, peak {size(event.peak)} (its memory_limit is {size(event.limit)})"
    return _stopped(execution, event, ErrorInfo(type="KernelDiedError", message=message))


def _stopped(execution: Execution, event: Any, error: ErrorInfo) -> Outcome:
    """Its kernel is ended at once: no more of its code runs, so that its children are ended for it."""
    error = replace(error, ids={"execution_id": execution.id})
    stopped, instructions = _failed(execution, event, error, error.message)
    return stopped, [*instructions, CancelChildren(), StopKernel(reason=error.message)]


def _flow_ended(execution: Execution, event: FlowEnded) -> Outcome:
    if not event.status.is_final:
        raise refused(execution, f"an end with {event.status}")
    if event.outputs is not None:
        execution = replace(execution, outputs=event.outputs)
    # What the author ends with `this.error(…)` is meant: another try would not change it.
    if event.error is not None and event.error.type != "ExecutionError":
        return _failed(execution, event, event.error, event.message)
    return _ended(execution, event, event.status, event.message, event.error)


def _kernel_died(execution: Execution, event: KernelDied) -> Outcome:
    if execution.wish is Wish.CANCEL:
        return _ended(
            execution, event, Status.ENDED_CANCELLED, "cancelled; its kernel died before it reacted"
        )
    if execution.type is ExecutionType.NOTEBOOK:
        return _closed(execution)
    attempts = execution.attempts + 1
    if attempts < event.limit:
        return _unclaimed(replace(execution, attempts=attempts), Status.QUEUED), []
    where = (
        f"at savepoint {execution.savepoint_id}" if execution.savepoint_id else "before its first savepoint"
    )
    message = f"its kernel died {attempts} times {where}: {event.reason}"
    error = ErrorInfo(type="KernelDiedError", message=message, ids={"execution_id": execution.id})
    return _failed(replace(execution, attempts=attempts), event, error)


def _worker_gone(execution: Execution, event: WorkerGone) -> Outcome:
    if execution.type is ExecutionType.NOTEBOOK and execution.status is not Status.PAUSED:
        if execution.wish is Wish.CANCEL:
            return _ended(execution, event, Status.ENDED_CANCELLED, "cancelled")
        return _closed(execution)
    status = Status.QUEUED if execution.status is Status.RUNNING else execution.status
    return _unclaimed(execution, status), []


def _closed(execution: Execution) -> Outcome:
    """A notebook whose kernel has gone waits for a person."""
    advice = "its kernel has gone before the first savepoint"
    if execution.savepoint_id:
        command = f"%flow restore {execution.savepoint_id}"
        advice = f"its kernel has gone; `{command}` in a notebook with the Flows kernel goes on"
    return replace(_unclaimed(execution, Status.PAUSED), wait=None, message=advice), [_end_wait(execution)]


def _unclaimed(execution: Execution, status: Status) -> Execution:
    return replace(execution, status=status, worker_id=None, lease_until=None)


# --- wishes -------------------------------------------------------------------------------------


def _cancel_wished(execution: Execution, event: CancelWished) -> Outcome:
    is_running = execution.status is Status.RUNNING
    runs_no_flow = execution.type is ExecutionType.CONNECTION or (
        execution.savepoint_id is None and not is_running
    )
    is_left = execution.type is ExecutionType.NOTEBOOK and execution.status is Status.PAUSED
    if runs_no_flow or is_left:
        return _ended(execution, event, Status.ENDED_CANCELLED, "cancelled")
    if execution.wish is Wish.CANCEL:
        return execution, []
    # No limit keeps it from cleaning up.
    wishing = replace(execution, wish=Wish.CANCEL, held_back=None)
    if execution.status is Status.WAITING:
        woken, instructions = _woken(wishing, event)
        return woken, [*instructions, CancelChildren()]
    if execution.status is Status.PAUSED:
        wishing = replace(wishing, status=Status.QUEUED, lease_until=_affinity(execution, event))
    return wishing, [CancelChildren()]


def _grace_over(execution: Execution, event: GraceOver) -> Outcome:
    if execution.wish is not Wish.CANCEL:
        return execution, []
    message = f"cancelled; it did not react within {event.seconds:g} s, so its kernel was killed"
    ended, instructions = _ended(execution, event, Status.ENDED_CANCELLED, message)
    return ended, [*instructions, StopKernel(reason="cancelled")]


def _pause_wished(execution: Execution, event: PauseWished) -> Outcome:
    del event
    if execution.wish is Wish.CANCEL:
        raise refused(execution, "a pause", "it is being cancelled")
    if execution.type is not ExecutionType.FLOW:
        raise refused(execution, "a pause", "only flows can be paused")
    if execution.status is Status.RUNNING:
        return replace(execution, wish=Wish.PAUSE), []
    paused = replace(execution, status=Status.PAUSED, lease_until=None, ends_by=None, held_back=None)
    return paused, [_end_wait(execution)]


def _run(execution: Execution, event: Run) -> Outcome:
    if execution.status is Status.RUNNING:
        return replace(execution, wish=None if execution.wish is Wish.PAUSE else execution.wish), []
    if execution.type is ExecutionType.NOTEBOOK:
        raise refused(execution, "going on", f"say `%flow restore {execution.savepoint_id}` in a notebook")
    queued = replace(execution, status=Status.QUEUED, lease_until=_affinity(execution, event))
    return queued, _permits_sought(execution)


def _permits_sought(execution: Execution) -> list[Instruction]:
    return [SeekPermit()] if limits_of(execution) else []


def _held_back(execution: Execution, event: HeldBack) -> Outcome:
    return replace(execution, held_back=event.limit), []


def _admitted(execution: Execution, event: Admitted) -> Outcome:
    del event
    return replace(execution, held_back=None), []


# --- restores -----------------------------------------------------------------------------------


def _put_back(execution: Execution, savepoint_id: str, outputs: dict[str, Any]) -> Execution:
    return replace(
        execution,
        status=Status.QUEUED,
        savepoint_id=savepoint_id,
        resume_mode=ResumeMode.AGAIN,
        outputs=outputs,
        epoch=execution.epoch + 1,
        attempts=0,
        message=None,
        error=None,
        ended_at=None,
        wish=None,
        wait=None,
        joining=None,
        cancel_savepoint_id=None,
        worker_id=None,
        lease_until=None,
        failures=0,
        ends_by=None,
        held_back=None,
    )


def _restored(execution: Execution, event: Restored) -> Outcome:
    if execution.type is ExecutionType.NOTEBOOK:
        advice = f"say `%flow restore {event.savepoint_id}` in a notebook with the Flows kernel"
        raise refused(execution, "a restore from here", advice)
    back = _put_back(execution, event.savepoint_id, event.outputs)
    back = replace(back, flow_version=event.flow_version or back.flow_version)
    return back, [_end_wait(execution), *_permits_sought(execution)]


def _notebook_opened(execution: Execution, event: NotebookOpened) -> Outcome:
    if execution.type is not ExecutionType.NOTEBOOK:
        advice = f"restore it in the panel or with `jupyter flows restore {event.savepoint_id}`"
        raise refused(execution, "going on in a notebook", advice)
    back = _put_back(execution, event.savepoint_id, event.outputs)
    running = replace(
        back,
        status=Status.RUNNING,
        worker_id=event.worker_id,
        lease_until=event.lease_until,
        started_at=back.started_at or event.at,
    )
    begin = Begin(savepoint_id=event.savepoint_id, mode=ResumeMode.AGAIN)
    return running, [_end_wait(execution), begin]


def _notebook_reopened(execution: Execution, event: NotebookReopened) -> Outcome:
    """Its savepoints stay to be restored; those to come are a branch of their own."""
    if execution.type is not ExecutionType.NOTEBOOK:
        raise refused(execution, "going on in a notebook")
    running = replace(
        execution,
        status=Status.RUNNING,
        worker_id=event.worker_id,
        lease_until=event.lease_until,
        epoch=execution.epoch + 1,
        started_at=execution.started_at or event.at,
        savepoint_id=None,
        cancel_savepoint_id=None,
        resume_mode=ResumeMode.JOIN,
        message=None,
    )
    return running, [Begin(savepoint_id=None, mode=ResumeMode.JOIN)]


# --- after the end -------------------------------------------------------------------------------


def _archived(execution: Execution, event: Archived) -> Outcome:
    at_none = replace(
        execution,
        savepoint_id=None,
        cancel_savepoint_id=None,
        resume_mode=ResumeMode.JOIN,
        archived_at=execution.archived_at or event.at,
    )
    return at_none, [DeleteSavepoints()]


def _deleted(execution: Execution, event: Deleted) -> Outcome:
    del event
    return execution, [DeleteExecution()]


_TABLE: dict[tuple[Status, type[Any]], Callable[[Execution, Any], Outcome]] = {}


def _possible(rule: Callable[[Execution, Any], Outcome], event: type[Any], *statuses: Status) -> None:
    for status in statuses:
        _TABLE[status, event] = rule


_possible(_run, Run, Status.PAUSED, Status.RUNNING)
_possible(_claimed, Claimed, Status.QUEUED)
_possible(_called, CallMade, Status.RUNNING)
_possible(_awaited_ended, AwaitedEnded, Status.WAITING)
_possible(_timer_rang, TimerRang, Status.WAITING)
_possible(_flow_ended, FlowEnded, Status.RUNNING)
_possible(_kernel_died, KernelDied, Status.RUNNING)
_possible(_worker_gone, WorkerGone, *_OPEN)
_possible(_evicted, Evicted, Status.WAITING, Status.PAUSED, Status.QUEUED)
_possible(_wait_abandoned, WaitAbandoned, Status.WAITING, Status.QUEUED)
_possible(_cancel_wished, CancelWished, *_OPEN)
_possible(_grace_over, GraceOver, Status.RUNNING)
_possible(_pause_wished, PauseWished, Status.QUEUED, Status.WAITING, Status.RUNNING, Status.PAUSED)
_possible(_restored, Restored, *Status)
_possible(_notebook_opened, NotebookOpened, *Status)
_possible(_notebook_reopened, NotebookReopened, Status.PAUSED)
_possible(_lock_granted, LockGranted, Status.WAITING)
_possible(_runtime_over, RuntimeOver, Status.QUEUED, Status.RUNNING, Status.WAITING)
_possible(_out_of_memory, OutOfMemory, Status.RUNNING)
_possible(_held_back, HeldBack, Status.QUEUED)
_possible(_admitted, Admitted, Status.QUEUED)
_possible(_archived, Archived, *_FINAL)
_possible(_deleted, Deleted, *_FINAL)
