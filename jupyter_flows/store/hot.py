"""Statements of the path that every Flow-API call takes, given to the driver itself.

SQLAlchemy makes the SQL, once per database and set of columns; running it through SQLAlchemy's own execution
costs several times what SQLite needs for it (measured: 60 of 75 microseconds), and a call needs eight.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ClauseElement, Connection


class Hot:
    """A statement over fixed columns; parameters come as a mapping by name.

    Values reach the driver as they are: texts, numbers, bytes and None, which both drivers take.
    """

    def __init__(self, statement: ClauseElement) -> None:
        self._statement = statement
        self._compiled: dict[tuple[str, tuple[str, ...]], tuple[str, list[str] | None]] = {}

    def run(self, connection: Connection, values: Mapping[str, Any]) -> Any:
        """The driver's cursor after the statement."""
        sql, order = self._sql(connection, values)
        cursor = connection.connection.cursor()
        cursor.execute(sql, values if order is None else [values[name] for name in order])
        return cursor

    def run_many(self, connection: Connection, many: Sequence[Mapping[str, Any]]) -> None:
        sql, order = self._sql(connection, many[0])
        rows = many if order is None else [[values[name] for name in order] for values in many]
        connection.connection.cursor().executemany(sql, rows)

    def row(self, connection: Connection, values: Mapping[str, Any]) -> dict[str, Any] | None:
        """The first row by column, if there is one."""
        cursor = self.run(connection, values)
        found = cursor.fetchone()
        if found is None:
            return None
        return dict(zip([column[0] for column in cursor.description], found, strict=True))

    def _sql(self, connection: Connection, values: Mapping[str, Any]) -> tuple[str, list[str] | None]:
        key = (connection.dialect.name, tuple(values))
        known = self._compiled.get(key)
        if known is None:
            compiled: Any = self._statement.compile(dialect=connection.dialect, column_keys=list(values))
            known = self._compiled[key] = (str(compiled), compiled.positiontup)
        return known
