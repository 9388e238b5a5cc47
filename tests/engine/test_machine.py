"""The rules of executions: no process, no store, no clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from jupyter_flows.engine.answers import CANCELLED
from jupyter_flows.engine.events import (
    AppendLog,
    AwaitedEnded,
    Begin,
    CallMade,
    CancelChildren,
    CancelWished,
    Claimed,
    CountRestore,
    EndWait,
    Event,
    Evicted,
    Facts,
    FlowEnded,
    GraceOver,
    InsertExecution,
    InsertSavepoint,
    Instruction,
    KernelDied,
    NotebookOpened,
    Park,
    PauseWished,
    ReleaseLocks,
    Reply,
    Restored,
    Run,
    RunOther,
    SaveOther,
    StartWait,
    StopKernel,
    TimerRang,
    WaitAbandoned,
    WakeWaiters,
    WorkerGone,
)
from jupyter_flows.engine.machine import AFFINITY, handle, violations
from jupyter_flows.errors import ConflictError
from jupyter_flows.model import (
    Answer,
    Call,
    Cancel,
    CreateSavepoint,
    End,
    ErrorInfo,
    Execution,
    ExecutionType,
    Get,
    LoadSavepoint,
    Log,
    ResumeMode,
    ReturnWhen,
    RunExecution,
    Save,
    Savepoint,
    SavepointDraft,
    SavepointKind,
    SetOutput,
    Site,
    Sleep,
    StartFlow,
    Status,
    Value,
    Wait,
    WaitFor,
    Wish,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LEASE = NOON + timedelta(seconds=30)


def execution(**fields: Any) -> Execution:
    known: dict[str, Any] = {
        "id": "e1",
        "type": ExecutionType.FLOW,
        "flow": "score",
        "flow_version": "v",
        "name": "score",
        "directory": "/flows",
        "status": Status.QUEUED,
        "created_at": NOON,
    }
    made = Execution(**{**known, **fields})
    assert violations(made) == []
    return made


def running(**fields: Any) -> Execution:
    claim = {"worker_id": "w1", "lease_until": LEASE, "started_at": NOON, "epoch": 1}
    return execution(**{"status": Status.RUNNING, **claim, **fields})


def waiting(wait: Wait, **fields: Any) -> Execution:
    kept = {"worker_id": "w1", "started_at": NOON, "epoch": 1, "savepoint_id": "s1"}
    return execution(**{"status": Status.WAITING, "wait": wait, **kept, **fields})


def ended(execution_id: str, status: Status = Status.ENDED_SUCCESS, **fields: Any) -> Execution:
    return execution(id=execution_id, status=status, ended_at=NOON, **fields)


def savepoint(call: Call, savepoint_id: str = "s1", **fields: Any) -> Savepoint:
    draft = SavepointDraft(
        kind=SavepointKind.IMPLICIT,
        site=Site(),
        manifest=b"m",
        chunks=(),
        exact=fields.pop("exact", True),
        name=fields.pop("name", None),
    )
    known = {"execution_id": "e1", "parent_id": None, "number": 1, "created_at": NOON}
    return Savepoint(**{**known, "id": savepoint_id, "call": call, "draft": draft, **fields})


def happens(before: Execution, event: Event) -> tuple[Execution, list[Instruction]]:
    """What the machine says; whatever it is, nothing may be that must never be."""
    after, instructions = handle(before, event)
    assert violations(after) == []
    assert after.epoch >= before.epoch
    return after, instructions


def called(before: Execution, call: Call, **fields: Any) -> tuple[Execution, list[Instruction], Savepoint]:
    made = savepoint(call, "s2")
    facts = fields.pop("facts", Facts())
    after, instructions = happens(before, CallMade(at=NOON, call=call, savepoint=made, facts=facts, **fields))
    return after, instructions, made


def claimed(before: Execution, **fields: Any) -> tuple[Execution, list[Instruction]]:
    return happens(before, Claimed(at=NOON, worker_id="w1", lease_until=LEASE, **fields))


# --- claims


def test_a_fresh_execution_begins_from_the_start() -> None:
    after, instructions = claimed(execution())
    assert instructions == [Begin(savepoint_id=None, mode=ResumeMode.JOIN)]
    assert after == running()


def test_a_crashed_one_joins_the_call_it_stands_at() -> None:
    stands_at = savepoint(Log(text="x"))
    after, instructions = claimed(execution(savepoint_id="s1", epoch=4), stands_at=stands_at)
    assert instructions == [Begin(savepoint_id="s1", mode=ResumeMode.JOIN, answer=Answer())]
    assert after.epoch == 5


def test_a_restored_one_makes_its_call_again() -> None:
    before = execution(savepoint_id="s1", resume_mode=ResumeMode.AGAIN)
    after, instructions = claimed(before, stands_at=savepoint(Log(text="x")))
    assert instructions == [Begin(savepoint_id="s1", mode=ResumeMode.AGAIN)]
    assert after.resume_mode is ResumeMode.AGAIN  # until a new savepoint is made


def test_one_woken_too_early_waits_on() -> None:
    stands_at = savepoint(WaitFor(execution_ids=("e2",)))
    others = {"e2": execution(id="e2")}
    before = execution(savepoint_id="s1")
    after, instructions = claimed(before, stands_at=stands_at, facts=Facts(others=others))
    assert instructions == [EndWait(), StartWait(execution_ids=("e2",))]
    assert after.status is Status.WAITING
    assert after.epoch == before.epoch


def test_one_whose_newest_savepoint_is_inexact_goes_back_to_join() -> None:
    exact = savepoint(Log(text="x"), "s1")
    before = execution(savepoint_id="s3")
    after, instructions = claimed(before, stands_at=exact, joining="s3")
    assert (after.savepoint_id, after.joining) == ("s1", "s3")
    assert instructions == [Begin(savepoint_id="s1", mode=ResumeMode.JOIN, answer=Answer())]


def test_a_cancelled_one_is_told_at_its_savepoint() -> None:
    before = execution(savepoint_id="s1", wish=Wish.CANCEL)
    after, instructions = claimed(before, stands_at=savepoint(Sleep(seconds=99)))
    assert instructions == [Begin(savepoint_id="s1", mode=ResumeMode.JOIN, answer=CANCELLED)]
    assert after.cancel_savepoint_id == "s1"
    again, told_again = claimed(replace(after, status=Status.QUEUED), stands_at=savepoint(Sleep(seconds=99)))
    assert told_again == instructions
    assert again.cancel_savepoint_id == "s1"


# --- calls


def test_a_child_is_created_with_the_savepoint_and_waited_for() -> None:
    child = execution(id="e2", parent_id="e1")
    call = StartFlow(flow="child")
    after, instructions, made = called(running(), call, facts=Facts(child=child, others={"e2": child}))
    assert instructions == [
        InsertSavepoint(savepoint=replace(made, effect_ids=("e2",))),
        InsertExecution(execution=child),
        StartWait(execution_ids=("e2",)),
        Park(),
    ]
    assert after.status is Status.WAITING
    assert after.wait == Wait(execution_ids=("e2",))
    assert (after.worker_id, after.lease_until) == ("w1", None)


def test_a_child_in_the_background_is_answered_at_once() -> None:
    child = execution(id="e2", parent_id="e1")
    call = StartFlow(flow="child", wait=False)
    after, instructions, _ = called(running(), call, facts=Facts(child=child, others={"e2": child}))
    assert instructions[1:] == [
        InsertExecution(execution=child),
        Reply(answer=Answer(executions=(child.view(),))),
    ]
    assert after.status is Status.RUNNING


def test_a_call_that_can_have_no_effect_keeps_its_error() -> None:
    error = ErrorInfo(type="ResourceNotFoundError", message="no such flow")
    after, instructions, made = called(running(), StartFlow(flow="?"), facts=Facts(error=error))
    assert instructions == [
        InsertSavepoint(savepoint=replace(made, error=error)),
        Reply(answer=Answer(error=error)),
    ]
    assert after.status is Status.RUNNING


def test_a_new_savepoint_forgets_earlier_deaths() -> None:
    after, _, _ = called(running(attempts=2, resume_mode=ResumeMode.AGAIN, savepoint_id="s1"), Log(text="x"))
    assert (after.attempts, after.resume_mode, after.savepoint_id) == (0, ResumeMode.JOIN, "s2")


@pytest.mark.parametrize(
    ("return_when", "statuses", "is_over", "error"),
    [
        ("ALL_SUCCEEDED", ["ENDED_SUCCESS", "ENDED_SUCCESS"], True, None),
        ("ALL_SUCCEEDED", ["ENDED_SUCCESS", "QUEUED"], False, None),
        ("ALL_SUCCEEDED", ["QUEUED", "ENDED_ERROR"], True, "DependencyFailedError"),
        ("ALL_SUCCEEDED", ["ENDED_CANCELLED", "ENDED_SUCCESS"], True, "DependencyFailedError"),
        ("ALL_ENDED", ["ENDED_ERROR", "QUEUED"], False, None),
        ("ALL_ENDED", ["ENDED_ERROR", "ENDED_SUCCESS"], True, None),
        ("FIRST_ENDED", ["QUEUED", "ENDED_ERROR"], True, None),
        ("FIRST_ENDED", ["QUEUED", "QUEUED"], False, None),
    ],
)
def test_when_a_wait_is_over(return_when: str, statuses: list[str], is_over: bool, error: str | None) -> None:
    others = {
        f"c{number}": ended(f"c{number}", Status(status))
        if status.startswith("ENDED")
        else execution(id=f"c{number}")
        for number, status in enumerate(statuses)
    }
    call = WaitFor(execution_ids=tuple(others), return_when=ReturnWhen(return_when))
    after, instructions, _ = called(running(), call, facts=Facts(others=others))
    if not is_over:
        assert instructions[1:] == [StartWait(execution_ids=("c0", "c1")), Park()]
        assert after.status is Status.WAITING
        return
    (reply,) = instructions[1:]
    assert isinstance(reply, Reply)
    assert [one.id for one in reply.answer.executions] == ["c0", "c1"]
    assert (reply.answer.error.type if reply.answer.error else None) == error


def test_a_failed_dependency_is_named_with_its_error() -> None:
    why = ErrorInfo(type="ValueError", message="bad rows")
    child = ended("c7", Status.ENDED_ERROR, error=why)
    _, instructions, _ = called(running(), WaitFor(execution_ids=("c7",)), facts=Facts(others={"c7": child}))
    reply = instructions[-1]
    assert isinstance(reply, Reply)
    assert reply.answer.error == ErrorInfo(
        type="DependencyFailedError",
        message="score (c7) ended with ENDED_ERROR: ValueError: bad rows",
        ids={"execution_id": "c7"},
    )


@pytest.mark.parametrize("call", [WaitFor(execution_ids=("e1",)), RunExecution(execution_id="e1", wait=True)])
def test_nothing_waits_for_itself(call: Call) -> None:
    before = running()
    after, instructions, _ = called(before, call, facts=Facts(others={"e1": before}))
    assert after.status is Status.RUNNING
    reply = instructions[-1]
    assert isinstance(reply, Reply)
    assert reply.answer.error is not None
    assert reply.answer.error.type == "InvalidInputError"


def test_sleep_waits_until_its_time_and_a_past_one_does_not() -> None:
    after, instructions, _ = called(running(), Sleep(seconds=5))
    assert after.wait == Wait(wake_at=NOON + timedelta(seconds=5))
    assert instructions[1:] == [StartWait(execution_ids=()), Park()]
    _, instructions, _ = called(running(), Sleep(until=NOON - timedelta(days=1)))
    assert instructions[1:] == [Reply(answer=Answer())]


def test_an_absurd_sleep_lasts_to_the_end_of_time() -> None:
    after, _, _ = called(running(), Sleep(seconds=1e30))
    assert after.wait is not None
    assert after.wait.wake_at is not None
    assert after.wait.wake_at.year == 9999


@pytest.mark.parametrize(
    ("status", "signal"),
    [
        (Status.ENDED_SUCCESS, "ExecutionSuccess"),
        (Status.ENDED_ERROR, "ExecutionError"),
        (Status.ENDED_CANCELLED, "ExecutionCancel"),
    ],
)
def test_an_end_is_answered_with_its_signal(status: Status, signal: str) -> None:
    after, instructions, _ = called(running(), End(status=status, message="done"))
    assert after.status is Status.RUNNING  # `finally` blocks still run
    assert instructions[1:] == [Reply(answer=Answer(error=ErrorInfo(type=signal, message="done")))]


def test_data_of_its_own_and_of_others() -> None:
    one, two = Value(json=1), Value(json=2)
    after, _, _ = called(running(outputs={"a": one}), SetOutput(outputs={"b": two}))
    assert after.outputs == {"a": one, "b": two}
    after, _, _ = called(after, Save(execution_id="e1", name="new", outputs={"c": one}))
    assert (after.name, after.outputs) == ("new", {"c": one})
    other = execution(id="e2")
    _, instructions, _ = called(
        running(), Save(execution_id="e2", message="hi"), facts=Facts(others={"e2": other})
    )
    assert instructions[1] == SaveOther(execution_id="e2", fields={"message": "hi"})
    after, instructions, _ = called(running(), Log(text="x", fields={"n": 1}))
    assert instructions[1:] == [
        AppendLog(level=Log(text="").level, text="x", fields={"n": 1}),
        Reply(answer=Answer()),
    ]


def test_get_tells_plain_fields_and_values() -> None:
    other = execution(id="e2", outputs={"n": Value(json=3)})
    facts = Facts(others={"e2": other}, counts={"children": 4})
    call = Get(execution_id="e2", fields=("status", "children", "output_value"))
    _, instructions, _ = called(running(), call, facts=facts)
    answer = Answer(fields={"status": Status.QUEUED, "children": 4}, outputs={"n": Value(json=3)})
    assert instructions[1:] == [Reply(answer=answer)]
    _, instructions, _ = called(running(), Get(execution_id="e2", fields=("colour",)), facts=facts)
    reply = instructions[1]
    assert isinstance(reply, Reply)
    assert reply.answer.error is not None
    assert "it has archived_at, attempts, children, created_at" in reply.answer.error.message


def test_a_created_child_is_run_once() -> None:
    created = execution(id="e2", status=Status.PAUSED)
    call = RunExecution(execution_id="e2", wait=False)
    _, instructions, _ = called(running(), call, facts=Facts(others={"e2": created}))
    assert instructions[1] == RunOther(execution_id="e2")
    _, instructions, _ = called(running(), call, facts=Facts(others={"e2": ended("e2")}))
    assert [type(one) for one in instructions] == [InsertSavepoint, Reply]


# --- load_savepoint


def test_load_savepoint_puts_back_and_stops_the_kernel() -> None:
    target = savepoint(CreateSavepoint(name="top"), "s1", restores=3)
    facts = Facts(target=target, outputs={"a": Value(json=1)})
    before = running(savepoint_id="s1", outputs={"b": Value(json=2)}, message="x")
    after, instructions, made = called(before, LoadSavepoint(ref="top", by="name"), facts=facts)
    assert instructions == [
        InsertSavepoint(savepoint=made),
        CountRestore(savepoint_id="s1"),
        StopKernel(reason="the execution goes on from another savepoint"),
    ]
    assert (after.status, after.savepoint_id, after.resume_mode) == (Status.QUEUED, "s1", ResumeMode.AGAIN)
    assert (after.epoch, after.outputs, after.message) == (2, {"a": Value(json=1)}, None)


def test_an_endless_loop_of_restores_is_refused() -> None:
    target = savepoint(CreateSavepoint(name="top"), "s1", restores=100)
    after, instructions, _ = called(
        running(savepoint_id="s1"), LoadSavepoint(ref="s1"), facts=Facts(target=target)
    )
    assert after.status is Status.RUNNING
    reply = instructions[-1]
    assert isinstance(reply, Reply)
    assert reply.answer.error is not None
    assert reply.answer.error.type == "SavepointError"
    assert "max_restores" in reply.answer.error.message


# --- joining recorded calls


def test_a_recorded_call_is_told_again_and_not_made_again() -> None:
    recorded = savepoint(StartFlow(flow="c", wait=False), "s8", effect_ids=("e2",), exact=False)
    child = execution(id="e2")
    before = running(savepoint_id="s1", joining="s9", attempts=1)
    after, instructions, _ = called(before, recorded.call, joins=recorded, facts=Facts(others={"e2": child}))
    assert instructions == [Reply(answer=Answer(executions=(child.view(),)))]
    assert (after.savepoint_id, after.joining, after.attempts) == ("s8", "s9", 1)


def test_after_the_newest_recorded_call_all_is_new() -> None:
    recorded = savepoint(Log(text="x"), "s9", exact=False)
    after, instructions, _ = called(running(savepoint_id="s8", joining="s9"), recorded.call, joins=recorded)
    assert instructions == [Reply(answer=Answer())]
    assert after.joining is None


# --- waits


def test_the_last_awaited_wakes() -> None:
    before = waiting(Wait(execution_ids=("e2", "e3")))
    still, nothing = happens(before, AwaitedEnded(at=NOON, status=Status.ENDED_SUCCESS, others_left=True))
    assert (still, nothing) == (before, [])
    after, instructions = happens(
        before, AwaitedEnded(at=NOON, status=Status.ENDED_SUCCESS, others_left=False)
    )
    assert instructions == [EndWait()]
    assert (after.status, after.worker_id, after.lease_until) == (Status.QUEUED, "w1", NOON + AFFINITY)


def test_a_failure_wakes_one_that_wants_success_only() -> None:
    event = AwaitedEnded(at=NOON, status=Status.ENDED_ERROR, others_left=True)
    after, _ = happens(waiting(Wait(execution_ids=("e2", "e3"))), event)
    assert after.status is Status.QUEUED
    patient = waiting(Wait(execution_ids=("e2", "e3"), return_when=ReturnWhen.ALL_ENDED))
    after, _ = happens(patient, event)
    assert after.status is Status.WAITING


def test_a_timer_does_not_ring_early() -> None:
    before = waiting(Wait(wake_at=NOON))
    assert happens(before, TimerRang(at=NOON - timedelta(microseconds=1))) == (before, [])
    after, instructions = happens(before, TimerRang(at=NOON))
    assert after.status is Status.QUEUED
    assert instructions == [EndWait()]


def test_a_wait_that_timed_out_is_an_error() -> None:
    call = WaitFor(execution_ids=("e2",), timeout=10)
    facts = Facts(others={"e2": execution(id="e2")})
    event = Claimed(
        at=NOON + timedelta(seconds=10),
        worker_id="w1",
        lease_until=LEASE,
        stands_at=savepoint(call),
        facts=facts,
    )
    _, (begin,) = happens(execution(savepoint_id="s1"), event)
    assert isinstance(begin, Begin)
    assert begin.answer is not None
    assert begin.answer.error is not None
    assert begin.answer.error.type == "DependencyTimeoutError"
    assert "score (e2) is QUEUED" in begin.answer.error.message


def test_an_evicted_one_belongs_to_nobody() -> None:
    after, _ = happens(waiting(Wait(wake_at=NOON)), Evicted(at=NOON))
    assert (after.status, after.worker_id) == (Status.WAITING, None)


def test_a_person_may_give_up_a_wait_in_a_notebook() -> None:
    notebook = {"type": ExecutionType.NOTEBOOK, "flow_version": None}
    event = WaitAbandoned(at=NOON, lease_until=LEASE)
    after, instructions = happens(waiting(Wait(wake_at=NOON), **notebook), event)
    assert after.status is Status.RUNNING
    assert instructions == [EndWait()]
    with pytest.raises(ConflictError, match="only the person"):
        handle(waiting(Wait(wake_at=NOON)), event)


# --- ends


def test_an_end_wakes_who_waits() -> None:
    outputs = {"a": Value(json=1)}
    event = FlowEnded(at=NOON, status=Status.ENDED_SUCCESS, message="ok", outputs=outputs)
    after, instructions = happens(running(wish=Wish.PAUSE), event)
    assert instructions == [ReleaseLocks(), WakeWaiters(status=Status.ENDED_SUCCESS)]
    assert (after.status, after.ended_at, after.message, after.outputs) == (
        Status.ENDED_SUCCESS,
        NOON,
        "ok",
        outputs,
    )


def test_a_cancelled_one_takes_its_children_along() -> None:
    _, instructions = happens(running(), FlowEnded(at=NOON, status=Status.ENDED_CANCELLED))
    assert instructions == [ReleaseLocks(), WakeWaiters(status=Status.ENDED_CANCELLED), CancelChildren()]


def test_three_deaths_at_one_savepoint_end_it() -> None:
    event = KernelDied(at=NOON, reason="killed by signal 9")
    before = running(savepoint_id="s1")
    for attempts in (1, 2):
        after, instructions = happens(before, event)
        assert (after.status, after.attempts, instructions) == (Status.QUEUED, attempts, [])
        before = running(savepoint_id="s1", attempts=attempts)
    after, instructions = happens(before, event)
    assert after.status is Status.ENDED_ERROR
    assert after.error is not None
    assert after.error.message == "its kernel died 3 times at savepoint s1: killed by signal 9"
    assert instructions == [ReleaseLocks(), WakeWaiters(status=Status.ENDED_ERROR)]


def test_the_death_of_a_worker_is_nobodys_fault() -> None:
    after, _ = happens(running(savepoint_id="s1"), WorkerGone(at=NOON))
    assert (after.status, after.attempts, after.worker_id) == (Status.QUEUED, 0, None)
    after, _ = happens(waiting(Wait(wake_at=NOON)), WorkerGone(at=NOON))
    assert (after.status, after.worker_id) == (Status.WAITING, None)


def test_a_notebook_whose_kernel_has_gone_waits_for_a_person() -> None:
    notebook = running(type=ExecutionType.NOTEBOOK, flow_version=None, savepoint_id="s1")
    for event in (WorkerGone(at=NOON), KernelDied(at=NOON, reason="x")):
        after, _ = happens(notebook, event)
        assert after.status is Status.PAUSED
        assert "%flow restore s1" in (after.message or "")


# --- wishes


def test_cancelling_what_never_ran_ends_it() -> None:
    for before in (execution(), execution(status=Status.PAUSED)):
        after, instructions = happens(before, CancelWished(at=NOON))
        assert after.status is Status.ENDED_CANCELLED
        assert instructions == [ReleaseLocks(), WakeWaiters(status=Status.ENDED_CANCELLED), CancelChildren()]


def test_cancelling_a_running_flow_is_a_wish_until_its_next_call() -> None:
    wished, instructions = happens(running(), CancelWished(at=NOON))
    assert (wished.status, wished.wish) == (Status.RUNNING, Wish.CANCEL)
    assert instructions == [CancelChildren()]
    assert happens(wished, CancelWished(at=NOON)) == (wished, [])
    told, instructions, made = called(wished, SetOutput(outputs={"never": Value(json=1)}))
    assert instructions == [InsertSavepoint(savepoint=made), Reply(answer=CANCELLED)]
    assert told.outputs == {}
    _, instructions, _ = called(told, Log(text="in a finally block"))
    assert [type(one) for one in instructions] == [InsertSavepoint, AppendLog, Reply]
    assert instructions[-1] == Reply(answer=Answer())


def test_cancelling_a_waiting_or_paused_flow_wakes_it() -> None:
    after, instructions = happens(waiting(Wait(wake_at=NOON)), CancelWished(at=NOON))
    assert (after.status, after.wish) == (Status.QUEUED, Wish.CANCEL)
    assert instructions == [EndWait(), CancelChildren()]
    after, _ = happens(execution(status=Status.PAUSED, savepoint_id="s1"), CancelWished(at=NOON))
    assert (after.status, after.wish) == (Status.QUEUED, Wish.CANCEL)


def test_a_connection_is_cancelled_at_once() -> None:
    after, _ = happens(running(type=ExecutionType.CONNECTION), CancelWished(at=NOON))
    assert after.status is Status.ENDED_CANCELLED


def test_a_flow_can_cancel_itself() -> None:
    before = running()
    after, instructions, _ = called(before, Cancel(execution_id="e1"), facts=Facts(others={"e1": before}))
    assert after.wish is Wish.CANCEL
    assert instructions[1:] == [CancelChildren(), Reply(answer=CANCELLED)]


def test_a_deaf_flow_is_ended_after_its_grace() -> None:
    after, instructions = happens(running(wish=Wish.CANCEL), GraceOver(at=NOON, seconds=10))
    assert after.status is Status.ENDED_CANCELLED
    assert instructions[-1] == StopKernel(reason="cancelled")
    unwished = running()
    assert happens(unwished, GraceOver(at=NOON, seconds=10)) == (unwished, [])


def test_a_paused_flow_rests_at_its_next_call_and_its_effect_is_done() -> None:
    wished, _ = happens(running(), PauseWished(at=NOON))
    after, instructions, _ = called(wished, Log(text="x"))
    assert [type(one) for one in instructions] == [InsertSavepoint, AppendLog, Park]
    assert (after.status, after.wish) == (Status.PAUSED, None)
    resumed, _ = happens(after, Run(at=NOON))
    assert resumed.status is Status.QUEUED
    _, (begin,) = claimed(resumed, stands_at=savepoint(Log(text="x"), "s2"))
    assert begin == Begin(savepoint_id="s2", mode=ResumeMode.JOIN, answer=Answer())


def test_run_takes_the_wish_to_pause_back() -> None:
    after, _ = happens(running(wish=Wish.PAUSE), Run(at=NOON))
    assert after.wish is None


# --- restores


@pytest.mark.parametrize(
    "before",
    [
        running(savepoint_id="s9"),
        waiting(Wait(wake_at=NOON)),
        ended("e1", Status.ENDED_ERROR, error=ErrorInfo(type="E", message="m"), savepoint_id="s9"),
    ],
    ids=["running", "waiting", "ended"],
)
def test_a_restore_takes_it_from_whoever_has_it(before: Execution) -> None:
    event = Restored(at=NOON, savepoint_id="s1", outputs={})
    after, instructions = happens(replace(before, wish=None), event)
    assert instructions == [EndWait()]
    assert (after.status, after.savepoint_id, after.resume_mode) == (Status.QUEUED, "s1", ResumeMode.AGAIN)
    assert after.epoch == before.epoch + 1
    assert (after.error, after.ended_at, after.wait, after.worker_id) == (None, None, None, None)


def test_a_notebook_is_restored_in_a_notebook_only() -> None:
    notebook = execution(
        type=ExecutionType.NOTEBOOK, flow_version=None, status=Status.PAUSED, savepoint_id="s1"
    )
    with pytest.raises(ConflictError, match="%flow restore s1"):
        handle(notebook, Restored(at=NOON, savepoint_id="s1"))
    event = NotebookOpened(at=NOON, worker_id="w1", lease_until=LEASE, savepoint_id="s1")
    after, instructions = happens(notebook, event)
    assert after.status is Status.RUNNING
    assert instructions == [EndWait(), Begin(savepoint_id="s1", mode=ResumeMode.AGAIN)]
    with pytest.raises(ConflictError, match="jupyter flows restore s1"):
        handle(execution(savepoint_id="s1"), event)


# --- the table


EVENTS: list[Event] = [
    Run(at=NOON),
    Claimed(at=NOON, worker_id="w", lease_until=LEASE),
    CallMade(at=NOON, call=Log(text=""), savepoint=savepoint(Log(text=""))),
    AwaitedEnded(at=NOON, status=Status.ENDED_SUCCESS, others_left=False),
    TimerRang(at=NOON),
    FlowEnded(at=NOON, status=Status.ENDED_SUCCESS),
    KernelDied(at=NOON, reason=""),
    GraceOver(at=NOON, seconds=1),
    CancelWished(at=NOON),
    PauseWished(at=NOON),
    Evicted(at=NOON),
    WorkerGone(at=NOON),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_nothing_happens_to_what_has_ended(event: Event) -> None:
    with pytest.raises(ConflictError, match=r"execution e1 \(score\) has .*status ENDED_ERROR") as caught:
        handle(ended("e1", Status.ENDED_ERROR), event)
    assert caught.value.ids == {"execution_id": "e1"}


@pytest.mark.parametrize(
    ("before", "event"),
    [
        (execution(), EVENTS[2]),
        (execution(), EVENTS[5]),
        (running(), EVENTS[1]),
        (running(), EVENTS[4]),
        (waiting(Wait(wake_at=NOON)), EVENTS[2]),
        (execution(status=Status.PAUSED), EVENTS[1]),
    ],
)
def test_other_pairs_are_refused_with_the_state(before: Execution, event: Event) -> None:
    with pytest.raises(ConflictError, match=f"status {before.status}"):
        handle(before, event)
