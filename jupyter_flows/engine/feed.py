"""Changes told as they come: one thread reads them from the store and calls who listens."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from ..errors import StoreError
from ..store import Change, Notice, Store

_PART = 1000
#: Changes of so many seconds are read together: a flow may make thousands of calls in one.
_REST = 0.02
#: An end, for which somebody may wait, is told at once, but no oftener than this: seconds.
_REST_AT_ENDS = 0.001
#: How long a store that cannot be read is left alone: seconds.
_PAUSE = 0.2
#: How far a change may come behind later ones, where commits are side by side.
_OUT_OF_ORDER = 300

logger = logging.getLogger(__name__)


class ChangeFeed:
    """Calls each listener, in one thread and in order, with every change committed after it was added."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._listeners: list[Callable[[Change], None]] = []
        self._guard = threading.Lock()
        self._nudged = threading.Event()
        self._has_ends = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._ignore_store: Callable[[], None] | None = None
        self._first = self._after = 0
        self._told: dict[int, None] = {}

    def listen(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Returns what ends it."""
        with self._guard:
            if self._thread is None:
                self._begin()
            self._listeners.append(listener)

        def dispose() -> None:
            with self._guard:
                if listener in self._listeners:
                    self._listeners.remove(listener)

        return dispose

    def _begin(self) -> None:
        with self._store.reading() as transaction:
            self._first = self._after = transaction.newest_change()
        self._ignore_store = self._store.listen(self._noticed)
        self._thread = threading.Thread(target=self._run, name="flows-changes", daemon=True)
        self._thread.start()

    def _noticed(self, notice: Notice) -> None:
        if notice.has_ends:
            self._has_ends.set()
        if notice.has_changes:
            self._nudged.set()

    def close(self) -> None:
        self._closed.set()
        self._has_ends.set()
        self._nudged.set()
        if self._ignore_store is not None:
            self._ignore_store()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=5)

    def _run(self) -> None:
        told_at = 0.0
        while not self._closed.is_set():
            self._nudged.wait()
            if self._has_ends.wait(_REST):
                time.sleep(max(0.0, told_at + _REST_AT_ENDS - time.monotonic()))
            told_at = time.monotonic()
            self._has_ends.clear()
            self._nudged.clear()
            try:
                while not self._closed.is_set() and self._tell_more():
                    pass
            except StoreError:
                # Nobody may nudge again: what was not read now is the last change, perhaps.
                self._nudged.set()
                if not self._closed.is_set():
                    logger.warning("changes cannot be read now; they are told later", exc_info=True)
                    self._closed.wait(_PAUSE)

    def _tell_more(self) -> bool:
        """Whether there may be more. Numbers that came out of order are looked for once more."""
        behind = 0 if self._store.tells_in_order else _OUT_OF_ORDER
        with self._store.reading() as transaction:
            changes = transaction.changes(max(self._first, self._after - behind), _PART)
        for change in changes:
            if change.seq in self._told:
                continue
            self._after = max(self._after, change.seq)
            if behind:
                self._told[change.seq] = None
                while len(self._told) > 2 * _OUT_OF_ORDER:
                    self._told.pop(next(iter(self._told)))
            with self._guard:
                listeners = list(self._listeners)
            for listener in listeners:
                try:
                    listener(change)
                except Exception:  # one listener's fault must not silence the others
                    logger.exception("a listener to changes failed")
        return len(changes) == _PART
