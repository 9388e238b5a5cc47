"""Statements of the path that every Flow-API call takes, given to the driver itself.

SQLAlchemy makes the SQL, once per database and set of columns; running it through SQLAlchemy's own execution
costs several times what SQLite needs for it (measured: 60 of 75 microseconds), and a call needs eight.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ClauseElement, Connection

#: SQL, the order of its parameters (None: by name), and parameters that are always the same.
_Prepared = tuple[str, list[str] | None, dict[str, Any]]


class Hot:
    """A statement over fixed columns; parameters come as a mapping by name.

    Values reach the driver as they are: texts, numbers, bytes and None, which both drivers take.
    """

    def __init__(self, statement: ClauseElement) -> None:
        self._statement = statement
        self._compiled: dict[tuple[str, tuple[str, ...]], _Prepared] = {}

    def run(self, connection: Connection, values: Mapping[str, Any]) -> Any:
        """The driver's cursor after the statement. On PostgreSQL its result may still be under way: asking
        for rows waits for it."""
        sql, order, constants = self._sql(connection, values)
        if constants:
            values = {**constants, **values}
        cursor = connection.connection.cursor()
        cursor.execute(sql, values if order is None else [values[name] for name in order])
        return cursor

    def run_many(self, connection: Connection, many: Sequence[Mapping[str, Any]]) -> None:
        if len(many) == 1:
            self.run(connection, many[0])
            return
        sql, order, _ = self._sql(connection, many[0])
        rows = many if order is None else [[values[name] for name in order] for values in many]
        connection.connection.cursor().executemany(sql, rows)

    def row(self, connection: Connection, values: Mapping[str, Any]) -> dict[str, Any] | None:
        """The first row by column, if there is one."""
        return next(iter(self.rows(connection, values)), None)

    def rows(self, connection: Connection, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        """All rows by column."""
        cursor = self.run(connection, values)
        rows = cursor.fetchall()
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, found, strict=True)) for found in rows]

    def _sql(self, connection: Connection, values: Mapping[str, Any]) -> _Prepared:
        key = (connection.dialect.name, tuple(values))
        known = self._compiled.get(key)
        if known is None:
            compiled: Any = self._statement.compile(dialect=connection.dialect, column_keys=list(values))
            # Such as the offset 0 that SQLite's LIMIT is given.
            constants = {name: value for name, value in compiled.params.items() if name not in values}
            known = self._compiled[key] = (str(compiled), compiled.positiontup, constants)
        return known
