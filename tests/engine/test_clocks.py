"""Clocks that differ, jump and stand still while a laptop sleeps do no harm."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from msgspec.structs import replace

from jupyter_flows.engine.flows import FlowLibrary
from jupyter_flows.engine.ledger import Ledger
from jupyter_flows.engine.service import Engine, now
from jupyter_flows.engine.worker import Worker
from jupyter_flows.model import Status
from jupyter_flows.store import WorkerRecord, open_store

from .house import House, fake_command

HOUR = timedelta(hours=1)


@contextmanager
def another(house: House) -> Iterator[Engine]:
    """An engine over the same store, as another machine has it."""
    store = open_store(house.store.url)
    engine = Engine(store, FlowLibrary(house.root))
    try:
        yield engine
    finally:
        engine.close()
        store.close()


@pytest.fixture
def reaped(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Who has looked for what others let expire."""
    looks: list[str] = []
    reap = Ledger.reap_expired

    def noted(self: Ledger, own_id: str, *rest: object) -> None:
        reap(self, own_id, *rest)  # type: ignore[arg-type]
        looks.append(own_id)

    monkeypatch.setattr(Ledger, "reap_expired", noted)
    return looks


async def looks(worker: Worker, reaped: list[str], times: int) -> None:
    wanted = reaped.count(worker.id) + times
    while reaped.count(worker.id) < wanted:
        worker._neighbours.alarm.set()
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("is_fast_from_the_start", [True, False])
def test_a_worker_whose_clock_is_fast_takes_nothing_from_those_that_live(
    house: House, reaped: list[str], is_fast_from_the_start: bool
) -> None:
    """Whether another machine's clock is wrong, or all clocks jump, as after a laptop has slept."""
    gate = house.root / "gate"
    os.mkfifo(gate)
    house.flow("slow", "Log(text='begun')", f"open({str(gate)!r}).read() or Log(text='over')")
    ahead = HOUR if is_fast_from_the_start else timedelta()

    async def main(other: Engine) -> None:
        other.clock = lambda: now() + ahead
        fast = Worker(other, kernel_command=fake_command, slots=0)
        await fast.start()
        async with house.worker():
            view = house.engine.start("slow")
            at_work = await asyncio.to_thread(gate.open, "w")
            other.clock = lambda: now() + HOUR
            if not is_fast_from_the_start:
                house.engine.clock = other.clock
            await looks(fast, reaped, 5)
            at_work.close()
            ended = await house.until(view.id)
            assert (ended.status, ended.attempts) == (Status.ENDED_SUCCESS, 0)
            assert house.texts(view.id) == ["begun", "over"]
        await fast.stop()

    with another(house) as other:
        asyncio.run(main(other))


def test_what_a_dead_worker_with_a_fast_clock_held_is_taken_over(house: House) -> None:
    """By its leases it would live for another hour."""
    house.flow("flow", "Log(text='done')")
    view = house.engine.start("flow")
    record = WorkerRecord(
        id="w1",
        host="elsewhere",
        pid=1,
        process="p",
        slots=1,
        started_at=now() + HOUR,
        seen_at=now() + HOUR,
    )
    with house.store.writing() as transaction:
        transaction.put_worker(record)
        execution = transaction.execution(view.id, lock=True)
        assert execution is not None
        claimed = replace(
            execution,
            status=Status.RUNNING,
            worker_id="w1",
            started_at=now(),
            lease_until=now() + HOUR,
            epoch=1,
        )
        transaction.update_execution(claimed, execution.epoch)

    async def main() -> None:
        async with house.worker(lease_seconds=0.3):
            assert (await house.until(view.id)).status is Status.ENDED_SUCCESS

    asyncio.run(main())


def test_timers_that_a_jump_passes_ring_and_those_behind_it_wait(house: House) -> None:
    house.flow("short", "Sleep(seconds=1800)", "Log(text='awake')")
    house.flow("long", "Sleep(seconds=7200)", "Log(text='awake')")

    async def main() -> None:
        async with house.worker():
            short, long = house.engine.start("short"), house.engine.start("long")
            for view in (short, long):
                await house.until_status(view.id, Status.WAITING)
            house.engine.clock = lambda: now() + HOUR
            assert (await house.until(short.id)).status is Status.ENDED_SUCCESS
            house.engine.clock = lambda: now() - HOUR
            other = house.engine.start("short")
            await house.until_status(other.id, Status.WAITING)
            assert house.engine.execution(long.id).status is Status.WAITING

    asyncio.run(main())
