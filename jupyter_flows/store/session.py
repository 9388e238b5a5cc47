"""What the parts of a transaction share: the connection, what was read, and what changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import CursorResult, Table, insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.base import Executable

from ..model import Execution
from .connections import Transmission
from .hot import Hot
from .tables import changes

_insert_change = Hot(insert(changes).inline())


class Session:
    """`seen` are the executions as this transaction read or wrote them last: what a write must write is
    the difference. `is_due`, `has_ends` and the changes are what listeners are told after the commit."""

    def __init__(self, transmission: Transmission, writes: bool) -> None:
        self._transmission = transmission
        self._connection = connection = transmission.connection
        # In SQLite a transaction that writes keeps everybody else from writing.
        self._locks_all = writes and connection.dialect.name == "sqlite"
        self.seen: dict[str, Execution] = {}
        #: The worker that writes, if it is one: of what it ends itself it need not be told.
        self.written_by: str | None = None
        #: Executions that nobody else can write before this transaction ends: `seen` is what they are.
        self.locked: set[str] = set()
        self.is_due = self.has_ends = False
        self._changes: dict[tuple[str, str], str | None] = {}
        self._put_off: dict[Hot, list[Mapping[str, Any]]] = {}

    def put_off(self, statement: Hot, values: Mapping[str, Any]) -> None:
        """Insert a row later: those of many calls go to the driver together, in the order they came."""
        self._put_off.setdefault(statement, []).append(values)

    def flush(self) -> None:
        """Write what was put off. Called before any statement that could see the difference."""
        while self._put_off:
            statement = next(iter(self._put_off))
            statement.run_many(self._connection, self._put_off.pop(statement))

    def execute(self, statement: Executable, values: Any = None) -> CursorResult[Any]:
        self.flush()
        self._transmission.one_by_one()
        return self._connection.execute(statement, values)

    def stream(self, statement: Executable, rows: int) -> CursorResult[Any]:
        """The same for a result that memory may not hold: so many rows of it are fetched at once."""
        self.flush()
        self._transmission.one_by_one()
        self._transmission.open()
        return self._connection.execute(statement.execution_options(yield_per=rows))

    def count(self, statement: Hot, values: Mapping[str, Any]) -> int:
        """How many rows the statement wrote."""
        cursor = statement.run(self._connection, values)
        self._transmission.settle()
        return int(cursor.rowcount)

    def row(self, statement: Hot, values: Mapping[str, Any]) -> dict[str, Any] | None:
        self.flush()
        return statement.row(self._connection, values)

    def rows(self, statement: Hot, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        self.flush()
        return statement.rows(self._connection, values)

    def insert_new(self, table: Table, many: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows; those that are there already stay as they are."""
        _insert_new(table, self._connection.dialect.name).run_many(self._connection, many)

    def upsert(self, table: Table, key: tuple[str, ...], many: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows; those with the same key are replaced."""
        _upsert(table, key, self._connection.dialect.name).run_many(self._connection, many)

    def note_change(self, kind: str, execution_id: str, parent_id: str | None) -> None:
        self._changes[kind, execution_id] = parent_id

    @property
    def has_changes(self) -> bool:
        return bool(self._changes)

    def write_changes(self) -> None:
        """The last write of a transaction."""
        if self._changes:
            changed = [
                {"kind": kind, "execution_id": execution_id, "parent_id": parent_id}
                for (kind, execution_id), parent_id in self._changes.items()
            ]
            _insert_change.run_many(self._connection, changed)


@cache
def _insert_new(table: Table, dialect: str) -> Hot:
    kind = postgresql if dialect == "postgresql" else sqlite
    return Hot(kind.insert(table).on_conflict_do_nothing())


@cache
def _upsert(table: Table, key: tuple[str, ...], dialect: str) -> Hot:
    statement = (postgresql if dialect == "postgresql" else sqlite).insert(table)
    replaced = {column.name: statement.excluded[column.name] for column in table.c if column.name not in key}
    return Hot(statement.on_conflict_do_update(index_elements=list(key), set_=replaced))
