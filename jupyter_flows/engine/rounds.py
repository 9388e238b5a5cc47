"""What a worker does now and then beside its executions.

It says that it lives and renews its leases, takes over from dead neighbours, looks how much memory its
kernels take, and lets go of what is old. Each round has its own time, and none is in the way of another. What
the store refuses is tried again at the next one.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any

from ..errors import EngineException
from ..store import WorkerRecord
from . import memory, upkeep
from .desk import Desk
from .ledger import Ledger
from .neighbours import Neighbours
from .service import Engine
from .sessions import Session, Sessions

# How often, in seconds:
_HEALTH = 1.0  # dead neighbours are looked for
_PRUNING = 60.0  # old savepoints of running executions are let go
_TIDYING = 3600.0  # old executions are archived, and bytes removed that nothing refers to
_FIRST_TIDYING = 60.0  # how soon the last begins
_CHANGES_KEPT = 100_000
_REAPED_AT_ONCE = 1000


class Rounds:
    """The rounds of one worker. They end when they are cancelled.

    Arguments: `record` is what the worker says of itself at an instant; `lease_time` how long its claims
    hold; `retention` and `savepoint_retention` as `Worker` has them. `on_large` is called with a session
    whose kernel takes more memory than its limit (bytes), `on_another_schema` with the revision of the
    schema when another version of jupyter_flows has migrated the store.
    """

    def __init__(
        self,
        engine: Engine,
        desk: Desk,
        sessions: Sessions,
        neighbours: Neighbours,
        record: Callable[[datetime], WorkerRecord],
        lease_time: timedelta,
        *,
        retention: timedelta | None,
        savepoint_retention: int | None,
        on_large: Callable[[Session, int], object],
        on_another_schema: Callable[[str], None],
    ) -> None:
        self._engine = engine
        self._desk = desk
        self._sessions = sessions
        self._neighbours = neighbours
        self._record = record
        self._lease_time = lease_time
        self._retention = retention
        self._savepoint_retention = savepoint_retention
        self._on_large = on_large
        self._on_another_schema = on_another_schema

    def all(self) -> list[Coroutine[Any, Any, None]]:
        return [self._renewing(), self._health(), self._memory(), self._tidying(), self._pruning()]

    # --- leases

    def sign_on(self, ledger: Ledger) -> None:
        """A worker begins: what dead predecessors held is set free."""
        ledger.transaction.put_worker(self._record(ledger.now))
        dead, _ = self._neighbours.sorted(ledger)
        ledger.give_up(dead)

    async def _renewing(self) -> None:
        def work(ledger: Ledger) -> None:
            record = self._record(ledger.now)
            ledger.transaction.put_worker(record)
            ledger.transaction.renew_leases(record.id, self._engine.clock() + self._lease_time)
            ledger.transaction.prune_changes(_CHANGES_KEPT)

        while True:
            await asyncio.sleep(self._lease_time.total_seconds() / 3)
            with contextlib.suppress(EngineException):
                await self._desk.commit(work)

    async def _health(self) -> None:
        """Take over what dead workers held."""

        def work(ledger: Ledger) -> tuple[list[WorkerRecord], str | None]:
            dead, living = self._neighbours.sorted(ledger)
            ledger.give_up(dead)
            ledger.reap_expired(self._neighbours.own_id, _REAPED_AT_ONCE, self._neighbours.is_over)
            return living, ledger.transaction.another_schema()

        while True:
            with contextlib.suppress(EngineException):
                (living, schema), _ = await self._desk.commit(work)
                self._neighbours.watch(living)
                if schema is not None:
                    self._on_another_schema(schema)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._neighbours.alarm.wait(), _HEALTH)
            self._neighbours.alarm.clear()

    # --- memory

    async def _memory(self) -> None:
        loop = asyncio.get_running_loop()
        seldom = loop.time()
        while True:
            await asyncio.sleep(memory.OFTEN)
            looks_at_all = loop.time() >= seldom
            if looks_at_all:
                seldom = loop.time() + memory.SELDOM
            for session in self._sessions:
                self._weigh(session, looks_at_all)

    def _weigh(self, session: Session, looks_at_all: bool) -> None:
        limit = session.options.memory_limit
        if session.kernel is None or session.is_parked or not (looks_at_all or limit is not None):
            return
        used = memory.usage(session.kernel.pid)
        if used is None:
            return
        session.kernel.peak = max(session.kernel.peak, used.peak)
        if limit is not None and used.now > limit and not session.is_notebook:
            self._on_large(session, limit)

    # --- what is old

    async def _tidying(self) -> None:
        """Free the room of what is old. What looks at every row comes later: a worker that has just taken
        over from another one has better things to do."""
        wait = _FIRST_TIDYING
        while True:
            with contextlib.suppress(EngineException):
                await asyncio.to_thread(self._archive)
            await asyncio.sleep(wait)
            wait = _TIDYING
            with contextlib.suppress(EngineException):
                await asyncio.to_thread(self._tidy)

    def _archive(self) -> None:
        if self._retention is not None:
            self._engine.archive_ended(self._engine.clock() - self._retention)

    def _tidy(self) -> None:
        upkeep.prune(self._engine, self._savepoint_retention)
        upkeep.collect(self._engine, rest=upkeep.Leisure())

    async def _pruning(self) -> None:
        """An execution that makes many savepoints must not wait for the hour to lose the old ones."""
        while True:
            await asyncio.sleep(_PRUNING)
            for session in list(self._sessions):
                own = session.options.savepoint_retention
                keep = self._savepoint_retention if own is None else own
                if keep is not None:
                    with contextlib.suppress(EngineException):
                        await asyncio.to_thread(
                            upkeep.prune_execution, self._engine, session.execution_id, keep
                        )
