"""The package is upgraded: between stop and start, or beside a worker that still runs."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from jupyter_flows.cli.running import work
from jupyter_flows.errors import StoreError
from jupyter_flows.model import ExecutionView, Status, Wait
from jupyter_flows.store import rows
from jupyter_flows.store.tables import HEAD

from .house import House


def set_schema(url: str, revision: str) -> None:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})
    engine.dispose()


def test_a_worker_hands_over_when_a_newer_version_takes_the_store(any_house: House) -> None:
    asyncio.run(handed_over(any_house))


async def handed_over(any_house: House) -> None:
    gate = any_house.root / "gate"
    os.mkfifo(gate)
    any_house.flow("slow", "Log(text='one')", f"open({str(gate)!r}).read() or None", "Log(text='two')")
    async with any_house.worker() as worker:
        assert worker.trouble is None
        view = any_house.engine.start("slow")
        await any_house.until(view.id, lambda view: view.savepoints == 1)
        set_schema(any_house.store.url, "9999")
        await worker.until_outdated()
        assert "newer version" in (worker.what_is_dead() or "")
        assert worker.what_is_dead() == worker.trouble == worker.outdated
        assert worker.what_is_missing() is not None
        waiting = any_house.engine.start("slow")
        # Its flow computes; at its next call, which is committed, it is handed over.
        opened = await asyncio.to_thread(gate.open, "w")
        opened.close()
        await any_house.until(view.id, lambda view: view.status is Status.QUEUED)
        assert any_house.engine.execution(waiting.id).started_at is None
    set_schema(any_house.store.url, HEAD)
    async with any_house.worker():
        await any_house.until(view.id)
        opened = await asyncio.to_thread(gate.open, "w")
        opened.close()
        await any_house.until(waiting.id)
    assert any_house.texts(view.id) == any_house.texts(waiting.id) == ["one", "two"]


def test_the_command_ends_and_says_why(house: House) -> None:
    def say(_: str) -> None:  # it has begun
        set_schema(house.store.url, "9999")

    with pytest.raises(StoreError, match=r"upgraded by a newer version.*start it again"):
        asyncio.run(work(house.engine, 1, False, say))


def test_what_slept_through_an_upgrade_goes_on(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    house = House(tmp_path, url)
    house.flow("nap", "Log(text='one')", "Sleep(seconds=3600)", "Log(text='two')")
    view = asyncio.run(put_to_sleep(house))
    house.close()
    as_schema_6_had_it(tmp_path / "store.db", view.id)
    house = House(tmp_path, url)
    asyncio.run(woken(house, view.id))
    assert house.texts(view.id) == ["one", "two"]
    house.close()


async def put_to_sleep(house: House) -> ExecutionView:
    async with house.worker(sleep_max_seconds=0):
        return await house.until_status(house.engine.start("nap").id, Status.WAITING)


async def woken(house: House, execution_id: str) -> None:
    async with house.worker():
        await house.until(execution_id)


def as_schema_6_had_it(file: Path, execution_id: str) -> None:
    """Digests in full, and what a sleep waits for by name. It has slept long enough."""
    past = datetime(2026, 1, 1, tzinfo=UTC)
    with sqlite3.connect(file) as connection:
        connection.row_factory = sqlite3.Row
        row = connection.execute("SELECT * FROM executions WHERE id = ?", (execution_id,)).fetchone()
        connection.execute(
            "UPDATE executions SET flow_version = ?, wait = ?, wake_at = ? WHERE id = ?",
            (
                rows.execution(dict(row)).flow_version,
                rows.encode(Wait(wake_at=past)),
                rows.to_microseconds(past),
                execution_id,
            ),
        )
        connection.execute("UPDATE flow_versions SET digest = ?", (rows.execution(dict(row)).flow_version,))
        connection.execute("UPDATE savepoints SET created_at = ?", (rows.to_microseconds(past),))
        (made,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'search_index'").fetchone()
        connection.execute("DROP TABLE search_index")
        connection.execute(made.replace(", columnsize=0", ""))
        connection.execute("UPDATE alembic_version SET version_num = '0006'")
