"""Workers, databases and connections fail at the worst moment; every effect is there once."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from jupyter_flows.engine.committer import Chain, Committer
from jupyter_flows.engine.desk import Desk
from jupyter_flows.engine.events import KernelDied
from jupyter_flows.engine.ledger import Ledger
from jupyter_flows.engine.worker import Worker
from jupyter_flows.errors import StaleLeaseError, StoreError
from jupyter_flows.model import ExecutionView, Status
from jupyter_flows.store import Change, TransactionAborted
from jupyter_flows.store.sql import SqlStore
from jupyter_flows.store.transaction import SqlTransaction

from ..store.postgresql import Server
from .house import House

ROOT = Path(__file__).resolve().parents[2]

#: A parent that starts two children and sleeps; what it logs shows whether anything happened twice.
STORY = (
    "Log(text='one')",
    "StartFlow(flow='child', wait=False, inputs={'n': Value(json=1)})",
    "StartFlow(flow='child', inputs={'n': Value(json=2)})",
    "Log(text='two')",
    "Sleep(seconds=0.05)",
    "WaitFor(execution_ids=tuple(s['answers'][1]))",
    "Log(text='three')",
)


class Workers:
    """Worker processes of a test; all are ended with it."""

    def __init__(self, house: House, url: str) -> None:
        self.house = house
        self.url = url
        self.processes: list[subprocess.Popen[str]] = []

    def start(self, **options: Any) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.engine.worker_process",
                self.url,
                str(self.house.root),
                json.dumps(options),
            ],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline(), "the worker did not start"
        return process

    def end(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


@pytest.fixture
def workers(any_house: House) -> Iterator[Workers]:
    workers = Workers(any_house, any_house.store.url)
    yield workers
    workers.end()


def stop_between_transactions(process: subprocess.Popen[str], house: House) -> None:
    """One that is stopped while it writes keeps an SQLite file locked, which no other process can help."""
    path = house.store.url.partition("sqlite:///")[2]
    while True:
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        if not path:
            return
        probe = sqlite3.connect(path, timeout=0, isolation_level=None)
        try:
            probe.execute("BEGIN IMMEDIATE")
            probe.execute("ROLLBACK")
            return
        except sqlite3.OperationalError:
            process.send_signal(signal.SIGCONT)
        finally:
            probe.close()


def tell_story(house: House) -> None:
    house.flow("child", "Log(text='child %s' % inputs['n'])")
    house.flow("parent", *STORY)


def assert_once(house: House, execution_id: str) -> None:
    view = house.engine.execution(execution_id)
    assert view.status is Status.ENDED_SUCCESS, view
    assert house.texts(execution_id) == ["one", "two", "three"]
    children = house.engine.children(execution_id)
    assert [child.input_value for child in children] == [{"n": 1}, {"n": 2}]
    assert [house.texts(child.id) for child in children] == [["child 1"], ["child 2"]]
    numbers = [one.number for one in house.engine.savepoints(execution_id)]
    assert numbers == list(range(1, len(numbers) + 1))


async def until_calm(worker: Worker) -> None:
    """What was written is seen a moment before the worker knows that it could write it."""
    while worker.trouble is not None:
        await asyncio.sleep(0.01)


def wait_until(house: House, execution_id: str, wanted: Callable[[Any], bool]) -> Any:
    return asyncio.run(house.until(execution_id, wanted))


@pytest.mark.parametrize("calls", [1, 2, 3, 4, 5])
def test_a_killed_worker_is_replaced_at_once(workers: Workers, calls: int) -> None:
    house = workers.house
    tell_story(house)
    first = workers.start(lease_seconds=3600)
    view = house.engine.start("parent")
    wait_until(house, view.id, lambda view: view.savepoints >= calls)
    first.kill()
    first.wait()
    workers.start()
    wait_until(house, view.id, lambda view: view.status.is_final)
    assert_once(house, view.id)


def test_a_stopped_worker_that_wakes_up_is_refused(workers: Workers) -> None:
    """SIGSTOP: the lease passes to another; when it goes on, nothing it says counts."""
    house = workers.house
    gate = house.root / "gate"
    os.mkfifo(gate)
    house.flow(
        "slow",
        "Log(text='begun')",
        f"(open({str(gate)!r}).read() or None) if once(directory + '/first') else None",
        "Log(text='written once')",
    )
    first = workers.start(lease_seconds=1.0, slots=1)
    view = house.engine.start("slow")
    wait_until(house, view.id, lambda view: view.savepoints == 1)
    while not (house.root / "first").exists():  # else the kernel of the second worker takes the first's way
        time.sleep(0.01)
    stop_between_transactions(first, house)
    workers.start(slots=1)
    wait_until(house, view.id, lambda view: view.status.is_final)
    gate.open("w").close()  # its kernel goes on now, and makes its call
    first.send_signal(signal.SIGCONT)
    other = house.engine.start("slow")
    wait_until(house, other.id, lambda view: view.status.is_final)
    assert house.texts(view.id) == ["begun", "written once"]
    assert house.engine.execution(view.id).savepoints == 2


def test_a_commit_that_is_done_but_reported_lost(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    tell_story(house)
    lost: list[str] = []
    transaction = SqlStore._transaction
    guard = threading.Lock()

    def unlucky(self: SqlStore) -> Any:
        manager = transaction(self)

        class Unlucky:
            def __enter__(self) -> Any:
                return manager.__enter__()

            def __exit__(self, *error: Any) -> Any:
                result = manager.__exit__(*error)
                is_ours = threading.current_thread().name == "flows-committer"
                with guard:
                    if is_ours and error[0] is None and len(lost) % 3 != 2:
                        lost.append("x")
                        raise TransactionAborted("the connection was lost")
                    lost.append("-")
                return result

        return Unlucky()

    monkeypatch.setattr(SqlStore, "_transaction", unlucky)
    view = house.run("parent", lease_seconds=0.5)
    assert lost.count("x") > 20
    assert_once(house, view.id)


def test_a_database_that_is_locked_for_long_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyter_flows.store.sql.BUSY_TIMEOUT", 20)
    house = House(tmp_path, f"sqlite:///{tmp_path}/store.db")
    tell_story(house)

    async def main() -> str:
        async with house.worker() as worker:
            view = house.engine.start("parent")
            await house.until(view.id, lambda view: view.savepoints >= 1)
            holder = sqlite3.connect(tmp_path / "store.db", isolation_level=None, timeout=60)
            holder.execute("BEGIN IMMEDIATE")
            while worker.trouble is None:
                await asyncio.sleep(0.01)
            assert "another program keeps it locked" in worker.trouble
            holder.execute("ROLLBACK")
            holder.close()
            await house.until(view.id)
            await until_calm(worker)
            return view.id

    assert_once(house, asyncio.run(main()))
    house.close()


def test_a_worker_stops_although_a_call_waits_for_a_store_that_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyter_flows.store.sql.BUSY_TIMEOUT", 20)
    monkeypatch.setattr("jupyter_flows.engine.worker._GIVE_UP", 0.2)
    house = House(tmp_path, f"sqlite:///{tmp_path}/store.db")
    gate = house.root / "gate"
    os.mkfifo(gate)
    house.flow("child", "Log(text='child')")
    house.flow(
        "parent",
        "Log(text='one')",
        f"(open({str(gate)!r}).read() or StartFlow(flow='child')) if once(directory + '/first')"
        " else StartFlow(flow='child')",
    )
    calls: list[Chain] = []
    submit = Committer.submit

    def noted(self: Committer, work: Any, chain: Chain | None = None, is_link: bool = False) -> Any:
        if chain is not None:
            calls.append(chain)
        return submit(self, work, chain, is_link)

    monkeypatch.setattr(Committer, "submit", noted)

    async def main() -> str:
        async with house.worker() as worker:
            view = house.engine.start("parent")
            await house.until(view.id, lambda view: view.savepoints >= 1)
            holder = sqlite3.connect(tmp_path / "store.db", isolation_level=None, timeout=60)
            holder.execute("BEGIN IMMEDIATE")
            calls.clear()
            await asyncio.to_thread(lambda: gate.open("w").close())
            while not (calls and worker.trouble):
                await asyncio.sleep(0.01)
            await asyncio.wait_for(worker.stop(), 120)
            holder.execute("ROLLBACK")
            holder.close()
        async with house.worker():
            await house.until(view.id)
            return view.id

    children = house.engine.children(asyncio.run(main()))
    assert [(child.flow, child.status) for child in children] == [("child", Status.ENDED_SUCCESS)]
    house.close()


def test_a_change_that_could_not_be_read_is_told_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when it is the last one, after which nobody says that there is more."""
    house = House(tmp_path, f"sqlite:///{tmp_path}/store.db")
    house.flow("hello")
    heard = threading.Event()
    told: list[Change] = []
    refused: list[str] = []
    newest = SqlTransaction.changes

    def unlucky(self: SqlTransaction, after: int, limit: int) -> list[Change]:
        if len(refused) < 2:
            refused.append("x")
            raise StoreError("the store is away")
        return newest(self, after, limit)

    def listen(change: Change) -> None:
        told.append(change)
        heard.set()

    house.engine.on_change(listen)
    monkeypatch.setattr(SqlTransaction, "changes", unlucky)
    view = house.engine.start("hello")
    assert heard.wait(60)
    assert len(refused) == 2
    assert {change.execution_id for change in told} == {view.id}
    house.close()


def test_a_killed_postgresql_is_waited_for(tmp_path: Path, postgresql_server: Server) -> None:
    house = House(tmp_path, postgresql_server.url(f"t{uuid4().hex}"))
    tell_story(house)

    async def main() -> str:
        async with house.worker() as worker:
            view = house.engine.start("parent")
            await house.until(view.id, lambda view: view.savepoints >= 1)
            await asyncio.to_thread(postgresql_server.kill)
            while worker.trouble is None:
                await asyncio.sleep(0.01)
            await asyncio.to_thread(postgresql_server.start)
            await house.until(view.id)
            return view.id

    assert_once(house, asyncio.run(main()))
    house.close()


def test_a_late_word_of_an_old_claim_changes_nothing(house: House) -> None:
    house.flow("flow", "Log(text='x')")
    view = house.run("flow")
    with house.store.writing() as transaction:
        ledger = Ledger(transaction, house.engine.clock())
        with pytest.raises(StaleLeaseError):
            ledger.advance(ledger.held(view.id, 1), KernelDied(at=ledger.now, reason="late"))
    assert house.engine.execution(view.id) == view


def test_a_kernel_that_dies_between_the_claim_and_its_answer(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its execution is running again by then, and the worker still takes it for waiting."""
    house.flow("nap", "Log(text='before')", "Sleep(seconds=0.2)", "Log(text='after')")
    killed: list[str] = []
    commit = Desk.commit

    def commit_and_kill(desk: Desk, work: Any, *chain: Any, **options: Any) -> Any:
        async def decided() -> Any:
            due, number = await commit(desk, work, *chain, **options)
            for claim in getattr(due, "claims", ()):
                session = desk._sessions.get(claim.execution.id)
                if session is not None and session.is_parked and not killed:
                    killed.append(claim.execution.id)
                    session.kernel.kill()
                    await session.kernel.gone
                    while not session.is_leaving:  # the worker has noticed, and would give the kernel up
                        await asyncio.sleep(0.01)
            return due, number

        return asyncio.ensure_future(decided())

    monkeypatch.setattr(Desk, "commit", commit_and_kill)
    view = house.run("nap")
    assert killed == [view.id]
    assert view.status is Status.ENDED_SUCCESS
    assert house.texts(view.id) == ["before", "after"]


def test_a_look_whose_session_is_ended_meanwhile_is_tried_again(
    tmp_path: Path, postgresql_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(tmp_path, postgresql_server.url(f"t{uuid4().hex}"))
    house.flow("hello")
    view = house.engine.start("hello")
    look = SqlTransaction.view
    ended: list[int] = []

    def unlucky(self: SqlTransaction, execution_id: str) -> ExecutionView | None:
        if len(ended) < 2:
            pid = self._transmission.driver.info.backend_pid
            with psycopg.connect(house.store.url.replace("+psycopg", "")) as other:
                other.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])
            ended.append(pid)
        return look(self, execution_id)

    monkeypatch.setattr(SqlTransaction, "view", unlucky)
    try:
        assert house.engine.execution(view.id) == view
    finally:
        house.close()
    assert len(set(ended)) == 2
