"""How a process learns that another one has committed.

SQLite has no messages: a thread asks ``PRAGMA data_version``, which costs a few microseconds and changes
with each commit of another connection; what concerns workers is told at once, by `bells`. PostgreSQL has
LISTEN and NOTIFY; a transaction that concerns workers announces itself, and panels, which may be a moment
late, are served by a slow poll.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable

from sqlalchemy import Connection, Engine, bindparam, func, literal_column, select, text

from .bells import Bells
from .hot import Hot
from .port import Notice

_SQLITE_INTERVAL = 0.05  # seconds
_POSTGRESQL_INTERVAL = 0.5
_CHANNEL = "jupyter_flows"
_ALL = Notice(has_changes=True, is_due=True, has_ends=True)

_notify = Hot(select(func.pg_notify(literal_column(f"'{_CHANNEL}'"), bindparam("own"))))

logger = logging.getLogger(__name__)


class Watch(ABC):
    """A thread that tells of other processes' commits, from the first `start` until `stop`."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self, tell: Callable[[Notice], None]) -> None:
        with self._guard:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, args=(tell,), name="flows-watch", daemon=True
                )
                self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=5)

    def announce(self, connection: Connection) -> None:
        """Part of a transaction that concerns workers: tell other processes at its commit."""
        del connection

    def committed(self) -> None:  # noqa: B027 - a database that announces has told it already
        """After the commit of a transaction that concerns workers."""

    def _run(self, tell: Callable[[Notice], None]) -> None:
        while not self._stopping.is_set():
            try:
                self._watch(tell)
            except Exception:  # the database is away for a moment: nothing is lost, workers poll as well
                if not self._stopping.is_set():
                    logger.warning("the watch on the store failed; it is tried again", exc_info=True)
                self._stopping.wait(1.0)

    @abstractmethod
    def _watch(self, tell: Callable[[Notice], None]) -> None:
        """Tell until `_stopping` is set, or raise."""


class SqliteWatch(Watch):
    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path
        self._bells = Bells(path)

    def committed(self) -> None:
        self._bells.ring()

    def stop(self) -> None:
        super().stop()
        self._bells.take_down()

    def _watch(self, tell: Callable[[Notice], None]) -> None:
        self._bells.hang()
        connection = sqlite3.connect(self._path, isolation_level=None)
        try:
            known = None
            while not self._stopping.is_set():
                self._bells.wait(_SQLITE_INTERVAL)
                (version,) = connection.execute("PRAGMA data_version").fetchone()
                if known is not None and version != known:
                    tell(_ALL)
                known = version
        finally:
            connection.close()


class PostgresqlWatch(Watch):
    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self._engine = engine

        #: What this process commits itself its listeners know already.
        self._own = uuid.uuid4().hex

    def announce(self, connection: Connection) -> None:
        _notify.run(connection, {"own": self._own})

    def _watch(self, tell: Callable[[Notice], None]) -> None:
        with self._engine.connect() as held:
            connection = held.execution_options(isolation_level="AUTOCOMMIT")
            driver = connection.connection.driver_connection
            assert driver is not None
            driver.execute(f"LISTEN {_CHANNEL}")
            known = None
            looks_at = 0.0
            while not self._stopping.is_set():
                notices = list(driver.notifies(timeout=_POSTGRESQL_INTERVAL, stop_after=1))
                if any(notice.payload != self._own for notice in notices):
                    tell(_ALL)
                if notices and time.monotonic() < looks_at:
                    continue
                looks_at = time.monotonic() + _POSTGRESQL_INTERVAL
                newest = int(
                    connection.execute(text("SELECT coalesce(max(seq), 0) FROM changes")).scalar_one()
                )
                if newest != known:
                    tell(Notice(has_changes=True, is_due=False))
                known = newest
