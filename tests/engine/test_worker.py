"""The worker runs what is due: scripted kernels make each situation exact."""

from __future__ import annotations

import asyncio
import os
import select
import time

import pytest

from jupyter_flows.engine import worker as worker_module
from jupyter_flows.model import ExecutionType, Status

from .house import House


@pytest.fixture
def house(any_house: House) -> House:
    """The worker does the same on every store."""
    return any_house


def test_a_flow_runs_to_its_end(house: House) -> None:
    house.flow("hello", "Log(text='one')", "SetOutput(outputs={'n': Value(json=7)})", "Log(text='two')")
    view = house.run("hello")
    assert view.status is Status.ENDED_SUCCESS
    assert view.output_value == {"n": 7}
    assert house.texts(view.id) == ["one", "two"]
    savepoints = house.engine.savepoints(view.id)
    assert [one.action for one in savepoints] == ["log", "set_output", "log"]
    assert [one.parent_id for one in savepoints] == [None, savepoints[0].id, savepoints[1].id]


def test_a_parent_waits_for_its_child(house: House) -> None:
    house.flow("child", "SetOutput(outputs={'x': Value(json=inputs['x'] * 2)})")
    house.flow("parent", "StartFlow(flow='child', inputs={'x': Value(json=21)})", "Log(text='child is over')")
    view = house.run("parent")
    assert view.status is Status.ENDED_SUCCESS
    (child,) = house.engine.children(view.id)
    assert child.output_value == {"x": 42}
    assert house.texts(view.id) == ["child is over"]


def test_a_parent_hears_of_its_childs_failure(house: House) -> None:
    house.flow("child", "End(status=Status.ENDED_ERROR, message='no data')")
    house.flow("parent", "StartFlow(flow='child')", "Log(text=str(s['messages'][0]))")
    view = house.run("parent")
    (child,) = house.engine.children(view.id)
    assert child.status is Status.ENDED_ERROR
    assert house.texts(view.id) == [f"child ({child.id}) ended with ENDED_ERROR: no data"]


def test_a_killed_kernel_joins_what_was_committed(house: House) -> None:
    """The child was created before the kernel died: it is joined, never made twice."""
    house.flow("child", "Log(text='child')")
    house.flow(
        "parent",
        "StartFlow(flow='child', wait=False)",
        "die() if once(directory + '/died') else None",
        "WaitFor(execution_ids=tuple(s['answers'][0]))",
        "Log(text='joined')",
    )
    view = house.run("parent")
    assert view.status is Status.ENDED_SUCCESS, view
    assert len(house.engine.children(view.id)) == 1
    assert house.texts(view.id) == ["joined"]


def test_a_kernel_that_always_dies_ends_the_execution(house: House) -> None:
    house.flow("bad", "Log(text='before')", "die()")
    view = house.run("bad")
    assert view.status is Status.ENDED_ERROR
    assert view.error is not None
    assert view.error.type == "KernelDiedError"
    assert "signal 9" in view.error.message
    assert view.attempts == 3
    assert house.texts(view.id) == ["before"]


def test_sleep_frees_the_slot_and_the_memory(house: House) -> None:
    house.flow("sleeper", "Sleep(seconds=0.4)", "Log(text=str(os.getpid()))")
    house.flow("other", "Log(text='other')")

    async def main() -> None:
        async with house.worker(slots=1, sleep_max_seconds=0.0) as worker:
            sleeper = house.engine.start("sleeper")
            await house.until_status(sleeper.id, Status.WAITING)
            other = await house.until(house.engine.start("other").id)
            assert other.status is Status.ENDED_SUCCESS
            done = await house.until(sleeper.id)
            assert done.status is Status.ENDED_SUCCESS
            assert done.ended_at is not None
            assert (done.ended_at - done.created_at).total_seconds() >= 0.4
            await worker.until_idle()

    asyncio.run(main())


def test_a_waiting_execution_goes_on_in_its_kernel(house: House) -> None:
    house.flow("child", "Log(text='c')")
    house.flow(
        "parent",
        "Log(text=str(os.getpid()))",
        "StartFlow(flow='child')",
        "Log(text=str(os.getpid()))",
    )
    view = house.run("parent", slots=1)
    before, after = house.texts(view.id)
    assert before == after


def test_cancel_reaches_a_waiting_flow_and_its_children(house: House) -> None:
    house.flow("child", "Sleep(seconds=3600)", final=("Log(text='child cleaned')",))
    house.flow("parent", "StartFlow(flow='child')", final=("Log(text='parent cleaned')",))

    async def main() -> None:
        async with house.worker():
            parent = house.engine.start("parent")
            await house.until_status(parent.id, Status.WAITING)
            (child,) = house.engine.children(parent.id)
            await house.until_status(child.id, Status.WAITING)
            house.engine.cancel(parent.id)
            assert (await house.until(parent.id)).status is Status.ENDED_CANCELLED
            assert (await house.until(child.id)).status is Status.ENDED_CANCELLED
            assert house.texts(parent.id) == ["parent cleaned"]
            assert house.texts(child.id) == ["child cleaned"]

    asyncio.run(main())


def test_a_flow_that_ignores_its_cancellation_is_killed(house: House) -> None:
    house.flow("deaf", "Log(text='begun')", "__import__('threading').Event().wait()")

    async def main() -> None:
        async with house.worker(cancel_grace_seconds=0.2):
            deaf = house.engine.start("deaf")
            await house.until(deaf.id, lambda view: view.savepoints == 1)
            house.engine.cancel(deaf.id)
            view = await house.until(deaf.id)
            assert view.status is Status.ENDED_CANCELLED
            assert "did not react" in (view.message or "")

    asyncio.run(main())


def test_restore_makes_the_call_again(house: House) -> None:
    house.flow("child", "Log(text='child')")
    house.flow("parent", "Log(text='start')", "StartFlow(flow='child')", "Log(text='end')")

    async def main() -> None:
        async with house.worker():
            parent = await house.until(house.engine.start("parent").id)
            start, call, end = house.engine.savepoints(parent.id)
            house.engine.restore(call.id)
            view = await house.until(parent.id)
            assert view.status is Status.ENDED_SUCCESS
            assert len(house.engine.children(parent.id)) == 2
            assert house.texts(parent.id) == ["start", "end", "end"]
            again = house.engine.savepoints(parent.id)[3]
            assert again.parent_id == call.id
            assert start.number == 1
            assert end.number == 3

    asyncio.run(main())


def test_fork_goes_on_in_a_new_execution(house: House) -> None:
    house.flow(
        "flow",
        "SetOutput(outputs={'a': Value(json=1)})",
        "CreateSavepoint(name='here')",
        "SetOutput(outputs={'b': Value(json=inputs['b'])})",
    )

    async def main() -> None:
        async with house.worker():
            origin = await house.until(house.engine.start("flow", {"b": 2}).id)
            here = next(one for one in house.engine.savepoints(origin.id) if one.name == "here")
            fork = await house.until(house.engine.fork(here.id, {"b": 5}).id)
            assert fork.status is Status.ENDED_SUCCESS
            assert fork.output_value == {"a": 1, "b": 5}
            assert house.engine.execution(origin.id).output_value == {"a": 1, "b": 2}

    asyncio.run(main())


def test_inexact_calls_are_joined_from_the_newest_exact_savepoint(house: House) -> None:
    """The kernel dies two inexact calls after the last exact one: they are told again, not made again."""
    house.flow("child", "Log(text='child')")
    house.flow(
        "parent",
        "Log(text='exact')",
        "StartFlow(flow='child', wait=False)",
        "Log(text='inexact')",
        "die() if once(directory + '/died') else None",
        "WaitFor(execution_ids=tuple(s['answers'][1]))",
        "Log(text='end')",
        inexact=(1, 2, 4),
    )
    view = house.run("parent", sleep_max_seconds=0.0)
    assert view.status is Status.ENDED_SUCCESS, view
    assert len(house.engine.children(view.id)) == 1
    assert house.texts(view.id) == ["exact", "inexact", "end"]


def test_what_was_read_is_told_again_as_it_was(house: House) -> None:
    """The kernel dies behind inexact calls: a write that comes of a read is not made with a newer one."""
    house.flow(
        "counter",
        "SaveSetting(name='count', value=1)",
        "GetSetting(name='count', fields=('value',))",
        "SaveSetting(name='count', value=s['fields'][1]['value'] + 1)",
        "GetSetting(name='count', fields=('value',))",
        "SaveSetting(name='count', value=s['fields'][3]['value'] + 1)",
        "die() if once(directory + '/died') else None",
        "Log(text=f\"read {s['fields'][1]['value']} and {s['fields'][3]['value']}\")",
        inexact=(1, 2, 3, 4, 6),
    )
    view = house.run("counter")
    assert view.status is Status.ENDED_SUCCESS, view
    assert house.texts(view.id) == ["read 1 and 2"]
    with house.store.reading() as transaction:
        setting = transaction.setting("count")
    assert setting is not None
    assert (setting.value, setting.version) == (3, 3), "a write was made twice"


def test_load_savepoint_goes_back_and_counts(house: House) -> None:
    house.flow(
        "loop",
        "CreateSavepoint(name='top')",
        "Log(text='round')",
        "LoadSavepoint(ref='top', by='name', max_restores=2)",
        "Log(text=str(s['errors'][2]))",
    )
    view = house.run("loop")
    assert view.status is Status.ENDED_SUCCESS, view
    assert house.texts(view.id) == ["round", "round", "round", "SavepointError"]


def test_errors_of_calls_are_answers(house: House) -> None:
    house.flow(
        "wrong",
        "StartFlow(flow='nowhere')",
        "WaitFor(execution_ids=(execution_id,))",
        "WaitFor(execution_ids=('unknown',))",
        "Get(execution_id=execution_id, fields=('colour',))",
        "Log(text='|'.join(map(str, s['errors'])))",
    )
    view = house.run("wrong")
    assert house.texts(view.id) == [
        "ResourceNotFoundError|InvalidInputError|ResourceNotFoundError|InvalidInputError"
    ]
    assert house.engine.children(view.id) == []


def test_a_wait_with_a_timeout(house: House) -> None:
    house.flow("child", "Sleep(seconds=3600)")
    house.flow(
        "parent",
        "StartFlow(flow='child', wait=False)",
        "WaitFor(execution_ids=tuple(s['answers'][0]), timeout=0.2)",
        "Log(text=s['errors'][1])",
        "Cancel(execution_id=s['answers'][0][0])",
    )
    view = house.run("parent")
    assert house.texts(view.id) == ["DependencyTimeoutError"]


def test_many_children_wake_their_parent_once(house: House) -> None:
    house.flow("child", "Log(text='c')")
    starts = ["StartFlow(flow='child', wait=False)"] * 6
    house.flow(
        "parent", *starts, "WaitFor(execution_ids=tuple(a[0] for a in s['answers']))", "Log(text='all')"
    )
    view = house.run("parent", slots=3)
    assert view.status is Status.ENDED_SUCCESS
    assert house.texts(view.id) == ["all"]
    assert {one.status for one in house.engine.children(view.id)} == {Status.ENDED_SUCCESS}


def test_a_created_child_runs_when_it_is_told(house: House) -> None:
    house.flow("child", "Log(text='c')")
    house.flow(
        "parent",
        "StartFlow(flow='child', run=False)",
        "Get(execution_id=s['answers'][0][0], fields=('status',))",
        "Log(text=s['fields'][1]['status'])",
        "RunExecution(execution_id=s['answers'][0][0], wait=True)",
    )
    view = house.run("parent")
    assert view.status is Status.ENDED_SUCCESS
    assert house.texts(view.id) == ["PAUSED"]
    assert [one.status for one in house.engine.children(view.id)] == [Status.ENDED_SUCCESS]


def test_another_worker_goes_on_after_a_stop(house: House) -> None:
    house.flow("flow", "Log(text='one')", "Sleep(seconds=0.3)", "Log(text='two')")

    async def main() -> None:
        async with house.worker():
            view = house.engine.start("flow")
            await house.until_status(view.id, Status.WAITING)
        async with house.worker():
            done = await house.until(view.id)
        assert done.status is Status.ENDED_SUCCESS
        assert house.texts(view.id) == ["one", "two"]

    asyncio.run(main())


def test_pause_and_resume(house: House) -> None:
    house.flow("flow", "Log(text='one')", "Sleep(seconds=0.2)", "Log(text='two')")

    async def main() -> None:
        async with house.worker():
            view = house.engine.start("flow")
            await house.until_status(view.id, Status.WAITING)
            assert house.engine.pause(view.id).status is Status.PAUSED
            house.engine.resume(view.id)
            done = await house.until(view.id)
            assert done.status is Status.ENDED_SUCCESS
            assert house.texts(view.id) == ["one", "two"]

    asyncio.run(main())


def test_a_kernel_that_cannot_start_says_why(house: House) -> None:
    house.flow("flow", "Log(text='one')")

    def broken(_: str, __: str) -> list[str]:
        return ["/bin/sh", "-c", "echo no module named sun >&2; exit 3"]

    view = house.run("flow", kernel_command=broken)
    assert view.status is Status.ENDED_ERROR
    assert view.error is not None
    assert "no module named sun" in view.error.message
    assert "exit code 3" in view.error.message


def test_until_idle_returns_when_all_is_done(house: House) -> None:
    house.flow("child", "Log(text='c')")
    house.flow("parent", "StartFlow(flow='child')")

    async def main() -> None:
        views = [house.engine.start("parent") for _ in range(3)]
        async with house.worker(slots=2) as worker:
            await worker.until_idle()
        assert {house.engine.execution(view.id).status for view in views} == {Status.ENDED_SUCCESS}

    began = time.monotonic()
    asyncio.run(main())
    assert time.monotonic() - began < 120


def test_connections_need_json_inputs(house: House) -> None:
    house.flow(
        "flow",
        "Connect(connector_type='SQL', inputs={'url': Value(manifest=b'x', type='Secret')})",
        "Log(text=s['messages'][0])",
        "Connect(connector_type='CARRIER-PIGEON')",
        "Log(text=s['errors'][2])",
    )
    view = house.run("flow")
    first, second = house.texts(view.id)
    assert "InvalidInputError: the input 'url' of a connection must be JSON, not Secret" in first
    assert second == "ResourceNotFoundError"
    (connection,) = house.engine.children(view.id)
    assert connection.type is ExecutionType.CONNECTION


def test_a_draining_worker_hands_over_at_the_next_call(house: House) -> None:
    gate = house.root / "gate"
    os.mkfifo(gate)
    house.flow(
        "flow",
        "Log(text='one')",
        f"(open({str(gate)!r}).read() or None) if once(directory + '/first') else None",
        "Log(text='two')",
        "Log(text='three')",
    )

    async def main() -> None:
        async with house.worker() as first:
            view = house.engine.start("flow")
            # A pipe opens for the writer when the flow has opened it for reading: it is past its first call.
            flow_waits = await asyncio.to_thread(gate.open, "w")
            draining = asyncio.create_task(first.stop(drain_seconds=60))
            await asyncio.sleep(0)  # the drain has begun
            waiting = house.engine.start("flow")
            flow_waits.close()
            await draining
            handed_over = house.engine.execution(view.id)
            assert (handed_over.status, handed_over.savepoints) == (Status.QUEUED, 2)
            assert house.engine.execution(waiting.id).status is Status.QUEUED
        async with house.worker():
            await house.until(view.id)
            assert house.texts(view.id) == ["one", "two", "three"]

    asyncio.run(main())


def test_only_so_many_waiting_executions_keep_their_kernels(house: House) -> None:
    house.flow("sleeper", "Log(text=str(os.getpid()))", "Sleep(seconds=3600)")

    async def main() -> None:
        async with house.worker(slots=4, kept_kernels=1):
            views = [house.engine.start("sleeper") for _ in range(4)]
            for view in views:
                await house.until_status(view.id, Status.WAITING)
            pids = [int(house.texts(view.id)[0]) for view in views]
            left = [os.pidfd_open(pid) for pid in pids if os.path.exists(f"/proc/{pid}")]
            while len(left) > 1:
                ended, _, _ = await asyncio.to_thread(select.select, left, [], [], 60)
                assert ended, "more kernels are kept than wanted"
                left = [process for process in left if process not in ended]

    asyncio.run(main())


def test_the_least_busy_worker_takes_what_is_due(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "_PRECEDENCE", 600.0)
    gate = house.root / "gate"
    os.mkfifo(gate)
    house.flow("long", f"open({str(gate)!r}).read() or Log(text='over')")
    house.flow("short", "Log(text='a')", "Sleep(seconds=3600)")

    async def main() -> None:
        async with house.worker() as busy:
            house.engine.start("long")
            # A pipe opens for the writer when the flow has opened it for reading: it is at work.
            at_work = await asyncio.to_thread(gate.open, "w")
            async with house.worker() as idle:
                while not busy._neighbours.are_there:
                    busy._neighbours.alarm.set()  # it looks at its neighbours now
                    await asyncio.sleep(0)
                view = await house.until_status(house.engine.start("short").id, Status.WAITING)
                with house.store.reading() as transaction:
                    held = transaction.held_by(idle.id)
                assert [one.id for one in held] == [view.id]
            at_work.close()

    asyncio.run(main())
