"""What is started beside a worker that has room begins in the transaction that makes it."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from jupyter_flows.engine.worker import Worker
from jupyter_flows.model import Status
from jupyter_flows.store import TransactionAborted
from jupyter_flows.store.sql import SqlStore

from .house import House


@pytest.fixture
def house(any_house: House) -> House:
    return any_house


async def calm(worker: Worker) -> None:
    """Nothing is to be done, and no look at the queue is under way until this test waits again."""
    await worker.until_idle()
    while worker._arrivals.is_looking:
        await asyncio.sleep(0)


def test_what_is_started_has_its_slot_at_once(house: House) -> None:
    house.flow("hello", "Log(text='hello')")

    async def main() -> None:
        async with house.worker(slots=1) as worker:
            await calm(worker)
            started = house.engine.start("hello")
            assert started.status is Status.RUNNING
            assert house.engine.start("hello").status is Status.QUEUED  # the slot is taken
            await house.until(started.id)
            await worker.until_idle()
            views = house.engine.executions(flow="hello").executions
            assert [view.status for view in views] == [Status.ENDED_SUCCESS] * 2
            assert house.texts(started.id) == ["hello"]

    asyncio.run(main())


def test_who_came_first_is_first(house: House) -> None:
    """A slot that is free belongs to what is queued."""
    house.flow("hello", "Log(text='hello')")
    earlier = house.engine.start("hello")

    async def main() -> None:
        async with house.worker(slots=1):
            later = house.engine.start("hello")
            assert later.status is Status.QUEUED
            first, second = await house.until(earlier.id), await house.until(later.id)
            assert first.started_at is not None
            assert second.started_at is not None
            assert first.started_at <= second.started_at

    asyncio.run(main())


def test_a_limit_holds_for_what_is_started_beside_a_worker(house: House) -> None:
    house.flow("single", "Sleep(seconds=60)")

    async def main() -> None:
        async with house.worker(slots=4) as worker:
            await worker.until_idle()
            first = house.engine.start("single", options={"max_concurrent": 1})
            second = house.engine.start("single", options={"max_concurrent": 1})
            await house.until_status(first.id, Status.WAITING)
            assert house.engine.execution(second.id).status is Status.QUEUED

    asyncio.run(main())


def test_a_worker_that_stops_gives_back_what_just_arrived(house: House) -> None:
    house.flow("hello", "Log(text='hello')")

    async def main() -> str:
        async with house.worker(slots=1) as worker:
            await calm(worker)
            started = house.engine.start("hello")
            assert started.status is Status.RUNNING
            return started.id  # it stops before the loop has heard of it

    execution_id = asyncio.run(main())
    assert house.engine.execution(execution_id).status is Status.QUEUED
    assert house.engine.start("hello").status is Status.QUEUED

    async def again() -> None:
        async with house.worker(slots=1):
            assert (await house.until(execution_id)).status is Status.ENDED_SUCCESS

    asyncio.run(again())
    assert house.texts(execution_id) == ["hello"]


@pytest.mark.parametrize("is_committed", [True, False])
def test_a_start_whose_commit_fails_once_runs_once(
    house: House, monkeypatch: pytest.MonkeyPatch, is_committed: bool
) -> None:
    """Whether it was committed and only the word of it lost, or taken back: it begins once, at once."""
    house.flow("hello", "Log(text='hello')")
    transaction, lost = SqlStore._transaction, []

    def unlucky(self: SqlStore) -> Any:
        manager = transaction(self)

        class Unlucky:
            def __enter__(self) -> Any:
                return manager.__enter__()

            def __exit__(self, *error: Any) -> Any:
                is_ours = threading.current_thread() is threading.main_thread()
                if not is_ours or error[0] is not None or lost:
                    return manager.__exit__(*error)
                lost.append("x")
                failure = TransactionAborted("the connection was lost")
                if is_committed:
                    manager.__exit__(*error)
                else:
                    manager.__exit__(type(failure), failure, None)
                raise failure

        return Unlucky()

    async def main() -> None:
        async with house.worker(slots=1) as worker:
            await calm(worker)
            monkeypatch.setattr(SqlStore, "_transaction", unlucky)
            started = house.engine.start("hello")
            monkeypatch.undo()
            assert lost == ["x"]
            assert started.status is Status.RUNNING
            await house.until(started.id)
            assert len(house.engine.executions(flow="hello").executions) == 1
            assert house.texts(started.id) == ["hello"]

    asyncio.run(main())
