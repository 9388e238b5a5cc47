"""The part of a transaction that keeps savepoints, logs, outputs of cells and chunks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache

from sqlalchemy import bindparam, delete, func, insert, literal_column, null, select, update
from sqlalchemy.dialects import postgresql, sqlite

from ..model import CellOutput, LogLevel, LogLine, Savepoint, SavepointView
from . import rows
from .chunk_files import ChunkFiles
from .executions import in_parts
from .hot import Hot
from .session import Session
from .tables import cell_outputs, chunks, executions, log, savepoints

#: From this size on (bytes) a chunk is a file beside the database, where there is one.
LARGE = 64 * 1024

#: How many savepoints of a branch are read at once.
_BRANCH_PART = 256

_light = [column for column in savepoints.c if column.name not in ("manifest", "chunks", "heard")]
_of_execution = savepoints.c.execution_id == bindparam("execution_id")
_by_id = Hot(select(savepoints).where(savepoints.c.id == bindparam("id")))
_insert_savepoint = Hot(insert(savepoints))
_newest_number = Hot(select(func.max(savepoints.c.number)).where(_of_execution))
_light_by_id = Hot(select(*_light).where(savepoints.c.id == bindparam("id")))
_light_before = Hot(
    select(*_light)
    .where(_of_execution, savepoints.c.number < bindparam("number"))
    .order_by(savepoints.c.number.desc())
    .limit(bindparam("most"))
)
_newest_named = Hot(
    select(savepoints)
    .where(_of_execution, savepoints.c.name == bindparam("name"))
    .order_by(savepoints.c.number.desc())
    .limit(literal_column("1"))
)
_cells = Hot(
    select(cell_outputs.c.content)
    .where(cell_outputs.c.execution_id == bindparam("execution_id"))
    .order_by(cell_outputs.c.cell)
)
_insert_log = Hot(insert(log).inline())
_small_chunk = Hot(
    select(chunks.c.content).where(
        chunks.c.hash == bindparam("digest"), func.length(chunks.c.content) < bindparam("most")
    )
)
#: A savepoint of no more chunks than this may be small.
_FEW = 4


@cache
def _put_chunk(dialect: str) -> Hot:
    """One that is there stays as it is, but is condemned no more."""
    statement = (postgresql if dialect == "postgresql" else sqlite).insert(chunks)
    statement = statement.values(hash=bindparam("hash"), content=bindparam("content"))
    return Hot(
        statement.on_conflict_do_update(
            index_elements=["hash"], set_={"condemned_at": null()}, where=chunks.c.condemned_at.is_not(None)
        )
    )


class Savepoints(Session):
    """See `port.Transaction`."""

    files: ChunkFiles | None
    #: The newest number of an execution's savepoints, where this transaction knows it.
    _newest: dict[str, int]
    _new_chunks: dict[str, bytes]

    def insert_savepoint(self, savepoint: Savepoint) -> None:
        self.put_off(_insert_savepoint, rows.savepoint_row(savepoint))
        self._newest[savepoint.execution_id] = savepoint.number
        self.note_change("savepoint", savepoint.execution_id, self._parent_of(savepoint.execution_id))

    def next_savepoint_number(self, execution_id: str) -> int:
        newest = self._newest.get(execution_id)
        if newest is None:
            (newest,) = _newest_number.run(self._connection, {"execution_id": execution_id}).fetchone()
        return int(newest or 0) + 1

    def savepoint(self, savepoint_id: str) -> Savepoint | None:
        row = self.row(_by_id, {"id": savepoint_id})
        return None if row is None else rows.savepoint(row)

    def savepoint_by_name(self, execution_id: str, name: str) -> Savepoint | None:
        row = self.row(_newest_named, {"execution_id": execution_id, "name": name})
        return None if row is None else rows.savepoint(row)

    def savepoint_views(self, execution_id: str) -> list[SavepointView]:
        statement = select(*_light).where(_of_execution).order_by(savepoints.c.number)
        found = self.execute(statement, {"execution_id": execution_id}).mappings()
        return [rows.savepoint(row).view() for row in found]

    def branch(self, savepoint_id: str) -> Iterator[Savepoint]:
        """A branch is mostly one savepoint after the other of one execution: they are read in parts."""
        part: dict[str, Savepoint] = {}
        wanted: str | None = savepoint_id
        while wanted is not None:
            if wanted not in part:
                row = self.row(_light_by_id, {"id": wanted})
                if row is None:
                    return
                most = min(max(4, 2 * len(part)), _BRANCH_PART)
                values = {"execution_id": row["execution_id"], "number": row["number"], "most": most}
                before = self.rows(_light_before, values)
                part = {one["id"]: rows.savepoint(one) for one in (row, *before)}
            savepoint = part[wanted]
            yield savepoint
            wanted = savepoint.parent_id

    def count_restore(self, savepoint_id: str) -> None:
        column = savepoints.c
        self.execute(update(savepoints).where(column.id == savepoint_id).values(restores=column.restores + 1))

    def delete_savepoints(self, execution_id: str) -> None:
        self.execute(delete(savepoints).where(_of_execution), {"execution_id": execution_id})
        self._newest.pop(execution_id, None)
        self.note_change("savepoint", execution_id, self._parent_of(execution_id))

    # --- log and outputs of cells

    def append_log(
        self, execution_id: str, at: datetime, level: LogLevel, text: str, fields: Mapping[str, object]
    ) -> None:
        line = {
            "execution_id": execution_id,
            "at": rows.to_microseconds(at),
            "level": level.value,
            "text": text,
            "fields": rows.encode(fields),
        }
        self.put_off(_insert_log, line)
        self.note_change("log", execution_id, self._parent_of(execution_id))

    def log(self, execution_id: str, after: int, limit: int) -> list[LogLine]:
        statement = select(log).where(log.c.execution_id == execution_id, log.c.number > after)
        found = self.execute(statement.order_by(log.c.number).limit(limit)).mappings()
        return [rows.log_line(row) for row in found]

    def put_cells(self, execution_id: str, cells: Iterable[CellOutput], replaces_all: bool = False) -> None:
        if replaces_all:
            self.execute(delete(cell_outputs).where(cell_outputs.c.execution_id == execution_id))
        wanted = [
            {"execution_id": execution_id, "cell": cell.cell, "content": rows.encode(cell)} for cell in cells
        ]
        if wanted:
            self.upsert(cell_outputs, ("execution_id", "cell"), wanted)
        if wanted or replaces_all:
            self.note_change("execution", execution_id, self._parent_of(execution_id))

    def cells(self, execution_id: str) -> tuple[CellOutput, ...]:
        found = _cells.rows(self._connection, {"execution_id": execution_id})
        return tuple(rows.cell_output(row["content"]) for row in found)

    # --- chunks

    def put_chunks(self, chunks_by_hash: Mapping[str, bytes]) -> None:
        for digest, content in chunks_by_hash.items():
            if self.files is not None and len(content) >= LARGE:
                self.files.write(digest, content)
            else:
                self._new_chunks[digest] = content

    def flush(self) -> None:
        if self._new_chunks:
            # In one order everywhere: two writers of the same chunks must not wait for each other.
            many = [
                {"hash": digest, "content": self._new_chunks[digest]} for digest in sorted(self._new_chunks)
            ]
            self._new_chunks.clear()
            _put_chunk(self._connection.dialect.name).run_many(self._connection, many)
        super().flush()

    def read_chunks(self, hashes: Iterable[str]) -> dict[str, bytes]:
        wanted = list(hashes)
        found: dict[str, bytes] = {}
        for part in in_parts(wanted):
            statement = select(chunks.c.hash, chunks.c.content).where(chunks.c.hash.in_(part))
            found |= {row.hash: bytes(row.content) for row in self.execute(statement)}
        if self.files is not None:
            for digest in wanted:
                if digest not in found and (content := self.files.read(digest)) is not None:
                    found[digest] = content
        return found

    def small_chunks(self, hashes: Sequence[str]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        self.flush()
        for digest in hashes[:_FEW]:
            row = _small_chunk.row(self._connection, {"digest": digest, "most": LARGE})
            if row is not None:
                found[digest] = bytes(row["content"])
        return found

    def _parent_of(self, execution_id: str) -> str | None:
        known = self.seen.get(execution_id)
        if known is not None:
            return known.parent_id
        statement = select(executions.c.parent_id).where(executions.c.id == execution_id)
        return self.execute(statement).scalar()
