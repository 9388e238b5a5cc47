"""The part of a transaction that keeps executions, what is due, and who waits for whom."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import cache
from itertools import islice
from typing import Any

import msgspec
from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from ..errors import ConflictError, StaleLeaseError
from ..model import Execution, ExecutionType, ExecutionView, Status
from . import rows, search
from .hot import Hot
from .port import ExecutionFilter, Held, Page
from .session import Session
from .tables import executions, log, savepoints, searchable, waits

#: How many values one IN list may have: SQLite allows 32,766 variables.
_LIST_LENGTH = 10_000
_BUSY = (Status.QUEUED, Status.RUNNING)
_WAITING: ColumnElement[str] = literal_column(f"'{Status.WAITING.value}'")
_QUEUED: ColumnElement[str] = literal_column(f"'{Status.QUEUED.value}'")

_by_id = select(executions).where(executions.c.id == bindparam("id"))
_read_one = Hot(_by_id)
_read_one_locked = Hot(_by_id.with_for_update())
_insert = Hot(insert(executions))
_update = Hot(
    update(executions).where(
        executions.c.id == bindparam("own_id"), executions.c.epoch == bindparam("own_epoch")
    )
)
_insert_wait = Hot(insert(waits))
_next_timer = Hot(select(func.min(executions.c.wake_at)).where(executions.c.wake_at.is_not(None)))
_next_end = Hot(select(func.min(executions.c.ends_by)).where(executions.c.ends_by.is_not(None)))
_runtimes_over = Hot(
    select(executions)
    .where(executions.c.ends_by <= bindparam("now"))
    .order_by(executions.c.ends_by, executions.c.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_timers_due = Hot(
    select(executions)
    .where(executions.c.wake_at <= bindparam("now"))
    .order_by(executions.c.wake_at, executions.c.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_held_by = Hot(
    select(
        executions.c.id, executions.c.status, executions.c.epoch, executions.c.worker_id, executions.c.wish
    ).where(executions.c.worker_id == bindparam("own_id"))
)
_status_counts = Hot(select(executions.c.status, func.count().label("number")).group_by(executions.c.status))
_child = executions.alias("child")
_views = select(
    executions,
    select(func.count()).where(_child.c.parent_id == executions.c.id).scalar_subquery().label("child_count"),
    # Numbers are dense, so that the newest one is the count, found in the index.
    select(func.coalesce(func.max(savepoints.c.number), 0))
    .where(savepoints.c.execution_id == executions.c.id)
    .scalar_subquery()
    .label("savepoint_count"),
)


_view_one = Hot(_views.where(executions.c.id == bindparam("id")))
_end_one_wait = Hot(
    delete(waits).where(
        waits.c.execution_id == bindparam("own_id"), waits.c.awaited_id == bindparam("awaited")
    )
)
_one_wait = Hot(
    select(waits.c.awaited_id).where(waits.c.execution_id == bindparam("own_id")).limit(literal_column("1"))
)
_end_waits = Hot(delete(waits).where(waits.c.execution_id == bindparam("own_id")))
_waiters = Hot(
    select(executions)
    .join(waits, waits.c.execution_id == executions.c.id)
    .where(waits.c.awaited_id == bindparam("awaited"), executions.c.status == _WAITING)
    .order_by(executions.c.id)
    .with_for_update(of=executions)
)


def in_parts(values: Iterable[str]) -> Iterator[list[str]]:
    left = iter(dict.fromkeys(values))
    while part := list(islice(left, _LIST_LENGTH)):
        yield part


def _may_claim(types: Sequence[ExecutionType]) -> Any:
    """Parameters: `own_id`, the worker that asks, and `now` in microseconds."""
    column = executions.c
    another = and_(column.worker_id.is_not(None), column.worker_id != bindparam("own_id"))
    kept_elsewhere = and_(
        another,
        or_(
            column.type == literal_column(f"'{ExecutionType.NOTEBOOK.value}'"),
            column.lease_until.is_(None),
            column.lease_until > bindparam("now"),
        ),
    )
    names = ", ".join(f"'{kind.value}'" for kind in types) or "NULL"
    is_listed: ColumnElement[bool] = literal_column(f"executions.type IN ({names})")
    return and_(column.status == _QUEUED, column.held_back.is_(None), is_listed, ~kept_elsewhere)


@cache
def _claimable(types: tuple[ExecutionType, ...]) -> Hot:
    statement = (
        select(executions).where(_may_claim(types)).order_by(executions.c.priority.desc(), executions.c.id)
    )
    return Hot(statement.limit(bindparam("most")).with_for_update(skip_locked=True))


@cache
def _has_claimable(types: tuple[ExecutionType, ...]) -> Hot:
    return Hot(select(executions.c.id).where(_may_claim(types)).limit(literal_column("1")))


class Executions(Session):
    """See `port.Transaction`."""

    #: As the database has them: executions of which a newer state is `seen`.
    _unwritten: dict[str, Execution]

    def insert_execution(self, execution: Execution) -> None:
        try:
            _insert.run(self._connection, rows.execution_row(execution))
            if execution.creation_key is not None:
                self._transmission.settle()  # somebody else may have taken the key
        except self._connection.dialect.loaded_dbapi.IntegrityError as error:
            if "creation_key" not in str(error) and "executions.id" not in str(error):
                raise
            raise ConflictError(
                f"there is an execution with the key {execution.creation_key!r} already", id=execution.id
            ) from error
        search.add(self._connection, execution)
        self.seen[execution.id] = execution
        self.locked.add(execution.id)
        self.note_change("execution", execution.id, execution.parent_id)
        self.is_due = self.is_due or execution.status is Status.QUEUED

    def update_execution(self, execution: Execution, epoch: int) -> None:
        old = self.seen.get(execution.id)
        if old is not None and _only_went_on(old, execution, epoch) and execution.id in self.locked:
            # A batch of calls writes the row once.
            self._unwritten.setdefault(execution.id, old)
        elif not self._write(execution, self._unwritten.pop(execution.id, old), epoch):
            return
        self.seen[execution.id] = execution
        self.note_change("execution", execution.id, execution.parent_id)
        is_own_end = (
            old is not None
            and old.status is Status.RUNNING
            and execution.status.is_final
            and old.worker_id == self.written_by
        )
        self.is_due = self.is_due or (not is_own_end and _matters_to_workers(old, execution))
        self.has_ends = self.has_ends or execution.status.is_final

    def flush(self) -> None:
        super().flush()
        while self._unwritten:
            execution_id, old = self._unwritten.popitem()
            self._write(self.seen[execution_id], old, old.epoch)

    def _write(self, execution: Execution, old: Execution | None, epoch: int) -> bool:
        """Whether there was anything to write."""
        changed = rows.changed_columns(old, execution)
        if not changed:
            return False
        values = {**changed, "own_id": execution.id, "own_epoch": epoch}
        if old is not None and old.epoch == epoch and execution.id in self.locked:
            # Nobody can have changed it since it was read: what becomes of the write need not be waited for.
            _update.run(self._connection, values)
        elif self.count(_update, values) != 1:
            raise StaleLeaseError(
                f"execution {execution.id} is held by another worker now; this write with the old epoch "
                f"{epoch} was refused",
                execution_id=execution.id,
            )
        search.change(self._connection, old, execution)
        return True

    def execution(self, execution_id: str, lock: bool = False) -> Execution | None:
        if execution_id in self.locked:
            return self.seen[execution_id]
        row = (_read_one_locked if lock else _read_one).row(self._connection, {"id": execution_id})
        return None if row is None else self._execution(row, lock)

    def executions(self, execution_ids: Iterable[str], lock: bool = False) -> dict[str, Execution]:
        found: dict[str, Execution] = {}
        for part in in_parts(execution_ids):
            # In one order for all, so that two transactions cannot block each other for ever.
            statement = select(executions).where(executions.c.id.in_(part)).order_by(executions.c.id)
            found |= {one.id: one for one in self._executions(statement, lock)}
        return found

    def execution_by_key(self, creation_key: str) -> Execution | None:
        statement = select(executions).where(executions.c.creation_key == creation_key)
        return next(iter(self._executions(statement)), None)

    def children(self, parent_id: str) -> list[Execution]:
        statement = select(executions).where(executions.c.parent_id == parent_id).order_by(executions.c.id)
        return self._executions(statement)

    def open_children(self, parent_id: str) -> list[Execution]:
        column = executions.c
        is_open = column.status.in_([status.value for status in Status if not status.is_final])
        statement = select(executions).where(column.parent_id == parent_id, is_open)
        return self._executions(statement.order_by(column.id), lock=True)

    def ended_before(self, instant: datetime, limit: int) -> list[Execution]:
        column = executions.c
        statement = select(executions).where(
            column.ended_at < rows.to_microseconds(instant),
            column.ended_at.is_not(None),
            column.archived_at.is_(None),
        )
        return self._executions(statement.order_by(column.ended_at).limit(limit), lock=True, skip_locked=True)

    def delete_execution(self, execution_id: str) -> None:
        self.flush()
        old = self.execution(execution_id)
        self.locked.discard(execution_id)
        search.forget(self._connection, execution_id)
        self.execute(delete(executions).where(executions.c.id == execution_id))
        if old:
            self.note_change("execution", execution_id, old.parent_id)

    # --- lists

    def view(self, execution_id: str) -> ExecutionView | None:
        row = self.row(_view_one, {"id": execution_id})
        return None if row is None else _view(row)

    def views(self, filter: ExecutionFilter) -> Page:
        if filter.text and search.is_indexed(filter.text):
            return self._views_saying(filter.text, filter)
        statement = _views.order_by(executions.c.id.desc()).limit(filter.limit + 1)
        for condition in _conditions(filter):
            statement = statement.where(condition)
        if filter.cursor is not None:
            statement = statement.where(executions.c.id < filter.cursor)
        found = [_view(row).short() for row in self.execute(statement).mappings()]
        shown = tuple(found[: filter.limit])
        return Page(executions=shown, next=shown[-1].id if len(found) > filter.limit and shown else None)

    def _views_saying(self, text: str, filter: ExecutionFilter) -> Page:
        self.flush()
        self._transmission.one_by_one()
        conditions = _conditions(msgspec.structs.replace(filter, text=None))
        ids = search.find(self._connection, text, conditions, filter.cursor, filter.limit + 1)
        shown = ids[: filter.limit]
        found: dict[str, ExecutionView] = {}
        for part in in_parts(shown):
            views = self.execute(_views.where(executions.c.id.in_(part))).mappings()
            found |= {row["id"]: _view(row).short() for row in views}
        return Page(
            executions=tuple(found[one] for one in shown if one in found),
            next=shown[-1] if len(ids) > filter.limit else None,
        )

    # --- what is due

    def claimable(
        self, worker_id: str, types: Sequence[ExecutionType], limit: int, now: datetime
    ) -> list[Execution]:
        values = {"own_id": worker_id, "now": rows.to_microseconds(now), "most": limit}
        return [self._execution(row, True) for row in self.rows(_claimable(tuple(types)), values)]

    def has_claimable(self, worker_id: str, types: Sequence[ExecutionType], now: datetime) -> bool:
        values = {"own_id": worker_id, "now": rows.to_microseconds(now)}
        return self.row(_has_claimable(tuple(types)), values) is not None

    def timers_due(self, now: datetime, limit: int) -> list[Execution]:
        values = {"now": rows.to_microseconds(now), "most": limit}
        return [self._execution(row, True) for row in self.rows(_timers_due, values)]

    def runtimes_over(self, now: datetime, limit: int) -> list[Execution]:
        values = {"now": rows.to_microseconds(now), "most": limit}
        return [self._execution(row, True) for row in self.rows(_runtimes_over, values)]

    def next_timer(self) -> datetime | None:
        self.flush()
        (timer,) = _next_timer.run(self._connection, {}).fetchone()
        (end,) = _next_end.run(self._connection, {}).fetchone()
        return rows.to_instant(min((one for one in (timer, end) if one is not None), default=None))

    def held_by(self, worker_id: str) -> list[Held]:
        return [
            Held(
                id=row["id"],
                status=Status(row["status"]),
                epoch=row["epoch"],
                worker_id=row["worker_id"],
                cancels=row["wish"] == "CANCEL",
                pauses=row["wish"] == "PAUSE",
            )
            for row in self.rows(_held_by, {"own_id": worker_id})
        ]

    def held_executions(self, worker_ids: Sequence[str]) -> list[Execution]:
        statement = select(executions).where(executions.c.worker_id.in_(worker_ids))
        return self._executions(statement.order_by(executions.c.id), lock=True)

    def expired(self, now: datetime, limit: int) -> list[Execution]:
        column = executions.c
        statement = select(executions).where(
            column.status == Status.RUNNING.value, column.lease_until < rows.to_microseconds(now)
        )
        return self._executions(statement.order_by(column.id).limit(limit), lock=True, skip_locked=True)

    def renew_leases(self, worker_id: str, lease_until: datetime) -> None:
        column = executions.c
        self.execute(
            update(executions)
            .where(column.worker_id == worker_id, column.status == Status.RUNNING.value)
            .values(lease_until=rows.to_microseconds(lease_until))
        )

    def status_counts(self) -> dict[str, int]:
        return {row["status"]: row["number"] for row in self.rows(_status_counts, {})}

    def oldest_queued(self) -> datetime | None:
        # Ids are in the order of their making.
        statement = select(executions.c.created_at).where(executions.c.status == _QUEUED)
        return rows.to_instant(self.execute(statement.order_by(executions.c.id).limit(1)).scalar())

    def count_busy(self) -> int:
        column = executions.c
        statement = select(func.count()).where(
            column.status.in_([status.value for status in _BUSY]),
            column.type != ExecutionType.NOTEBOOK.value,
        )
        return int(self.execute(statement).scalar_one())

    # --- waits

    def put_waits(self, execution_id: str, awaited_ids: Iterable[str]) -> None:
        wanted = [
            {"execution_id": execution_id, "awaited_id": awaited} for awaited in dict.fromkeys(awaited_ids)
        ]
        if wanted:
            _insert_wait.run_many(self._connection, wanted)

    def end_waits(self, execution_id: str) -> None:
        _end_waits.run(self._connection, {"own_id": execution_id})

    def waiters(self, awaited_id: str) -> list[Execution]:
        return [self._execution(row, True) for row in self.rows(_waiters, {"awaited": awaited_id})]

    def end_wait(self, execution_id: str, awaited_id: str) -> int:
        values = {"own_id": execution_id, "awaited": awaited_id}
        _end_one_wait.run(self._connection, values)
        # One more than none is all that anyone asks for: a count would be slow with many.
        return int(_one_wait.row(self._connection, {"own_id": execution_id}) is not None)

    def _execution(self, row: Any, lock: bool = False) -> Execution:
        found = rows.execution(row)
        self.seen[found.id] = found
        if lock or self._locks_all:
            self.locked.add(found.id)
        return found

    def _executions(
        self, statement: Select[Any], lock: bool = False, skip_locked: bool = False
    ) -> list[Execution]:
        if lock:
            statement = statement.with_for_update(skip_locked=skip_locked, of=executions)
        return [self._execution(row, lock) for row in self.execute(statement).mappings()]


def _only_went_on(old: Execution, new: Execution, epoch: int) -> bool:
    """Whether the same claim made one more step: nothing that a constraint or an index looks at differs."""
    return (
        old.status is Status.RUNNING
        and new.status is Status.RUNNING
        and old.epoch == new.epoch == epoch
        and old.worker_id == new.worker_id
    )


def _matters_to_workers(old: Execution | None, new: Execution) -> bool:
    """Whether a worker may have to claim it, wake it sooner, or take its kernel away."""
    if old is None or new.status is Status.QUEUED or old.wish != new.wish:
        return True
    if new.status is Status.WAITING:
        return new.wait is not None and new.wait.wake_at is not None
    # Ended or paused from outside: its kernel must be stopped.
    return old.status is not new.status and new.status is not Status.RUNNING


def _view(row: Any) -> ExecutionView:
    return msgspec.structs.replace(
        rows.execution(row).view(), children=row["child_count"], savepoints=row["savepoint_count"]
    )


def _conditions(filter: ExecutionFilter) -> Iterator[Any]:
    column = executions.c
    if filter.status is not None:
        yield column.status == filter.status.value
    if filter.flow is not None:
        yield column.flow == filter.flow
    if filter.type is not None:
        yield column.type == filter.type.value
    if filter.name is not None:
        yield column.name == filter.name
    if filter.owner is not None:
        yield column.owner == filter.owner
    if filter.created_after is not None:
        yield column.created_at >= rows.to_microseconds(filter.created_after)
    if filter.created_before is not None:
        yield column.created_at < rows.to_microseconds(filter.created_before)
    if filter.parent_id is not None:
        yield column.parent_id == filter.parent_id
    if filter.roots_only:
        yield column.parent_id.is_(None)
    if filter.text:
        said = (
            exists(
                select(table.c.execution_id).where(
                    table.c.execution_id == column.id, table.c.text.icontains(filter.text, autoescape=True)
                )
            )
            for table in (searchable, log)
        )
        yield or_(*said)
