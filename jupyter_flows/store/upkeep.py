"""The part of a transaction that lets go of old savepoints and of chunks that nothing refers to.

Removing a chunk beside writers is safe because nobody comes to refer to one out of nothing. A new reference
is copied from one that is there (a savepoint refers to chunks of the execution's current one, which is never
removed), or its writer puts the chunk again, which takes the condemnation back. So a chunk that nothing
referred to at one moment, and that was put by nobody until the grace was over, is needed by nobody: a writer
that put it before has committed by then. Row locks settle the rest: who puts a condemned chunk waits for its
removal, or the removal finds it pardoned. Files have the time of their last writing for the same purpose.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime

from msgspec.structs import replace
from sqlalchemy import Row, bindparam, case, delete, func, select, text, update

from ..model import Status
from . import rows
from .chunk_files import ChunkFiles
from .executions import in_parts
from .port import ChunkUse
from .session import Session
from .tables import BEGINS_A_FORK, chunks, executions, files, savepoints

_HOLLOW = "its state was let go, since newer savepoints came and no name keeps it"


class Upkeep(Session):
    """See `port.Transaction`."""

    files: ChunkFiles | None

    # --- savepoints

    def with_savepoints(self, more_than: int | None) -> list[str]:
        own = executions.c.options.is_not(None)
        statement = select(executions.c.id).join(savepoints, savepoints.c.execution_id == executions.c.id)
        if more_than is None:
            statement = statement.where(own)
        enough = case((own, 1), else_=more_than or 0)
        grouped = statement.group_by(executions.c.id, executions.c.options).having(func.count() > enough)
        return list(self.execute(grouped).scalars())

    def drop_savepoints(self, parents: Mapping[str, str | None], hollow: Collection[str]) -> None:
        for savepoint_id in hollow:
            self._hollow_out(savepoint_id)
        gone = {savepoint_id for savepoint_id in parents if savepoint_id not in hollow}
        moved = [
            {"moved_id": row.id, "new_parent": parents[row.parent_id]}
            for row in self._children_of(gone)
            if row.id not in gone
        ]
        if moved:
            own = savepoints.c.id == bindparam("moved_id")
            self.execute(update(savepoints).where(own).values(parent_id=bindparam("new_parent")), moved)
        for part in in_parts(gone):
            self.execute(delete(savepoints).where(savepoints.c.id.in_(part)))

    def _children_of(self, parents: Collection[str]) -> list[Row[tuple[str, str]]]:
        """Savepoints that came from one of these: in the same execution, or where a fork of it begins."""
        light = select(savepoints.c.id, savepoints.c.parent_id)
        owners: set[str] = set()
        for part in in_parts(parents):
            owner = select(savepoints.c.execution_id).where(savepoints.c.id.in_(part)).distinct()
            owners.update(self.execute(owner).scalars())
        found: list[Row[tuple[str, str]]] = []
        for owner_id in owners:
            found += self.execute(light.where(savepoints.c.execution_id == owner_id))
        for part in in_parts(parents):
            # Said as the index says it, which is found by that.
            found += self.execute(light.where(text(BEGINS_A_FORK), savepoints.c.parent_id.in_(part)))
        return [row for row in found if row.parent_id in parents]

    def _hollow_out(self, savepoint_id: str) -> None:
        """Its call stays, its state goes."""
        own = savepoints.c.id == savepoint_id
        row = self.execute(select(savepoints.c.draft).where(own)).first()
        if row is None:
            return
        draft = rows.draft(row.draft)
        empty = replace(
            draft, exact=False, inexact_reason=_HOLLOW, bytes_total=0, missing=(), changes={}, inputs={}
        )
        nothing = {"manifest": b"", "chunks": rows.packed_hashes(())}
        values = {"draft": rows.encode(empty), **nothing, "exact": False}
        self.execute(update(savepoints).where(own).values(**values))

    # --- chunks

    def chunk_uses(self) -> Iterator[ChunkUse]:
        owners: dict[str, tuple[str | None, Status]] = {}
        columns = (executions.c.id, executions.c.flow, executions.c.status)
        for row in self.stream(select(*columns, executions.c.inputs, executions.c.outputs), 500):
            owners[row.id] = row.flow, Status(row.status)
            used = rows.chunks_of_values(row.inputs) | rows.chunks_of_values(row.outputs)
            yield ChunkUse(
                kind="value",
                execution_id=row.id,
                flow=row.flow,
                status=Status(row.status),
                chunks=tuple(used),
            )
        of_savepoints = select(
            savepoints.c.execution_id,
            savepoints.c.chunks,
            savepoints.c.call,
            savepoints.c.draft,
            savepoints.c.heard,
        )
        for row in self.stream(of_savepoints, 500):
            flow, status = owners.get(row.execution_id, (None, None))
            facts = {"execution_id": row.execution_id, "flow": flow, "status": status}
            yield ChunkUse(kind="savepoint", chunks=rows.hashes(row.chunks), **facts)
            if others := _chunks_of_values(row):
                yield ChunkUse(kind="value", chunks=tuple(others), **facts)
        for content in self.execute(select(files.c.content)).scalars():
            yield ChunkUse(kind="file", chunks=rows.value(content).chunks)

    def chunk_sizes(self) -> dict[str, int]:
        sizes = {
            row.hash: int(row.size)
            for row in self.execute(select(chunks.c.hash, func.length(chunks.c.content).label("size")))
        }
        return sizes | (self.files.sizes() if self.files is not None else {})

    def condemn_chunks(self, hashes: Iterable[str], at: datetime) -> None:
        instant = rows.to_microseconds(at)
        for part in in_parts(list(hashes)):
            wanted = chunks.c.hash.in_(part), chunks.c.condemned_at.is_(None)
            self.execute(update(chunks).where(*wanted).values(condemned_at=instant))

    def pardon_chunks(self, used: Collection[str]) -> None:
        condemned = self.execute(select(chunks.c.hash).where(chunks.c.condemned_at.is_not(None))).scalars()
        for part in in_parts([digest for digest in condemned if digest in used]):
            self.execute(update(chunks).where(chunks.c.hash.in_(part)).values(condemned_at=None))

    def remove_condemned(self, hashes: Iterable[str], before: datetime) -> set[str]:
        limit = rows.to_microseconds(before)
        removed: set[str] = set()
        for part in in_parts(list(hashes)):
            wanted = chunks.c.hash.in_(part), chunks.c.condemned_at <= limit
            removed.update(self.execute(delete(chunks).where(*wanted).returning(chunks.c.hash)).scalars())
        return removed

    def remove_chunk_files(self, hashes: Iterable[str], before: datetime) -> set[str]:
        if self.files is None:
            return set()
        return self.files.remove(hashes, before.timestamp())


def _chunks_of_values(row: Row[tuple[object, ...]]) -> set[str]:
    used = rows.chunks_of_call(row.call)
    if row.heard is not None:
        used |= rows.chunks_of_answer(row.heard)
    draft = rows.draft(row.draft)
    for value in (*draft.changes.values(), *draft.inputs.values(), *(draft.outputs or {}).values()):
        used.update(value.chunks)
    return used
