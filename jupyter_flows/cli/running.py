"""Commands that take time: waiting for an execution, following its log, working."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

from ..engine import processes
from ..engine.health import HealthServer
from ..engine.service import Engine
from ..engine.worker import LEASE, Worker
from ..errors import InvalidInputError, StoreError
from ..model import ExecutionView, LogLine
from ..store import WorkerRecord

# How often a wait looks whether the worker that it relies on still lives, in seconds.
_LOOK_SECONDS = 5.0


class Following:
    """Waits for changes of one execution, and gives the lines of its log to `on_line` as they come."""

    def __init__(self, engine: Engine, execution_id: str, on_line: Callable[[LogLine], None] | None) -> None:
        self._engine = engine
        self._id = execution_id
        self._on_line = on_line
        self._number = 0
        self._changed = asyncio.Event()

    async def until_end(self, look: Callable[[], Any] | None = None) -> ExecutionView:
        """The execution when it has ended. `look` is awaited every few seconds until then."""
        loop = asyncio.get_running_loop()

        def on_change(change: Any) -> None:
            if change.execution_id == self._id:
                loop.call_soon_threadsafe(self._changed.set)

        dispose = await asyncio.to_thread(self._engine.on_change, on_change)
        try:
            while True:
                self._changed.clear()
                # First the state, then the log: the lines before the end are all there then.
                view = await asyncio.to_thread(self._engine.execution, self._id)
                await self._print_log()
                if view.status.is_final:
                    return view
                if look is not None:
                    await look()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), _LOOK_SECONDS)
        finally:
            dispose()

    async def _print_log(self) -> None:
        while self._on_line is not None:
            lines = await asyncio.to_thread(self._engine.log, self._id, self._number)
            for line in lines:
                self._on_line(line)
                self._number = line.number
            if not lines:
                return


async def run_to_end(
    engine: Engine, execution_id: str, slots: int, on_line: Callable[[LogLine], None] | None
) -> ExecutionView | None:
    """The execution when it has ended, or None when a person interrupted.

    With no living worker on the store, or when the last one dies, a worker of this process runs it.
    """
    own: list[Worker] = []

    async def look() -> None:
        if not own and not await asyncio.to_thread(living_workers, engine):
            worker = Worker(engine, slots=slots)
            own.append(worker)
            await worker.start()
        for worker in own:
            if worker.outdated is not None:
                raise StoreError(worker.outdated)

    try:
        async with _interruption() as interrupted:
            following = asyncio.ensure_future(Following(engine, execution_id, on_line).until_end(look))
            either: list[asyncio.Future[Any]] = [following, interrupted]
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if following.done():
                return following.result()
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            return None
    finally:
        for worker in own:
            await worker.stop()


async def work(
    engine: Engine,
    slots: int,
    until_idle: bool,
    say: Callable[[str], None],
    *,
    grace_seconds: float = 10.0,
    health_port: int | None = None,
    health_host: str = "127.0.0.1",
    savepoint_retention: int | None = None,
) -> None:
    """A worker, until a person or the system stops it, or nothing is left to do.

    When it is stopped, flows may compute for `grace_seconds` to their next call, where another worker goes
    on. With `health_port`, liveness, readiness and metrics are told there. Raises StoreError when another
    version of jupyter_flows has taken the store over meanwhile.
    """
    worker = Worker(engine, slots=slots, savepoint_retention=savepoint_retention)
    health = HealthServer(worker.metrics, worker.what_is_dead, worker.what_is_missing)
    async with _interruption() as interrupted:
        if health_port is not None:
            try:
                port = await health.start(health_port, health_host)
            except OSError as error:
                raise InvalidInputError(
                    f"port {health_port} cannot be used ({error.strerror}): give another --health-port"
                ) from error
            say(f"health and metrics at http://{health_host}:{port}/health/live, /health/ready, /metrics")
        await worker.start()
        say(f"worker {worker.id} runs what is due on {engine.store.url}, {slots} at once; Ctrl-C stops it")
        ends = [interrupted, asyncio.ensure_future(worker.until_outdated())]
        if until_idle:
            ends.append(asyncio.ensure_future(worker.until_idle()))
        try:
            done, waiting = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for task in waiting:
                task.cancel()
            for task in done:
                task.result()
        finally:
            await worker.stop(drain_seconds=grace_seconds)
            await health.stop()
    if worker.outdated is not None:
        raise StoreError(worker.outdated)


async def place_on_dask(
    scheduler: str, store: str, root: str, slots: int, grace_seconds: float, say: Callable[[str], None]
) -> None:
    """A worker on each worker of a Dask cluster, until a person or the system stops this process."""
    from ..engine.dask_engine import Placement, place_workers

    placement = Placement(store=store, root=root, slots=slots, grace_seconds=grace_seconds)
    async with _interruption() as interrupted:
        await place_workers(scheduler, placement, interrupted, say)


def living_workers(engine: Engine) -> list[WorkerRecord]:
    """The workers that can run something: on this machine by their process, elsewhere by their voice."""
    now, here = datetime.now(UTC), processes.host()
    with engine.store.reading() as transaction:
        return [
            worker
            for worker in transaction.workers()
            if (
                processes.identity(worker.pid) == worker.process
                if worker.host == here
                else now - worker.seen_at < LEASE
            )
        ]


@contextlib.asynccontextmanager
async def _interruption() -> AsyncIterator[asyncio.Future[None]]:
    """A future that is done when a person presses Ctrl-C or the system asks this process to end.

    The second time the process ends at once, as without us: nothing is lost, the store holds it all.
    """
    loop = asyncio.get_running_loop()
    interrupted: asyncio.Future[None] = loop.create_future()
    signals = (signal.SIGINT, signal.SIGTERM)

    def interrupt() -> None:
        if not interrupted.done():
            interrupted.set_result(None)
        for number in signals:
            loop.remove_signal_handler(number)

    for number in signals:
        loop.add_signal_handler(number, interrupt)
    try:
        yield interrupted
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
        interrupted.cancel()
