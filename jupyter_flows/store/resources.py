"""The part of a transaction that keeps what executions share: permits of limits, settings, locks, files.

On PostgreSQL a row that is not there cannot be locked. Who looks at a limit or a lock first takes an advisory
lock on its name, which lasts to the end of the transaction; in SQLite a transaction that writes is alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, bindparam, delete, func, insert, literal_column, select, text

from ..model import Execution, Status, Value
from . import rows
from .executions import Executions
from .hot import Hot
from .port import Setting
from .tables import executions, files, lock_waits, locks, permits, settings

_named: BindParameter[str] = bindparam("name")
_own: BindParameter[str] = bindparam("own_id")
_alone = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 7304118))")

_count_permits = Hot(select(func.count()).select_from(permits).where(permits.c.name == _named))
_has_permit = Hot(select(permits.c.name).where(permits.c.name == _named, permits.c.execution_id == _own))
_release_permits = Hot(delete(permits).where(permits.c.execution_id == _own))
_next_held_back = Hot(
    select(executions)
    .where(executions.c.held_back == _named, executions.c.held_back.is_not(None))
    .order_by(executions.c.priority.desc(), executions.c.id)
    .limit(literal_column("1"))
    .with_for_update()
)
_setting = Hot(select(settings).where(settings.c.name == _named))
_lock = Hot(select(locks.c.execution_id).where(locks.c.name == _named))
_release_lock = Hot(delete(locks).where(locks.c.name == _named, locks.c.execution_id == _own))
_locks_of = Hot(select(locks.c.name).where(locks.c.execution_id == _own).order_by(locks.c.name))
_queue = Hot(insert(lock_waits).inline())
_leave_queue = Hot(delete(lock_waits).where(lock_waits.c.execution_id == _own))
_next_in_queue = Hot(
    select(executions)
    .join(lock_waits, lock_waits.c.execution_id == executions.c.id)
    .where(lock_waits.c.name == _named, executions.c.status == literal_column(f"'{Status.WAITING.value}'"))
    .order_by(lock_waits.c.number)
    .limit(literal_column("1"))
    .with_for_update(of=executions)
)
_file = Hot(select(files.c.content).where(files.c.name == _named))


class Resources(Executions):
    """See `port.Transaction`."""

    def _be_alone(self, kind: str, name: str) -> None:
        if self._connection.dialect.name == "postgresql":
            self.execute(_alone, {"name": f"{kind} {name}"})

    # --- limits

    def permits(self, name: str) -> int:
        self._be_alone("limit", name)
        (count,) = _count_permits.run(self._connection, {"name": name}).fetchone()
        return int(count)

    def has_permit(self, name: str, execution_id: str) -> bool:
        return _has_permit.row(self._connection, {"name": name, "own_id": execution_id}) is not None

    def put_permits(self, execution_id: str, names: Iterable[str]) -> None:
        self.insert_new(permits, [{"name": name, "execution_id": execution_id} for name in names])

    def release_permits(self, execution_id: str) -> None:
        _release_permits.run(self._connection, {"own_id": execution_id})

    def next_held_back(self, name: str) -> Execution | None:
        self._be_alone("limit", name)
        row = self.row(_next_held_back, {"name": name})
        return None if row is None else self._execution(row, True)

    # --- settings

    def setting(self, name: str) -> Setting | None:
        row = _setting.row(self._connection, {"name": name})
        return None if row is None else rows.setting(row)

    def settings(self) -> list[Setting]:
        found = self.execute(select(settings).order_by(settings.c.name)).mappings()
        return [rows.setting(row) for row in found]

    def put_setting(self, name: str, value: Any, at: datetime, execution_id: str | None) -> None:
        self._be_alone("setting", name)
        known = self.setting(name)
        row = {
            "name": name,
            "value": rows.encode(value),
            "version": 1 if known is None else known.version + 1,
            "saved_at": rows.to_microseconds(at),
            "saved_by": execution_id,
        }
        self.upsert(settings, ("name",), [row])

    def delete_setting(self, name: str) -> None:
        self.execute(delete(settings).where(settings.c.name == name))

    # --- locks

    def lock_holder(self, name: str) -> str | None:
        self._be_alone("lock", name)
        row = _lock.row(self._connection, {"name": name})
        return None if row is None else str(row["execution_id"])

    def take_lock(self, name: str, execution_id: str, at: datetime) -> None:
        row = {"name": name, "execution_id": execution_id, "acquired_at": rows.to_microseconds(at)}
        self.insert_new(locks, [row])
        self.leave_lock_queue(execution_id)

    def release_lock(self, name: str, execution_id: str) -> bool:
        self._be_alone("lock", name)
        return self.count(_release_lock, {"name": name, "own_id": execution_id}) > 0

    def locks_of(self, execution_id: str) -> list[str]:
        return [row["name"] for row in _locks_of.rows(self._connection, {"own_id": execution_id})]

    def queue_for_lock(self, name: str, execution_id: str) -> None:
        _queue.run(self._connection, {"name": name, "execution_id": execution_id})

    def leave_lock_queue(self, execution_id: str) -> None:
        _leave_queue.run(self._connection, {"own_id": execution_id})

    def next_in_lock_queue(self, name: str) -> Execution | None:
        row = self.row(_next_in_queue, {"name": name})
        return None if row is None else self._execution(row, True)

    # --- files

    def file(self, name: str) -> Value | None:
        row = _file.row(self._connection, {"name": name})
        return None if row is None else rows.value(row["content"])

    def put_file(self, name: str, content: Value, size: int, at: datetime, execution_id: str | None) -> None:
        row = {
            "name": name,
            "content": rows.encode(content),
            "size": size,
            "saved_at": rows.to_microseconds(at),
            "saved_by": execution_id,
        }
        self.upsert(files, ("name",), [row])

    def delete_file(self, name: str) -> None:
        self.execute(delete(files).where(files.c.name == name))
