"""Connections that stay open from one transaction to the next, driven without SQLAlchemy's own transactions.

A Flow-API call is one transaction of half a dozen statements, and SQLite needs about 0.2 ms for it. Taking a
connection out of SQLAlchemy's pool, beginning, committing and giving it back costs as much again, so these
connections say BEGIN and COMMIT to the driver themselves. Statements still may go through SQLAlchemy.

On PostgreSQL it is the ways to the server and back that cost. A transaction that writes is sent in libpq's
pipeline mode: BEGIN, and every statement whose result nobody asks for, travel with the next one whose result
is asked for, at last with COMMIT. A transaction that only reads is none there: at the level READ COMMITTED
each of its statements sees what was committed when it began, in a transaction or not.
"""

from __future__ import annotations

import contextlib
import select
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine

#: How many are kept; more are opened when needed, and closed after use.
_KEPT = 8
#: One that was idle for so long (seconds) is tried before it is used: a server may have been restarted.
_IDLE = 1.0

#: PostgreSQL's SQLSTATE of a write in a read-only session, on a replica, or during a failover.
READ_ONLY = "25006"

#: On a connection with this execution option, nobody else begins a transaction.
DRIVEN = "is_driven"


class Transmission:
    """How statements reach the driver over one connection, which may be used for them as well after
    `one_by_one`."""

    def __init__(self, connection: Connection, is_sqlite: bool) -> None:
        self.connection = connection
        self.driver: Any = connection.connection.driver_connection
        self._is_sqlite = is_sqlite
        #: Whether the server has a transaction open (not kept for SQLite, where one always is).
        self.is_open = False
        self._context: Any = None
        #: Set while statements are sent without waiting for each; it stays so for the next transaction.
        self._pipeline: Any = None

    def begin(self, writes: bool) -> None:
        if self._is_sqlite:
            self.driver.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
        elif writes:
            if self._pipeline is None:
                self._context = self.driver.pipeline()
                self._pipeline = self._context.__enter__()
            self.driver.execute("BEGIN", prepare=False)
            self.is_open = True

    def open(self) -> None:
        """From now on all that is read is one transaction, as a cursor of the server needs it."""
        if not self._is_sqlite and not self.is_open:
            self.driver.execute("BEGIN")
            self.is_open = True

    def one_by_one(self) -> None:
        """From now on a statement is done when it returns, as are all before it. Raises what they raise."""
        pipeline, self._pipeline = self._pipeline, None
        if pipeline is not None:
            try:
                pipeline.sync()
            finally:
                self._context.__exit__(None, None, None)

    def settle(self) -> None:
        """What was sent is done, and its results are there. Raises what it raises."""
        if self._pipeline is not None:
            self._pipeline.sync()

    def commit(self) -> None:
        if self._is_sqlite:
            self.driver.commit()
        else:
            self.driver.execute("COMMIT", prepare=False)
            self.settle()
            self.is_open = False

    def take_back(self) -> None:
        """Raises what the driver raises: then the connection is lost."""
        if self._pipeline is not None:
            with contextlib.suppress(Exception):
                self.one_by_one()
        self.driver.rollback()
        self.is_open = False


class Connections:
    """Kept connections of `engine`. Safe to use from several threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._is_sqlite = engine.dialect.name == "sqlite"
        self._readers: deque[tuple[Transmission, float]] = deque()
        # On PostgreSQL those that write stay in their mode.
        self._writers = self._readers if self._is_sqlite else deque()

    @contextmanager
    def transaction(self, writes: bool) -> Iterator[Transmission]:
        """One transaction; an exception inside takes it back. Raises what the driver or SQLAlchemy raises."""
        free = self._writers if writes else self._readers
        transmission = self._take(free)
        try:
            transmission.begin(writes)
            yield transmission
            if writes:
                transmission.commit()
        except BaseException as error:
            if _is_worn(error):
                self._discard(transmission)
            else:
                self._take_back(transmission, free)
            raise
        if writes or not (self._is_sqlite or transmission.is_open):
            self._give(transmission, free)
        else:  # what was read was read, whatever becomes of the connection
            self._take_back(transmission, free)

    def close(self) -> None:
        """Close those that are free; for use later, new ones are opened."""
        for free in (self._readers, self._writers):
            while free:
                with contextlib.suppress(IndexError):  # another thread has taken it meanwhile
                    _close(free.popleft()[0])

    def _take(self, free: deque[tuple[Transmission, float]]) -> Transmission:
        while True:
            try:
                transmission, used_at = free.pop()
            except IndexError:
                options: Any = {DRIVEN: True}
                if not self._is_sqlite:  # we say BEGIN ourselves
                    options["isolation_level"] = "AUTOCOMMIT"
                connection = self._engine.connect().execution_options(**options)
                return Transmission(connection, self._is_sqlite)
            if self._is_sqlite or self._is_trusted(transmission, used_at) or self._is_alive(transmission):
                return transmission

    @staticmethod
    def _is_trusted(transmission: Transmission, used_at: float) -> bool:
        """Whether it was used a moment ago and its server has said nothing since, such as that it goes."""
        if time.monotonic() - used_at >= _IDLE:
            return False
        ear = select.poll()
        try:
            ear.register(transmission.driver.pgconn.socket, select.POLLIN)
        except Exception:  # it was lost with its last transaction, and has no socket any more
            return False
        return not ear.poll(0)

    def _is_alive(self, transmission: Transmission) -> bool:
        try:
            transmission.driver.execute("SELECT 1")
            transmission.settle()
        except Exception:
            self._discard(transmission)
            return False
        return True

    def _take_back(self, transmission: Transmission, free: deque[tuple[Transmission, float]]) -> None:
        try:
            transmission.take_back()
        except Exception:
            self._discard(transmission)
            return
        if transmission.connection.invalidated:
            self._discard(transmission)
        else:
            self._give(transmission, free)

    def _give(self, transmission: Transmission, free: deque[tuple[Transmission, float]]) -> None:
        if len(free) < _KEPT:
            free.append((transmission, time.monotonic()))
        else:
            _close(transmission)

    @staticmethod
    def _discard(transmission: Transmission) -> None:
        with contextlib.suppress(Exception):
            transmission.connection.invalidate()
        with contextlib.suppress(Exception):
            transmission.connection.close()


def _close(transmission: Transmission) -> None:
    """What was asked of it is done: an error on the way out is nobody's."""
    with contextlib.suppress(Exception):
        transmission.one_by_one()
        transmission.connection.close()


def _is_worn(error: BaseException) -> bool:
    """Whether the error may be the connection's own, so that a new one can do what this one cannot.

    A session of PostgreSQL that was opened in the middle of a failover keeps the setting of that moment and
    stays read-only; and what psycopg says without an SQLSTATE is no word of the server's, but tells of a lost
    connection.
    """
    original = getattr(error, "orig", error)
    return hasattr(original, "sqlstate") and original.sqlstate in (None, READ_ONLY)
