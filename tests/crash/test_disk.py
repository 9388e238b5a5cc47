"""Disks that are full, files that are locked: it is said what is wrong, and all goes on when it is over."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_flows.engine import Engine, FlowLibrary
from jupyter_flows.errors import StoreError
from jupyter_flows.model import ExecutionView, Status
from jupyter_flows.store import open_store
from jupyter_flows.store.failures import lock_holder

from .victims import JupyterServer

GROWING = """
import random

def handler(system, this, inputs):
    this.log('begun')
    parts = []
    for n in range(inputs['count']):
        parts.append(random.Random(n).randbytes(inputs['size']))
        this.log(f'part {n}')
    assert parts == [random.Random(n).randbytes(inputs['size']) for n in range(inputs['count'])]
    return this.success('all there')
"""


class House:
    """Two Jupyter servers on one SQLite store, and an engine to look at it."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "store.db"
        root = directory / "flows"
        root.mkdir()
        (root / "growing.py").write_text(GROWING)
        url = f"sqlite:///{self.path}"
        self.store = open_store(url)
        self.engine = Engine(self.store, FlowLibrary(root))
        self.servers = [JupyterServer(f"server{n}", directory, url, root) for n in range(2)]
        self._news = threading.Event()
        self._dispose = self.engine.on_change(lambda _: self._news.set())

    def until(self, execution_id: str, wanted: Callable[[ExecutionView], bool]) -> ExecutionView:
        while True:
            self._news.clear()
            view = self.engine.execution(execution_id)
            if wanted(view):
                return view
            assert self._news.wait(120), f"nothing happened for long; it is {view}"

    def status(self, server: JupyterServer) -> dict[str, Any]:
        found: dict[str, Any] = server.until_answering("status")
        return found

    def until_trouble(self, server: JupyterServer, wanted: Callable[[str | None], bool]) -> str | None:
        """The panels ask in the same way."""
        tick = threading.Event()
        for _ in range(1200):
            trouble: str | None = self.status(server)["trouble"]
            if wanted(trouble):
                return trouble
            tick.wait(0.1)
        raise AssertionError(f"its trouble is {trouble}")

    def close(self) -> None:
        for server in self.servers:
            server.kill()
        self._dispose()
        self.engine.close()
        self.store.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.close()


def limit_files(pid: int, size: int) -> None:
    """As a full disk: nothing that this process writes may be longer. It takes effect at once."""
    _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, most))


@pytest.mark.skipif(sys.platform != "linux", reason="limits of a running process are set with prlimit")
def test_a_full_disk_is_said_and_waited_for(house: House) -> None:
    """First the database cannot grow, then chunk files; a second server comes, and nothing is there twice."""
    first, second = house.servers
    first.start()
    house.status(first)
    before = house.engine.start("growing", {"count": 3, "size": 1000})
    house.until(before.id, lambda view: view.status.is_final)

    limit_files(first.pid, 1)
    started = first.http.post("executions", json={"flow": "growing", "inputs": {"count": 3, "size": 1000}})
    assert (started.status_code, started.json()["type"]) == (503, "StoreError")
    started_elsewhere = house.engine.start("growing", {"count": 3, "size": 1000})
    trouble = house.until_trouble(first, lambda trouble: trouble is not None)
    assert trouble is not None
    assert "cannot write" in trouble
    limit_files(first.pid, resource.RLIM_INFINITY)
    ended = house.until(started_elsewhere.id, lambda view: view.status.is_final)
    assert ended.status is Status.ENDED_SUCCESS
    house.until_trouble(first, lambda trouble: trouble is None)

    # Kernels have inherited no limit: those of the zygote are limited by hand.
    size = 3_000_000
    for pid in (first.pid, *first.zygotes(), *first.kernels()):
        limit_files(pid, 500_000)
    big = house.engine.start("growing", {"count": 3, "size": size})
    house.until_trouble(first, lambda trouble: trouble is not None)
    second.start()
    for pid in (first.pid, *first.zygotes(), *first.kernels()):
        limit_files(pid, resource.RLIM_INFINITY)
    assert house.until(big.id, lambda view: view.status.is_final).message == "all there"
    assert [line.text for line in house.engine.log(big.id)] == ["begun", "part 0", "part 1", "part 2"]

    house.status(second)
    many = [
        server.http.post("executions", json={"flow": "growing", "inputs": {"count": 5, "size": 10}}).json()
        for server in (first, second) * 3
    ]
    for one in many:
        assert house.until(one["id"], lambda view: view.status.is_final).message == "all there"
        texts = [line.text for line in house.engine.log(one["id"])]
        assert texts == ["begun", *(f"part {n}" for n in range(5))]
    assert list(Path(f"{house.path}.chunks").glob("*/.*")) == [], "unfinished files were left"


HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute('BEGIN IMMEDIATE')
print('held', flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells who holds a lock")
@pytest.mark.parametrize("is_stopped", [True, False])
def test_who_keeps_the_database_locked_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_stopped: bool
) -> None:
    """A process that was stopped in the middle of a write keeps the lock, and only it can give it back."""
    monkeypatch.setattr("jupyter_flows.store.sql.BUSY_TIMEOUT", 20)
    path = tmp_path / "store.db"
    store = open_store(f"sqlite:///{path}")
    with store.writing() as transaction:
        transaction.prune_changes(1)
    assert lock_holder(str(path)) is None
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        if is_stopped:
            holder.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, holder.pid, os.WSTOPPED)
        with pytest.raises(StoreError, match=f"process {holder.pid} ") as caught, store.writing():
            pass
        assert ("was stopped" in caught.value.message) == is_stopped
        assert (f"kill -CONT {holder.pid}" in caught.value.message) == is_stopped
    finally:
        holder.kill()
        holder.communicate()
    with store.writing() as transaction:
        transaction.prune_changes(1)
    store.close()
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
