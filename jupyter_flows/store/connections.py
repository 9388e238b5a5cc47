"""Connections that stay open from one transaction to the next, driven without SQLAlchemy's own transactions.

A Flow-API call is one transaction of half a dozen statements, and SQLite needs about 0.2 ms for it. Taking a
connection out of SQLAlchemy's pool, beginning, committing and giving it back costs as much again, so these
connections say BEGIN and COMMIT to the driver themselves. Statements still may go through SQLAlchemy.
"""

from __future__ import annotations

import contextlib
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

#: On a connection with this execution option, nobody else begins a transaction.
DRIVEN = "is_driven"


class Connections:
    """Kept connections of `engine`. Safe to use from several threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._is_sqlite = engine.dialect.name == "sqlite"
        self._free: deque[tuple[Connection, float]] = deque()

    @contextmanager
    def transaction(self, writes: bool) -> Iterator[Connection]:
        """One transaction; an exception inside takes it back. Raises what the driver or SQLAlchemy raises."""
        connection = self._take(_IDLE if writes else 0.0)
        driver: Any = connection.connection.driver_connection
        try:
            if self._is_sqlite:  # PostgreSQL's driver begins by itself
                driver.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
            yield connection
            if writes:
                driver.commit()
        except BaseException:
            self._take_back(connection, driver)
            raise
        if writes:
            self._give(connection)
        else:  # what was read was read, whatever becomes of the connection
            self._take_back(connection, driver)

    def close(self) -> None:
        """Close those that are free; for use later, new ones are opened."""
        while self._free:
            with contextlib.suppress(IndexError):
                self._free.popleft()[0].close()

    def _take(self, trusted: float) -> Connection:
        """`trusted`: how long one may have been idle, in seconds, without being tried before it is used. A
        write that fails is done again by whoever wants it, a read is not."""
        while True:
            try:
                connection, used_at = self._free.pop()
            except IndexError:
                return self._engine.connect().execution_options(**{DRIVEN: True})
            if self._is_sqlite or time.monotonic() - used_at < trusted or self._is_alive(connection):
                return connection

    def _is_alive(self, connection: Connection) -> bool:
        try:
            driver: Any = connection.connection.driver_connection
            driver.execute("SELECT 1")
            driver.rollback()
        except Exception:
            self._discard(connection)
            return False
        return True

    def _take_back(self, connection: Connection, driver: Any) -> None:
        try:
            driver.rollback()
        except Exception:
            self._discard(connection)
            return
        if connection.invalidated:
            self._discard(connection)
        else:
            self._give(connection)

    def _give(self, connection: Connection) -> None:
        if len(self._free) < _KEPT:
            self._free.append((connection, time.monotonic()))
        else:
            connection.close()

    @staticmethod
    def _discard(connection: Connection) -> None:
        with contextlib.suppress(Exception):
            connection.invalidate()
        with contextlib.suppress(Exception):
            connection.close()
