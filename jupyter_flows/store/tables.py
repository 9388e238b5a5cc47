"""The tables, on SQLite and PostgreSQL alike.

What must never be is a CHECK constraint, so that no bug of a worker, of whatever version, can write it.
Values that the database never looks into are msgpack (`rows.py`). Instants are microseconds since 1970
UTC: exact, comparable and the same in both databases. No foreign keys between savepoints: a fork outlives
the execution it came from.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from ..model import ExecutionType, LogLevel, ResumeMode, SavepointKind, Status, Wish

#: Revision of this schema: the newest file in migrations/versions.
HEAD = "0007"

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)
# On SQLite a 64-bit key that counts must be declared INTEGER.
_COUNTER = BigInteger().with_variant(Integer(), "sqlite")


def _one_of(column: str, words: type) -> CheckConstraint:
    listed = ", ".join(f"'{word.value}'" for word in words)  # type: ignore[attr-defined]
    return CheckConstraint(f"{column} IN ({listed})", name=f"{column}_is_known")


_FINAL = "status LIKE 'ENDED%'"

flow_versions = Table(
    "flow_versions",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("flow", Text, primary_key=True),
    Column("source", LargeBinary, nullable=False),
)

executions = Table(
    "executions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("type", Text, nullable=False),
    Column("flow", Text),
    Column("flow_version", Text),
    Column("name", Text, nullable=False),
    Column("directory", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("wish", Text),
    Column("message", Text),
    Column("inputs", LargeBinary, nullable=False),
    Column("outputs", LargeBinary, nullable=False),
    Column("parent_id", Text),
    Column("creation_key", Text),
    Column("attempts", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("started_at", BigInteger),
    Column("ended_at", BigInteger),
    Column("error", LargeBinary),
    Column("worker_id", Text),
    Column("lease_until", BigInteger),
    Column("epoch", Integer, nullable=False),
    Column("savepoint_id", Text),
    Column("resume_mode", Text, nullable=False),
    Column("wait", LargeBinary),
    Column("wake_at", BigInteger),
    Column("joining", Text),
    Column("cancel_savepoint_id", Text),
    Column("options", LargeBinary),
    Column("priority", Integer, nullable=False, server_default="0"),
    Column("owner", Text),
    Column("is_orphan", Boolean, nullable=False, server_default=false()),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("ends_by", BigInteger),
    Column("held_back", Text),
    Column("archived_at", BigInteger),
    _one_of("status", Status),
    _one_of("type", ExecutionType),
    _one_of("resume_mode", ResumeMode),
    _one_of("wish", Wish),
    CheckConstraint(f"({_FINAL}) = (ended_at IS NOT NULL)", name="final_status_has_an_end"),
    CheckConstraint("status <> 'WAITING' OR wait IS NOT NULL", name="waiting_has_a_wait"),
    CheckConstraint("wake_at IS NULL OR status = 'WAITING'", name="only_waiting_has_a_timer"),
    CheckConstraint(
        "status <> 'RUNNING' OR "
        "(worker_id IS NOT NULL AND lease_until IS NOT NULL AND started_at IS NOT NULL)",
        name="running_is_claimed",
    ),
    CheckConstraint(
        f"NOT ({_FINAL}) OR (worker_id IS NULL AND lease_until IS NULL AND wish IS NULL)",
        name="ended_is_not_claimed",
    ),
    CheckConstraint("epoch >= 0 AND attempts >= 0", name="counts_are_not_negative"),
    CheckConstraint(
        "type <> 'FLOW' OR savepoint_id IS NOT NULL OR flow IS NOT NULL", name="flow_has_a_source"
    ),
    UniqueConstraint("creation_key"),
)
Index("ix_executions_parent_id", executions.c.parent_id, executions.c.id)
Index("ix_executions_status", executions.c.status, executions.c.id)
Index("ix_executions_flow", executions.c.flow, executions.c.id)
Index(
    "ix_executions_wake_at",
    executions.c.wake_at,
    sqlite_where=text("wake_at IS NOT NULL"),
    postgresql_where=text("wake_at IS NOT NULL"),
)
Index(
    "ix_executions_worker_id",
    executions.c.worker_id,
    sqlite_where=text("worker_id IS NOT NULL"),
    postgresql_where=text("worker_id IS NOT NULL"),
)


def _index_where(name: str, condition: str, *columns: Any) -> None:
    Index(name, *columns, sqlite_where=text(condition), postgresql_where=text(condition))


# The queue, in the order in which it is claimed.
_index_where(
    "ix_executions_queue",
    "status = 'QUEUED' AND held_back IS NULL",
    executions.c.priority.desc(),
    executions.c.id,
)
_index_where(
    "ix_executions_held_back",
    "held_back IS NOT NULL",
    executions.c.held_back,
    executions.c.priority.desc(),
    executions.c.id,
)
_index_where("ix_executions_ends_by", "ends_by IS NOT NULL", executions.c.ends_by)
_index_where(
    "ix_executions_to_archive", "archived_at IS NULL AND ended_at IS NOT NULL", executions.c.ended_at
)
Index("ix_executions_created_at", executions.c.created_at, executions.c.id)

# Who has begun under a limit and not ended: `name` is that of a flow or an owner, with its kind before it.
permits = Table(
    "permits",
    metadata,
    Column("name", Text, primary_key=True),
    Column("execution_id", Text, ForeignKey("executions.id", ondelete="CASCADE"), primary_key=True),
    Index("ix_permits_execution_id", "execution_id"),
)

settings = Table(
    "settings",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False),
    Column("version", Integer, nullable=False),
    Column("saved_at", BigInteger, nullable=False),
    Column("saved_by", Text),
    CheckConstraint("version >= 1", name="versions_count_from_1"),
)

# The lock of a setting, which need not exist; those that wait get it in the order of `number`.
locks = Table(
    "locks",
    metadata,
    Column("name", Text, primary_key=True),
    Column("execution_id", Text, ForeignKey("executions.id", ondelete="CASCADE"), nullable=False),
    Column("acquired_at", BigInteger, nullable=False),
    Index("ix_locks_execution_id", "execution_id"),
)
lock_waits = Table(
    "lock_waits",
    metadata,
    Column("number", _COUNTER, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False),
    Column("execution_id", Text, ForeignKey("executions.id", ondelete="CASCADE"), nullable=False),
    Index("ix_lock_waits_name", "name", "number"),
    UniqueConstraint("execution_id"),
    sqlite_autoincrement=True,
)

files = Table(
    "files",
    metadata,
    Column("name", Text, primary_key=True),
    Column("content", LargeBinary, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("saved_at", BigInteger, nullable=False),
    Column("saved_by", Text),
    CheckConstraint("size >= 0", name="size_is_not_negative"),
)

waits = Table(
    "waits",
    metadata,
    Column("execution_id", Text, ForeignKey("executions.id", ondelete="CASCADE"), primary_key=True),
    Column("awaited_id", Text, primary_key=True),
    CheckConstraint("execution_id <> awaited_id", name="nothing_waits_for_itself"),
    Index("ix_waits_awaited_id", "awaited_id"),
)

savepoints = Table(
    "savepoints",
    metadata,
    Column("id", Text, primary_key=True),
    Column("execution_id", Text, ForeignKey("executions.id", ondelete="CASCADE"), nullable=False),
    Column("parent_id", Text),
    Column("number", Integer, nullable=False),
    Column("name", Text),
    Column("kind", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("call", LargeBinary, nullable=False),
    Column("draft", LargeBinary, nullable=False),
    Column("manifest", LargeBinary, nullable=False),
    Column("chunks", LargeBinary, nullable=False),
    Column("effect_ids", LargeBinary, nullable=False),
    Column("exact", Boolean, nullable=False),
    Column("restores", Integer, nullable=False),
    Column("error", LargeBinary),
    Column("heard", LargeBinary),
    _one_of("kind", SavepointKind),
    CheckConstraint("number >= 1 AND restores >= 0", name="counts_are_not_negative"),
    CheckConstraint("parent_id IS NULL OR parent_id <> id", name="no_savepoint_is_its_own_parent"),
    UniqueConstraint("execution_id", "number"),
)
#: Of savepoints that forks begin with: they came from one of another execution.
BEGINS_A_FORK = "number = 1 AND parent_id IS NOT NULL"
Index(
    "ix_savepoints_of_forks",
    savepoints.c.parent_id,
    sqlite_where=text(BEGINS_A_FORK),
    postgresql_where=text(BEGINS_A_FORK),
)

log = Table(
    "log",
    metadata,
    Column("number", _COUNTER, primary_key=True, autoincrement=True),
    Column("execution_id", Text, ForeignKey("executions.id", ondelete="CASCADE"), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("level", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("fields", LargeBinary, nullable=False),
    _one_of("level", LogLevel),
    Index("ix_log_execution_id", "execution_id", "number"),
    sqlite_autoincrement=True,
)

# What is searched of an execution itself; `number` is its place in the index (search.py).
searchable = Table(
    "searchable",
    metadata,
    Column("number", _COUNTER, primary_key=True, autoincrement=True),
    Column("execution_id", Text, ForeignKey("executions.id", ondelete="CASCADE"), nullable=False),
    Column("text", Text, nullable=False),
    UniqueConstraint("execution_id"),
    sqlite_autoincrement=True,
)

cell_outputs = Table(
    "cell_outputs",
    metadata,
    Column("execution_id", Text, ForeignKey("executions.id", ondelete="CASCADE"), primary_key=True),
    Column("cell", Integer, primary_key=True),
    Column("content", LargeBinary, nullable=False),
    CheckConstraint("cell >= 0", name="cells_count_from_0"),
)

chunks = Table(
    "chunks",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("content", LargeBinary, nullable=False),
    Column("condemned_at", BigInteger),
)
Index(
    "ix_chunks_condemned_at",
    chunks.c.condemned_at,
    sqlite_where=text("condemned_at IS NOT NULL"),
    postgresql_where=text("condemned_at IS NOT NULL"),
)

changes = Table(
    "changes",
    metadata,
    Column("seq", _COUNTER, primary_key=True, autoincrement=True),
    Column("kind", Text, nullable=False),
    Column("execution_id", Text, nullable=False),
    Column("parent_id", Text),
    CheckConstraint("kind IN ('execution', 'savepoint', 'log')", name="kind_is_known"),
    sqlite_autoincrement=True,
)

workers = Table(
    "workers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("process", Text, nullable=False),
    Column("slots", Integer, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
)
