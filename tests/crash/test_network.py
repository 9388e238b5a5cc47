"""The network between worker and PostgreSQL: connections lost after the commit, and silence."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from ..engine.conftest import postgresql_server
from ..engine.house import House
from ..engine.test_faults import assert_once, tell_story, until_calm
from ..store.postgresql import Server
from ..store.proxy import Proxy

__all__ = ["postgresql_server"]


@pytest.fixture
def houses(tmp_path: Path, postgresql_server: Server) -> Iterator[Callable[..., tuple[House, Proxy]]]:
    """`houses(loses)` gives a house whose store is reached through a proxy."""
    made: list[House | Proxy] = []

    def make(loses: Callable[[int], bool] = lambda _: False) -> tuple[House, Proxy]:
        proxy = Proxy(postgresql_server.port, loses)
        url = postgresql_server.url(f"t{uuid4().hex}")
        house = House(tmp_path, url.replace(str(postgresql_server.port), str(proxy.port)))
        made.extend((proxy, house))
        return house, proxy

    yield make
    for one in reversed(made):
        one.close()


def test_commits_that_are_done_but_reported_lost_have_their_effects_once(
    houses: Callable[..., tuple[House, Proxy]],
) -> None:
    house, proxy = houses(lambda number: number > 10 and number % 3 == 0)
    tell_story(house)
    view = house.run("parent", lease_seconds=0.5)
    assert proxy.lost > 5
    assert_once(house, view.id)


def test_a_start_a_fork_and_a_cancel_are_done_once_although_their_commits_are_reported_lost(
    houses: Callable[..., tuple[House, Proxy]],
) -> None:
    is_bad: list[bool] = []
    house, proxy = houses(lambda _: bool(is_bad) and is_bad.pop())
    house.flow("flow", "Log(text='one')")
    is_bad.append(True)
    started = house.engine.start("flow")
    assert [one.id for one in house.engine.executions().executions] == [started.id]
    savepoint = house.engine.savepoints(house.run("flow").id)[0]
    before = len(house.engine.executions().executions)
    is_bad.append(True)
    fork = house.engine.fork(savepoint.id)
    assert len(house.engine.executions().executions) == before + 1
    is_bad.append(True)
    assert house.engine.cancel(fork.id).id == fork.id
    assert (proxy.lost, is_bad) == (3, [])


def test_a_network_that_is_silent_for_a_while_delays_and_does_no_harm(
    houses: Callable[..., tuple[House, Proxy]],
) -> None:
    house, proxy = houses()
    tell_story(house)

    async def main() -> str:
        async with house.worker(lease_seconds=0.5):
            view = house.engine.start("parent")
            await house.until(view.id, lambda view: view.savepoints >= 1)
            proxy.pause()
            await asyncio.sleep(1.5)  # longer than the lease
            proxy.go_on()
            await house.until(view.id)
            return view.id

    assert_once(house, asyncio.run(main()))


def test_a_database_that_is_a_replica_for_a_while_is_waited_for(
    houses: Callable[..., tuple[House, Proxy]],
) -> None:
    """During a failover PostgreSQL reads and refuses to write."""
    house, _ = houses()
    tell_story(house)
    name = house.store.url.rpartition("/")[2]
    other = house.store.url.replace(f"/{name}", "/postgres").replace("+psycopg", "")

    def set_read_only(is_so: str) -> None:
        with psycopg.connect(other, autocommit=True) as connection:
            connection.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = {is_so}')
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
            )

    async def main() -> str:
        async with house.worker() as worker:
            view = house.engine.start("parent")
            await house.until(view.id, lambda view: view.savepoints >= 1)
            await asyncio.to_thread(set_read_only, "on")
            while "read-only" not in (worker.trouble or ""):
                await asyncio.sleep(0.01)
            await asyncio.to_thread(set_read_only, "off")
            await house.until(view.id)
            await until_calm(worker)
            return view.id

    assert_once(house, asyncio.run(main()))
