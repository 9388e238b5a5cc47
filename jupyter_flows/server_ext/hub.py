"""Changes on their way to many clients.

Clients pull: each asks for what came after the change it has seen last, and asks again when that is
sent. So a slow client holds up nobody and nothing piles up for it: it reads from the newest messages,
which are kept here made and encoded for all, or, further back, from the store.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterable

import msgspec

from ..engine.service import Engine
from ..errors import EngineException, ResourceNotFoundError, StoreError
from ..model import ExecutionView
from ..store import Change
from .messages import ChangeMessage

Message = tuple[int, bytes]  # the change's seq, and it as JSON

_KEPT = 2000  # messages
_LARGEST = 32_768  # bytes of a message: more is not pushed to everybody
_PART = 500  # changes that are read from the store at once


class ChangeHub:
    """`on_activity` is called in the server's loop whenever something changed."""

    def __init__(self, on_activity: Callable[[], None] = lambda: None) -> None:
        self._on_activity = on_activity
        self._engine: Engine | None = None
        self._dispose: Callable[[], None] | None = None
        self._arrived: list[Change] = []  # told by the engine's thread, not yet made messages of
        self._guard = threading.Lock()
        self._newest = 0  # the seq that clients can have read up to
        self._oldest = 0  # all messages after this seq are in _recent
        self._recent: deque[Message] = deque()
        self._more = asyncio.Event()  # replaced each time it is set
        self._pump: asyncio.Task[None] | None = None
        self._nudge = asyncio.Event()
        self._is_closed = False

    async def attach(self, engine: Engine) -> None:
        """Listen to `engine` from now on. Raises StoreError."""
        loop = asyncio.get_running_loop()

        def arrived(change: Change) -> None:
            with self._guard:
                self._arrived.append(change)
                is_first = len(self._arrived) == 1
            if is_first:
                loop.call_soon_threadsafe(self._nudge.set)

        # First listen, then ask: a change between the two comes twice, and is skipped by its seq.
        self._dispose = await asyncio.to_thread(engine.on_change, arrived)
        self._newest = self._oldest = await asyncio.to_thread(engine.newest_change)
        self._engine = engine
        self._is_closed = False
        self._pump = loop.create_task(self._make_messages())

    def close(self) -> None:
        """End all waiting: `after` raises StoreError."""
        if self._dispose is not None:
            self._dispose()
            self._dispose = None
        if self._pump is not None:
            self._pump.cancel()
            self._pump = None
        self._engine = None
        self._is_closed = True
        self._recent.clear()
        self._wake()

    async def after(self, seq: int) -> list[Message]:
        """The next messages after the change `seq`, in order; waits until there are some.

        Raises StoreError when the hub is closed or the store cannot be read.
        """
        while True:
            if self._is_closed or self._engine is None:
                raise StoreError("The server stops, or its store was closed.")
            if seq < self._oldest:
                changes = await asyncio.to_thread(self._engine.changes, seq, _PART)
                if changes:
                    return await asyncio.to_thread(_messages, self._engine, changes)
                seq = self._oldest
            if found := _newer(self._recent, seq):
                return found
            await self._more.wait()

    async def _make_messages(self) -> None:
        while True:
            await self._nudge.wait()
            self._nudge.clear()
            with self._guard:
                arrived, self._arrived = self._arrived, []
            engine = self._engine
            changes = [change for change in arrived if change.seq > self._newest]
            if not changes or engine is None:
                continue
            try:
                messages = await asyncio.to_thread(_messages, engine, changes)
            except EngineException:
                # The store does not answer now: what changed is told without the executions.
                messages = [_encoded(change, None) for change in changes]
            self._recent.extend(messages)
            while len(self._recent) > _KEPT:
                self._oldest = self._recent.popleft()[0]
            self._newest = messages[-1][0]
            self._on_activity()
            self._wake()

    def _wake(self) -> None:
        self._more.set()
        self._more = asyncio.Event()


def _newer(recent: deque[Message], seq: int) -> list[Message]:
    """The messages after `seq`, which are mostly a few at the end."""
    found: list[Message] = []
    for message in reversed(recent):
        if message[0] <= seq:
            break
        found.append(message)
    return found[::-1]


def _messages(engine: Engine, changes: Iterable[Change]) -> list[Message]:
    views: dict[str, ExecutionView | None] = {}
    for change in changes:
        # Log lines and savepoints come by the thousand, and change little that a list shows.
        if change.kind == "execution" and change.execution_id not in views:
            try:
                views[change.execution_id] = engine.execution(change.execution_id)
            except ResourceNotFoundError:
                views[change.execution_id] = None  # it was deleted since
    return [_encoded(change, views.get(change.execution_id)) for change in changes]


def _encoded(change: Change, execution: ExecutionView | None) -> Message:
    message = ChangeMessage(
        seq=change.seq,
        kind=change.kind,
        execution_id=change.execution_id,
        parent_id=change.parent_id,
        execution=execution if change.kind == "execution" else None,
    )
    text = msgspec.json.encode(message)
    if len(text) > _LARGEST:
        # Its inputs or outputs are large: who shows them asks for them.
        text = msgspec.json.encode(msgspec.structs.replace(message, execution=None))
    return change.seq, text
