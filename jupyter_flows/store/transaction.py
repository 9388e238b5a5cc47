"""One transaction over SQLAlchemy: see `port.Transaction` for what each method promises."""

from __future__ import annotations

from sqlalchemy import bindparam, column, delete, func, select, table

from ..model import FlowSource
from . import rows
from .chunk_files import ChunkFiles
from .connections import Transmission
from .hot import Hot
from .port import Change, WorkerRecord
from .resources import Resources
from .savepoints import Savepoints
from .tables import HEAD, changes, flow_versions, workers
from .upkeep import Upkeep

_flow_version = Hot(
    select(flow_versions.c.source).where(
        # Older versions kept it in full.
        flow_versions.c.digest.in_([bindparam("digest"), bindparam("in_full")]),
        flow_versions.c.flow == bindparam("flow"),
    )
)
_schema = Hot(select(column("version_num")).select_from(table("alembic_version")))
_changes = Hot(
    select(changes).where(changes.c.seq > bindparam("after")).order_by(changes.c.seq).limit(bindparam("most"))
)


class SqlTransaction(Resources, Savepoints, Upkeep):
    def __init__(self, transmission: Transmission, files: ChunkFiles | None, writes: bool = False) -> None:
        super().__init__(transmission, writes)
        self.files = files
        self._newest = {}
        self._new_chunks = {}
        self._unwritten = {}

    # --- flow versions

    def put_flow_version(self, source: FlowSource) -> None:
        row = {"digest": rows.short_digest(source.digest), "flow": source.name, "source": rows.encode(source)}
        self.insert_new(flow_versions, [row])

    def flow_version(self, digest: str, flow: str) -> FlowSource | None:
        values = {"digest": rows.short_digest(digest), "in_full": digest, "flow": flow}
        row = self.row(_flow_version, values)
        return None if row is None else rows.flow_source(row["source"])

    # --- changes

    def changes(self, after: int, limit: int) -> list[Change]:
        return [rows.change(row) for row in self.rows(_changes, {"after": after, "most": limit})]

    def newest_change(self) -> int:
        return int(self.execute(select(func.coalesce(func.max(changes.c.seq), 0))).scalar_one())

    def prune_changes(self, keep: int) -> None:
        self.execute(delete(changes).where(changes.c.seq <= self.newest_change() - keep))

    # --- workers

    def put_worker(self, worker: WorkerRecord) -> None:
        self.upsert(workers, ("id",), [rows.worker_row(worker)])

    def workers(self) -> list[WorkerRecord]:
        found = self.execute(select(workers).order_by(workers.c.started_at)).mappings()
        return [rows.worker(row) for row in found]

    def delete_worker(self, worker_id: str) -> None:
        self.execute(delete(workers).where(workers.c.id == worker_id))

    # --- the schema

    def another_schema(self) -> str | None:
        row = self.row(_schema, {})
        return None if row is None or row["version_num"] == HEAD else str(row["version_num"])
