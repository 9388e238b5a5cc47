"""What the parts of a transaction share: the connection, what was read, and what changed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, CursorResult, Table, insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.base import Executable

from ..model import Execution
from .hot import Hot
from .tables import changes

_insert_change = Hot(insert(changes).inline())


class Session:
    """`seen` are the executions as this transaction read or wrote them last: what a write must write is
    the difference. `is_due` and the changes are what listeners are told after the commit."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.seen: dict[str, Execution] = {}
        self.is_due = False
        self._changes: dict[tuple[str, str], str | None] = {}

    def execute(self, statement: Executable, values: Any = None) -> CursorResult[Any]:
        return self._connection.execute(statement, values)

    def insert_new(self, table: Table) -> Any:
        """An INSERT that leaves what is there already as it is."""
        dialect = postgresql if self._connection.dialect.name == "postgresql" else sqlite
        return dialect.insert(table).on_conflict_do_nothing()

    def upsert(self, table: Table, *key: str) -> Any:
        """An INSERT that replaces the row with the same key."""
        dialect = postgresql if self._connection.dialect.name == "postgresql" else sqlite
        statement = dialect.insert(table)
        replaced = {
            column.name: statement.excluded[column.name] for column in table.c if column.name not in key
        }
        return statement.on_conflict_do_update(index_elements=list(key), set_=replaced)

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
