"""The store over SQLAlchemy: transactions on SQLite and PostgreSQL, and who is told after a commit.

SQLite runs in WAL mode with ``synchronous=FULL``: a commit is on the disk when it returns (about 0.15 ms
on an SSD). Writers take the lock at BEGIN, since a lock taken in the middle of a transaction can fail with
nobody to blame; inside one process they queue on a mutex, which is fair and quicker than SQLite's waiting.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from ..errors import StoreError
from .chunk_files import ChunkFiles
from .connections import DRIVEN, Connections
from .failures import explained
from .port import Notice
from .transaction import SqlTransaction
from .watching import Watch

#: How long a writer of another process may keep the SQLite database locked: milliseconds.
BUSY_TIMEOUT = 20_000


class SqlStore:
    """See `port.Store`. Made by `open_store`."""

    def __init__(self, engine: Engine, url: str, files: ChunkFiles | None, watch: Watch) -> None:
        self.url = url
        self.chunk_directory = str(files.path) if files else None
        self._engine = engine
        self._connections = Connections(engine)
        self._files = files
        self._watch = watch
        self._is_sqlite = engine.dialect.name == "sqlite"
        self._file = engine.url.database if self._is_sqlite else None
        # PostgreSQL gives out numbers before it commits, and writers commit side by side.
        self.tells_in_order = self._is_sqlite
        self._one_writer = threading.RLock()
        self._listeners: list[Callable[[Notice], None]] = []
        self._guard = threading.Lock()
        self._is_closed = False

    @contextmanager
    def writing(self) -> Iterator[SqlTransaction]:
        if self._is_sqlite:
            with self._one_writer, self._transaction() as transaction:
                yield transaction
        else:
            with self._transaction() as transaction:
                yield transaction
        if transaction.is_due or transaction.has_ends:
            self._watch.committed()
        if transaction.has_changes or transaction.is_due:
            notice = Notice(
                has_changes=transaction.has_changes, is_due=transaction.is_due, has_ends=transaction.has_ends
            )
            self._tell(notice)

    @contextmanager
    def _transaction(self) -> Iterator[SqlTransaction]:
        with self._translated("write to"), self._connections.transaction(writes=True) as transmission:
            transaction = SqlTransaction(transmission, self._files, writes=True)
            yield transaction
            transaction.flush()
            transaction.write_changes()
            if transaction.is_due or transaction.has_ends:
                self._watch.announce(transmission.connection)

    @contextmanager
    def reading(self) -> Iterator[SqlTransaction]:
        with self._translated("read"), self._connections.transaction(writes=False) as transmission:
            yield SqlTransaction(transmission, self._files)

    def listen(self, listener: Callable[[Notice], None]) -> Callable[[], None]:
        with self._guard:
            self._listeners.append(listener)
        self._watch.start(self._tell)

        def dispose() -> None:
            with self._guard:
                if listener in self._listeners:
                    self._listeners.remove(listener)

        return dispose

    def _tell(self, notice: Notice) -> None:
        with self._guard:
            listeners = list(self._listeners)
        for listener in listeners:
            listener(notice)

    def close(self) -> None:
        self._is_closed = True
        self._watch.stop()
        self._connections.close()
        self._engine.dispose()

    @contextmanager
    def _translated(self, verb: str) -> Iterator[None]:
        """Every failure of the database as one clear error of ours."""
        if self._is_closed:
            raise StoreError(f"the store {self.url} is closed")
        what = f"cannot {verb} the store {self.url}"
        driver_error: type[Exception] = self._engine.dialect.loaded_dbapi.Error
        try:
            yield
        except SQLAlchemyError as error:
            raise explained(error, what, self._file) from error
        except driver_error as error:  # of a hot statement
            shown = DBAPIError.instance(None, None, error, driver_error, dialect=self._engine.dialect)
            raise explained(shown, what, self._file) from error


def prepare_sqlite(engine: Engine) -> None:
    """Make every connection durable, and transactions begin as they should."""

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        cursor = connection.cursor()
        for setting in (
            f"busy_timeout={BUSY_TIMEOUT}",
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "cache_size=-32000",
        ):
            cursor.execute(f"PRAGMA {setting}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        options = connection.get_execution_options()
        if options.get(DRIVEN, False):
            return
        is_reading = options.get("is_reading", False)
        connection.exec_driver_sql("BEGIN" if is_reading else "BEGIN IMMEDIATE")
