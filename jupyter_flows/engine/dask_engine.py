"""Workers placed by Dask: one on each worker of a Dask cluster, for as long as that lives.

Dask finds the machines, starts its workers there again when they die, and shows in its dashboard where ours
run; it keeps nothing that counts. What runs, and who holds it, is in the store alone: a machine that dies is
noticed there by its leases, as everywhere, and a scheduler that dies stops nothing.

Our worker is a task that never ends by itself. It has left the thread pool (`secede`), so that it takes no
place from other tasks, and it ends when Dask does not want its task any more: when the placing process
cancels it, or has died, which Dask notices by its connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

import msgspec

from ..errors import EngineException, InvalidInputError
from ..store import open_store
from . import processes
from .flows import FlowLibrary
from .identifiers import new_id
from .places import owner_concurrent
from .service import Engine
from .worker import Worker

_LOOK = 1.0  # how often the cluster is looked at, and a task whether it is wanted: seconds
_PATIENCE = 30.0  # how long a scheduler may take to answer: seconds
_WANTED = ("executing", "long-running")

#: How many workers run in this process.
_running = 0

logger = logging.getLogger(__name__)


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker on a machine of the cluster is told. Its text, which Dask's dashboard shows, has no
    password in it. `root` is where flows are found, on each machine; `grace_seconds` as for `Worker.stop`."""

    store: str
    root: str
    slots: int
    grace_seconds: float

    def __repr__(self) -> str:
        return f"Placement(slots={self.slots}, root={self.root!r})"


def run_worker(placement: Placement) -> str:
    """The task: a worker in this thread of a Dask worker. Returns its id when it was stopped."""
    from distributed import get_worker, secede

    dask_worker = get_worker()
    key = dask_worker.get_current_task()
    secede()

    def is_wanted() -> bool:
        task = dask_worker.state.tasks.get(key)
        return task is not None and task.state in _WANTED

    return asyncio.run(_work(placement, is_wanted))


async def _work(placement: Placement, is_wanted: Callable[[], bool]) -> str:
    global _running
    store = open_store(placement.store)
    engine = Engine(store, FlowLibrary(placement.root), owner_concurrent=owner_concurrent())
    worker = Worker(engine, slots=placement.slots)
    _running += 1
    try:
        await worker.start()
        while is_wanted() and worker.outdated is None:
            await asyncio.sleep(_LOOK)
        await worker.stop(drain_seconds=placement.grace_seconds)
    finally:
        _running -= 1
        engine.close()
        store.close()
    return worker.id


async def place_workers(
    scheduler: str, placement: Placement, stopped: asyncio.Future[None], say: Callable[[str], None]
) -> None:
    """Keep one worker on each worker of the Dask cluster at `scheduler` (such as tcp://HOST:8786) until
    `stopped` is done; then hand over what they run and return.

    Raises InvalidInputError when Dask is not installed, and when no scheduler answers at the start.
    """
    client = await _connected(scheduler)
    placing = _Placing(client, placement, say)
    try:
        while not stopped.done():
            try:
                await placing.look()
            except (OSError, TimeoutError) as error:
                logger.warning("the Dask scheduler does not answer, its workers go on: %s", error)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(stopped), _LOOK)
        await placing.stop()
    finally:
        await client.close()


async def _connected(scheduler: str) -> Any:
    try:
        from distributed import Client
    except ModuleNotFoundError as error:
        raise InvalidInputError(
            "Dask is not installed: `pip install jupyter-flows[dask]`, here and on the cluster's machines"
        ) from error
    try:
        return await Client(scheduler, asynchronous=True, timeout=_PATIENCE, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise InvalidInputError(
            f"no Dask scheduler answers at {scheduler} ({error}): start one with `dask scheduler`, or give "
            "its address with --scheduler"
        ) from error


class _Placing:
    """Which Dask worker has which of our tasks."""

    def __init__(self, client: Any, placement: Placement, say: Callable[[str], None]) -> None:
        self._client = client
        self._placement = placement
        self._say = say
        self._tasks: dict[str, Any] = {}
        self._unfit: set[str] = set()

    async def look(self) -> None:
        """Place what is missing, forget what has gone."""
        cluster = await asyncio.wait_for(self._client.scheduler.identity(), _PATIENCE)
        present = set(cluster["workers"])
        for address in self._tasks.keys() - present:
            self._say(f"{address} has left the cluster")
            await self._client.cancel([self._tasks.pop(address)], force=True)
        self._unfit &= present
        for address in sorted(present - self._unfit):
            task = self._tasks.get(address)
            if task is not None and task.status != "pending":
                await self._tell_why(address, task)
                del self._tasks[address]
            if address not in self._tasks and await self._is_fit(address):
                self._tasks[address] = self._submit(address)
                self._say(f"a worker with {self._placement.slots} slots is placed on {address}")

    def _submit(self, address: str) -> Any:
        return self._client.submit(
            run_worker,
            self._placement,
            key=f"jupyter-flows-worker-{new_id()}",
            workers=[address],
            allow_other_workers=False,
            pure=False,
            retries=0,
        )

    async def _tell_why(self, address: str, task: Any) -> None:
        error = await task.exception() if task.status == "error" else None
        logger.warning("the worker on %s ended (%s) and is placed again", address, error or task.status)

    async def _is_fit(self, address: str) -> bool:
        """An SQLite file can be shared by the processes of one machine alone."""
        if not self._placement.store.startswith("sqlite"):
            return True
        found = await self._client.run(processes.host, workers=[address])
        if found.get(address) == processes.host():
            return True
        self._unfit.add(address)
        self._say(f"{address} is another machine, which cannot share an SQLite file: take PostgreSQL")
        return False

    async def stop(self) -> None:
        """Cancel all, and wait until what they ran is handed over."""
        await self._client.cancel(list(self._tasks.values()), force=True)
        ends_at = asyncio.get_running_loop().time() + self._placement.grace_seconds + 10
        addresses = list(self._tasks)
        with contextlib.suppress(OSError, TimeoutError, EngineException):
            while addresses and asyncio.get_running_loop().time() < ends_at:
                counts = await self._client.run(running_here, workers=addresses, on_error="ignore")
                if not any(counts.values()):
                    return
                await asyncio.sleep(_LOOK / 4)


def running_here() -> int:
    """How many workers this process of the cluster runs."""
    return _running
