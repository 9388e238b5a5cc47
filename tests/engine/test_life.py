"""The life of executions: pauses, tries, limits, locks, and what comes after the end.

What depends on the locks of the database is tried on every store (`any_house`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from jupyter_flows.engine.many import Action, act_on, ids_of
from jupyter_flows.engine.service import now
from jupyter_flows.errors import ConflictError, InvalidInputError, ResourceNotFoundError
from jupyter_flows.model import ExecutionView, Status
from jupyter_flows.store import ExecutionFilter

from .house import House


def options(house: House, flow: str, text: str) -> None:
    path = house.root / f"{flow}.py"
    path.write_text(f"jupyter_flows = {text}\n" + path.read_text())


# --- pause


def test_a_flow_pauses_itself_and_goes_on_where_it_was(house: House) -> None:
    house.flow("flow", "Log(text='before')", "Pause(execution_id=execution_id)", "Log(text='after')")

    async def main() -> None:
        async with house.worker():
            view = house.engine.start("flow")
            await house.until_status(view.id, Status.PAUSED)
            assert house.texts(view.id) == ["before"]
            house.engine.resume(view.id)
            assert (await house.until(view.id)).status is Status.ENDED_SUCCESS
            assert house.texts(view.id) == ["before", "after"]

    asyncio.run(main())


def test_a_flow_pauses_its_child_and_lets_it_go_on(house: House) -> None:
    house.flow("child", "Sleep(seconds=3600)", final=())
    house.flow(
        "parent",
        "StartFlow(flow='child', wait=False)",
        "Pause(execution_id=execution_id)",
        "Pause(execution_id=s['answers'][0][0])",
        "Get(execution_id=s['answers'][0][0], fields=('status',))",
        "Log(text=s['fields'][3]['status'])",
        "Pause(execution_id=execution_id)",
    )

    async def main() -> None:
        async with house.worker(slots=2):
            parent = house.engine.start("parent")
            await house.until_status(parent.id, Status.PAUSED)
            (child,) = house.engine.children(parent.id)
            await house.until_status(child.id, Status.WAITING)
            house.engine.resume(parent.id)
            await house.until(parent.id, lambda view: house.texts(view.id) == ["PAUSED"])

    asyncio.run(main())


# --- tries


def test_a_flow_that_fails_is_tried_again_from_its_start(house: House) -> None:
    house.flow("shaky", "Log(text='try')", "None if not once(directory + '/a') else fail('no data')")
    options(house, "shaky", "{'retries': 2, 'retry_delay': 0.01}")
    view = house.run("shaky")
    assert view.status is Status.ENDED_SUCCESS, view
    assert view.failures == 1
    assert view.error is None
    assert house.texts(view.id) == ["try", "try"]


def test_when_all_tries_fail_the_last_error_stands(house: House) -> None:
    house.flow("bad", "Log(text='try')", "fail('no data')")
    options(house, "bad", "{'retries': 2, 'retry_delay': 0}")
    view = house.run("bad")
    assert view.status is Status.ENDED_ERROR
    assert view.error is not None
    assert view.error.message == "no data"
    assert view.failures == 2
    assert house.texts(view.id) == ["try"] * 3


def test_what_the_author_ends_with_an_error_is_not_tried_again(house: House) -> None:
    house.flow("flow", "End(status=Status.ENDED_ERROR, message='meant')")
    options(house, "flow", "{'retries': 5, 'retry_delay': 0}")
    view = house.run("flow")
    assert (view.status, view.failures) == (Status.ENDED_ERROR, 0)


def test_a_flow_that_runs_too_long_is_ended(house: House) -> None:
    house.flow("child", "Sleep(seconds=36000)")
    house.flow("flow", "StartFlow(flow='child')", final=("Log(text='never')",))
    options(house, "flow", "{'max_runtime': 1000}")
    hours = [0]
    house.engine.clock = lambda: now() + timedelta(hours=hours[0])

    async def main() -> None:
        async with house.worker():
            view = house.engine.start("flow")
            await house.until(view.id, lambda one: one.children == 1)
            (child,) = house.engine.children(view.id)
            await house.until_status(child.id, Status.WAITING)
            hours[0] = 1
            house.engine.start("child")  # so that the worker looks
            ended = await house.until(view.id)
            assert ended.status is Status.ENDED_ERROR
            assert ended.error is not None
            assert ended.error.type == "TimeoutExceededError"
            assert ended.message == "it ran longer than its max_runtime of 1000 s"
            assert house.texts(view.id) == []
            assert (await house.until(child.id)).status is Status.ENDED_CANCELLED

    asyncio.run(main())


# --- cancel


def test_an_orphan_outlives_its_parents_cancellation(house: House) -> None:
    house.flow("child", "Sleep(seconds=0.3)")
    house.flow(
        "parent",
        "StartFlow(flow='child', wait=False, is_orphan=True)",
        "StartFlow(flow='child', wait=False)",
        "Sleep(seconds=3600)",
    )

    async def main() -> None:
        async with house.worker(slots=3):
            parent = house.engine.start("parent")
            await house.until_status(parent.id, Status.WAITING)
            await house.until(parent.id, lambda view: view.children == 2)
            orphan, child = house.engine.children(parent.id)
            house.engine.cancel(parent.id)
            assert (await house.until(parent.id)).status is Status.ENDED_CANCELLED
            assert (await house.until(child.id)).status is Status.ENDED_CANCELLED
            assert (await house.until(orphan.id)).status is Status.ENDED_SUCCESS

    asyncio.run(main())


# --- limits and priorities


@contextlib.contextmanager
def counted(house: House, wanted: Callable[[ExecutionView], bool]) -> Iterator[list[int]]:
    """How many of these executions are at work, read after each change (the times in the rows are taken by
    workers before they commit, so those of different workers overlap a little)."""
    at_work: list[int] = []

    def look(_: object) -> None:
        views = filter(wanted, house.engine.executions(limit=1000).executions)
        at_work.append(sum(view.status in (Status.RUNNING, Status.WAITING) for view in views))

    dispose = house.engine.on_change(look)
    try:
        yield at_work
    finally:
        dispose()


def test_no_more_of_a_flow_are_at_work_than_it_allows(any_house: House) -> None:
    house = any_house
    house.flow("limited", "Sleep(seconds=0.02)")
    house.flow("free", "Log(text='free')")
    options(house, "limited", "{'max_concurrent': 2}")

    async def main() -> list[ExecutionView]:
        async with house.worker(slots=4), house.worker(slots=4):
            started = [house.engine.start("limited").id for _ in range(8)]
            free = house.engine.start("free")
            assert (await house.until(free.id)).status is Status.ENDED_SUCCESS
            return [await house.until(one) for one in started]

    with counted(house, lambda view: view.flow == "limited") as at_work:
        views = asyncio.run(main())
    assert all(view.status is Status.ENDED_SUCCESS for view in views)
    assert max(at_work) == 2
    assert [view.held_back for view in views] == [None] * 8


def test_an_owner_has_no_more_at_work_than_allowed(any_house: House) -> None:
    house = any_house
    house.engine.owner_concurrent = 1
    house.flow("child", "Log(text='child')")
    house.flow("flow", "StartFlow(flow='child')")
    ids = [house.engine.start("flow", owner=owner).id for owner in ("ann", "ann", "bob")]
    held = [house.engine.execution(one).held_back for one in ids]
    assert held == [None, "owner:ann", None]

    async def main() -> None:
        async with house.worker(slots=3):
            views = [await house.until(one) for one in ids]
            assert all(view.status is Status.ENDED_SUCCESS for view in views)
            assert house.engine.children(ids[0])[0].owner == "ann"

    # Children are part of what their parent does.
    with counted(house, lambda view: view.owner == "ann" and view.parent_id is None) as at_work:
        asyncio.run(main())
    assert max(at_work) == 1


def test_one_that_is_held_back_can_be_cancelled_and_paused(house: House) -> None:
    house.flow("flow", "Log(text='x')")
    options(house, "flow", "{'max_concurrent': 1}")
    first, second, third = (house.engine.start("flow").id for _ in range(3))
    assert house.engine.execution(second).held_back == "flow:flow"
    assert house.engine.cancel(second).status is Status.ENDED_CANCELLED
    assert house.engine.pause(third).status is Status.PAUSED
    assert house.engine.resume(third).held_back == "flow:flow"
    assert house.engine.cancel(first).status is Status.ENDED_CANCELLED
    assert house.engine.execution(third).held_back is None


def test_the_queue_is_in_the_order_of_priority(any_house: House) -> None:
    house = any_house
    house.flow("flow", "Log(text=inputs['name'])")
    for name, priority in (("low", -1), ("first", 0), ("high", 7), ("second", 0)):
        house.engine.start("flow", {"name": name}, options={"priority": priority})

    async def main() -> None:
        async with house.worker(slots=1) as worker:
            await worker.until_idle()

    asyncio.run(main())
    ended = sorted(house.engine.executions().executions, key=lambda view: str(view.started_at))
    assert [view.input_value["name"] for view in ended] == ["high", "first", "second", "low"]


# --- settings, locks, files


def test_settings_and_files_are_shared(any_house: House) -> None:
    house = any_house
    house.flow(
        "flow",
        "GetSetting(name='count')",
        "SaveSetting(name='count', value={'n': 1})",
        "SaveSetting(name='count', value={'n': 2})",
        "GetSetting(name='count', fields=('value', 'version'))",
        "SaveFile(name='a.txt', inputs={'content': Value(json='hello')}, size=5)",
        "GetFile(name='a.txt')",
        "DeleteFile(name='a.txt')",
        "GetFile(name='a.txt')",
        "DeleteSetting(name='count')",
        "GetSetting(name='count')",
        "GetOwnUser()",
        "SetOutput(outputs={'e': Value(json=s['errors']), 'f': Value(json=s['fields'])})",
    )
    view = house.run("flow")
    assert view.status is Status.ENDED_SUCCESS, view
    errors = view.output_value["e"]
    missing = "ResourceNotFoundError"
    assert errors == [missing, *[None] * 6, missing, None, missing, None]
    assert view.output_value["f"][3] == {"value": {"n": 2}, "version": 2}


def test_a_lock_is_held_by_one_after_the_other(any_house: House) -> None:
    house = any_house
    house.flow(
        "flow",
        "AcquireLock(name='door')",
        "Log(text='in')",
        "Sleep(seconds=0.02)",
        "Log(text='out')",
        "ReleaseLock(name='door') if inputs['polite'] else None",
        "Log(text='gone')",
    )

    async def main() -> None:
        async with house.worker(slots=2, sleep_max_seconds=0.0), house.worker(slots=2):
            ids = [house.engine.start("flow", {"polite": n % 2 == 0}).id for n in range(6)]
            for one in ids:
                assert (await house.until(one)).status is Status.ENDED_SUCCESS
            lines = [line for one in ids for line in house.engine.log(one)]
            inside = [line.text for line in sorted(lines, key=lambda line: line.number)]
            assert [text for text in inside if text != "gone"] == ["in", "out"] * 6

    asyncio.run(main())


def test_who_waits_for_a_lock_too_long_hears_so(any_house: House) -> None:
    house = any_house
    house.flow("holder", "AcquireLock(name='door')", "Pause(execution_id=execution_id)")
    house.flow(
        "other",
        "AcquireLock(name='door', timeout=0.05)",
        "Log(text=s['errors'][0])",
        "ReleaseLock(name='door')",
        "Log(text=s['errors'][2])",
        "AcquireLock(name='door')",
        "Log(text='mine')",
    )

    async def main() -> None:
        async with house.worker(slots=2):
            holder = house.engine.start("holder")
            await house.until_status(holder.id, Status.PAUSED)
            other = house.engine.start("other")
            await house.until(other.id, lambda view: view.savepoints == 5)
            await house.until_status(other.id, Status.WAITING)
            # A paused execution keeps its locks; its end sets them free.
            house.engine.cancel(holder.id)
            assert (await house.until(other.id)).status is Status.ENDED_SUCCESS
            assert house.texts(other.id) == ["LockTimeoutError", "ConflictError", "mine"]

    asyncio.run(main())


# --- children of other kinds


def test_a_script_and_a_clone_are_children(house: House) -> None:
    source = "STEPS = [lambda s: SetOutput(outputs={'n': Value(json=inputs['n'])})]"
    house.flow(
        "parent",
        f"RunScript(text={source!r}, name='mine', inputs={{'n': Value(json=3)}})",
        "Clone(execution_id=s['answers'][0][0], inputs={'n': Value(json=4)})",
        "RunExecution(execution_id=s['answers'][1][0], wait=True)",
    )
    view = house.run("parent")
    assert view.status is Status.ENDED_SUCCESS, view
    script, clone = house.engine.children(view.id)
    assert (script.flow, script.output_value) == ("mine", {"n": 3})
    assert (clone.flow_version, clone.output_value) == (script.flow_version, {"n": 4})


# --- after the end


def test_a_key_gives_the_execution_that_is_there(house: House) -> None:
    house.flow("flow", "Log(text='x')")
    first = house.engine.start("flow", key="monday")
    assert house.engine.start("flow", key="monday").id == first.id
    assert len(house.engine.executions().executions) == 1


def test_again_runs_with_the_same_inputs(house: House) -> None:
    house.flow("flow", "SetOutput(outputs={'v': Value(json=[1, inputs['n']])})")
    first = house.run("flow", {"n": 5})
    house.flow("flow", "SetOutput(outputs={'v': Value(json=[2, inputs['n']])})")
    now = house.engine.again(first.id)
    then = house.engine.again(first.id, same_code=True)

    async def main() -> None:
        async with house.worker():
            assert (await house.until(now.id)).output_value == {"v": [2, 5]}
            assert (await house.until(then.id)).output_value == {"v": [1, 5]}
            (house.root / "flow.py").unlink()
            left = house.engine.again(first.id)
            assert (await house.until(left.id)).output_value == {"v": [1, 5]}

    asyncio.run(main())


def test_an_archived_execution_keeps_its_outcome_only(house: House) -> None:
    house.flow("flow", "Log(text='x')", "SetOutput(outputs={'n': Value(json=1)})")
    view = house.run("flow")
    assert house.engine.savepoints(view.id) != []
    archived = house.engine.archive(view.id)
    assert archived.archived_at is not None
    assert archived.savepoints == 0
    assert archived.output_value == {"n": 1}
    assert house.texts(view.id) == ["x"]


def test_what_ended_long_ago_is_archived_by_itself(house: House) -> None:
    house.flow("flow", "Log(text='x')")
    view = house.run("flow")

    async def main() -> None:
        async with house.worker(retention=timedelta(0)):
            await house.until(view.id, lambda one: one.archived_at is not None)

    asyncio.run(main())


def test_a_deleted_execution_is_gone_with_its_children(house: House) -> None:
    house.flow("child", "Log(text='x')")
    house.flow("parent", "StartFlow(flow='child')")
    view = house.run("parent")
    (child,) = house.engine.children(view.id)
    with pytest.raises(ConflictError, match="wait for its end"):
        house.engine.delete(house.engine.start("child").id)
    house.engine.delete(view.id)
    for one in (view, child):
        with pytest.raises(ResourceNotFoundError):
            house.engine.execution(one.id)


def test_a_flow_archives_and_deletes_its_children(any_house: House) -> None:
    house = any_house
    house.flow("child", "Log(text='x')")
    house.flow(
        "parent",
        "Delete(execution_id=execution_id)",
        "StartFlow(flow='child')",
        "Archive(execution_id=s['answers'][1][0])",
        "Delete(execution_id=s['answers'][1][0])",
        "FindExecutions(execution_id=s['answers'][1][0])",
        "Log(text=str(s['errors']))",
    )
    view = house.run("parent")
    assert view.status is Status.ENDED_SUCCESS, view
    errors = ["ConflictError", None, None, None, "ResourceNotFoundError"]
    assert house.texts(view.id) == [str(errors)]


def test_options_are_checked_where_they_are_given(house: House) -> None:
    house.flow("flow", "Log(text='x')")
    with pytest.raises(InvalidInputError, match="there is no option 'retrys'; known are retries"):
        house.engine.start("flow", options={"retrys": 3})
    with pytest.raises(InvalidInputError, match="max_concurrent is 0, but must be at least 1"):
        house.engine.start("flow", options={"max_concurrent": 0})
    with pytest.raises(InvalidInputError, match="such as '2 GB'"):
        house.engine.start("flow", options={"memory_limit": "much"})
    options(house, "flow", "{'retries': 'often'}")
    (flow,) = house.engine.flows()
    assert "The options of flow.py cannot be used" in str(flow.error)


def test_one_action_on_many_tells_what_became_of_each(any_house: House) -> None:
    house = any_house
    house.flow("flow", "Log(text='x')")
    done = house.run("flow", {"n": 1})
    created = [house.engine.start("flow").id for _ in range(3)]
    everything = list(ids_of(house.engine, ExecutionFilter(flow="flow")))
    outcome = act_on(house.engine, Action.CANCEL, everything)
    assert outcome.done == list(reversed(created))
    (refused,) = outcome.refused
    assert (refused.execution_id, refused.error.type) == (done.id, "ConflictError")
    assert act_on(house.engine, Action.ARCHIVE, everything).refused == []
    again = act_on(house.engine, Action.AGAIN, [done.id, "nobody"])
    assert house.engine.execution(again.started[0]).input_value == {"n": 1}
    assert [one.error.type for one in again.refused] == ["ResourceNotFoundError"]
    outcome = act_on(house.engine, Action.DELETE, everything)
    assert outcome.done == everything
    assert [view.id for view in house.engine.executions().executions] == again.started


def test_lists_are_short_and_passwords_are_shown_to_nobody(house: House) -> None:
    house.flow(
        "flow",
        "Connect(connector_type='SQL', inputs={"
        "'url': Value(json='postgresql://me:top-secret@host/db'), "
        "'headers': Value(json={'Authorization': 'Bearer top-secret'}), "
        "'fetch': Value(json='SELECT 1 ' + 'x' * 1000)}, run=False)",
    )
    view = house.run("flow")
    (listed,) = house.engine.children(view.id)
    whole = house.engine.execution(listed.id)
    assert listed.is_short
    assert listed.input_value["fetch"]["text"].startswith("SELECT 1 xxx")
    assert not whole.is_short
    assert len(whole.input_value["fetch"]) > 1000
    for one in (listed, whole):
        assert "top-secret" not in str(one)
        assert one.input_value["url"] == "postgresql://me:***@host/db"
