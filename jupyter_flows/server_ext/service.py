"""What lives as long as the server: the store, the engine, one worker, and the telling of changes.

A store that cannot be opened must not keep the server from starting: every call then answers with the
store's error, and the opening is tried again until it succeeds.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable
from typing import Any

from ..engine.flows import FlowLibrary
from ..engine.places import owner_concurrent
from ..engine.service import Engine
from ..engine.worker import Worker
from ..errors import EngineException, InternalError, StoreError
from ..store import Store, open_store
from .hub import ChangeHub

SOCKET_VARIABLE = "JUPYTER_FLOWS_SOCKET"  # where the kernels of notebooks find the worker
_RETRY_SECONDS = 10.0
_STOP_SECONDS = 10.0
_ACTIVITY_SECONDS = 30.0


class FlowsService:
    """Arguments: `store_url`; `root`, the directory whose flows it runs; `log`; `make_worker`, None for a
    server that hosts no worker; `on_activity`, called whenever something changes or computes."""

    def __init__(
        self,
        store_url: str,
        root: str,
        log: logging.Logger | logging.LoggerAdapter[Any],
        *,
        make_worker: Callable[[Engine], Worker] | None = Worker,
        on_activity: Callable[[], None] = lambda: None,
    ) -> None:
        self.worker: Worker | None = None
        self.hub = ChangeHub(on_activity)
        self._store_url = store_url
        self._root = root
        self._log = log
        self._make_worker = make_worker
        self._on_activity = on_activity
        self._store: Store | None = None
        self._engine: Engine | None = None
        self._trouble: EngineException = StoreError("The server has not opened its store yet. Try again.")
        self._tried = asyncio.Event()  # set after the first try, whatever came of it
        self._opened = asyncio.Event()
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to open the store, in the background: a database that does not answer holds nobody up."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def engine(self) -> Engine:
        """The engine. Raises StoreError when there is none for now."""
        await self._tried.wait()
        if self._engine is None:
            raise type(self._trouble)(self._trouble.message, **self._trouble.ids)
        return self._engine

    async def opened(self) -> None:
        """Return when the store is open and the worker, if any, runs."""
        await self._opened.wait()

    async def stop(self) -> None:
        """Hand running executions back to the store and close it."""
        self._trouble = StoreError("The server stops.")
        self._tried.set()
        self._stopping.set()
        if self._task is not None:
            # Not cut off while it opens things, which would stay open; but a dead database may hold it.
            _, held_up = await asyncio.wait([self._task], timeout=_STOP_SECONDS)
            for task in held_up:
                task.cancel()
        await self._close(self._engine)

    async def _run(self) -> None:
        while not await self._open() and not await self._stops_within(_RETRY_SECONDS):
            pass
        while not await self._stops_within(_ACTIVITY_SECONDS):
            # An execution that computes keeps the server alive, as a busy kernel does.
            if self.worker is not None and self.worker.running:
                self._on_activity()

    async def _stops_within(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
        return self._stopping.is_set()

    async def _open(self) -> bool:
        """Whether store, engine and worker are up."""
        engine = None
        try:
            self._store = await asyncio.to_thread(open_store, self._store_url)
            engine = Engine(self._store, FlowLibrary(self._root), owner_concurrent=owner_concurrent())
            if self._make_worker is not None:
                self.worker = self._make_worker(engine)
                await self.worker.start()
                os.environ[SOCKET_VARIABLE] = self.worker.socket_path
            await self.hub.attach(engine)
            self._engine = engine
        except Exception as error:
            self._trouble = error if isinstance(error, EngineException) else _unforeseen(error)
            self._log.error("flows cannot run: %s", self._trouble, exc_info=not isinstance(error, StoreError))
            await self._close(engine)
            return False
        finally:
            self._tried.set()
        self._opened.set()
        self._log.info("flows below %s run on %s", self._root, self._store.url)
        return True

    async def _close(self, engine: Engine | None) -> None:
        self._engine = None
        worker, self.worker = self.worker, None
        store, self._store = self._store, None
        self.hub.close()
        if worker is not None:
            os.environ.pop(SOCKET_VARIABLE, None)
            with contextlib.suppress(EngineException):  # its leases run out
                await worker.stop()
        if engine is not None:
            await asyncio.to_thread(engine.close)
        if store is not None:
            await asyncio.to_thread(store.close)


def _unforeseen(error: Exception) -> InternalError:
    return InternalError(
        f"The worker cannot start: {type(error).__name__}: {error}. The server's log says more."
    )
