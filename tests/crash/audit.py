"""Every claim and end of every execution, written down by the database itself.

A trigger keeps each state that an execution ever had, whoever wrote it, so that what must never be is seen
even if it lasted a millisecond.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import DBAPIError

_TABLE = """
CREATE TABLE audit (
    number {counter}, id TEXT, status TEXT, epoch BIGINT, worker_id TEXT, was_final BOOLEAN, old_epoch BIGINT
)
"""
_INSERT = """
INSERT INTO audit (id, status, epoch, worker_id, was_final, old_epoch)
VALUES (NEW.id, NEW.status, NEW.epoch, NEW.worker_id, OLD.ended_at IS NOT NULL, OLD.epoch);
"""
_SQLITE = f"CREATE TRIGGER audit AFTER UPDATE ON executions BEGIN {_INSERT} END"
_POSTGRESQL = (
    f"CREATE FUNCTION audit() RETURNS trigger AS $$ BEGIN {_INSERT} RETURN NEW; END $$ LANGUAGE plpgsql",
    "CREATE TRIGGER audit AFTER UPDATE ON executions FOR EACH ROW EXECUTE FUNCTION audit()",
)
_TABLES_CHECKED = """
SELECT relname, blkno, offnum, msg FROM pg_class, LATERAL verify_heapam(pg_class.oid)
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
"""
_INDEXES = """
SELECT relname AS name FROM pg_class JOIN pg_am ON pg_am.oid = relam
WHERE relkind = 'i' AND amname = 'btree' AND relnamespace = 'public'::regnamespace
"""


class Audit:
    """Of the store at `url`, whose tables are there already."""

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        self._engine: Engine = create_engine(
            parsed if self.is_sqlite else parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True
        )
        counter = "INTEGER PRIMARY KEY AUTOINCREMENT" if self.is_sqlite else "BIGSERIAL PRIMARY KEY"
        with self._engine.begin() as connection:
            for statement in (
                _TABLE.format(counter=counter),
                *((_SQLITE,) if self.is_sqlite else _POSTGRESQL),
            ):
                connection.exec_driver_sql(statement)

    def rows(self, statement: str) -> Sequence[Any]:
        with self._engine.connect() as connection:
            return connection.execute(text(statement)).fetchall()

    def violations(self) -> list[str]:
        """What must never have been, and was."""
        twice_held = self.rows(
            "SELECT id, epoch, count(DISTINCT worker_id) AS holders FROM audit WHERE status = 'RUNNING' "
            "GROUP BY id, epoch HAVING count(DISTINCT worker_id) > 1"
        )
        gone_back = self.rows("SELECT id, old_epoch, epoch FROM audit WHERE epoch < old_epoch")
        # Only a restore takes an execution out of its end, and it takes a new epoch.
        revived = self.rows(
            "SELECT id, status FROM audit WHERE was_final AND epoch = old_epoch AND status NOT LIKE 'ENDED%'"
        )
        return [
            *(f"{row.holders} workers held {row.id} with epoch {row.epoch}" for row in twice_held),
            *(f"the epoch of {row.id} went from {row.old_epoch} back to {row.epoch}" for row in gone_back),
            *(f"execution {row.id} had ended and was {row.status} afterwards" for row in revived),
            *self._broken(),
        ]

    def _broken(self) -> list[str]:
        """What the database itself finds wrong with its files, and rows that refer to nothing."""
        found = []
        if self.is_sqlite:
            found += [f"integrity: {row[0]}" for row in self.rows("PRAGMA integrity_check") if row[0] != "ok"]
            found += [f"foreign key: {tuple(row)}" for row in self.rows("PRAGMA foreign_key_check")]
        else:
            found += self._corrupted()
        checks = {
            "a child without its parent": "SELECT id FROM executions WHERE parent_id IS NOT NULL "
            "AND parent_id NOT IN (SELECT id FROM executions)",
            "an execution at a savepoint that is not there": "SELECT id FROM executions WHERE savepoint_id "
            "IS NOT NULL AND savepoint_id NOT IN (SELECT id FROM savepoints)",
            "a savepoint without the one before it": "SELECT id FROM savepoints WHERE parent_id IS NOT NULL "
            "AND parent_id NOT IN (SELECT id FROM savepoints)",
            "a flow without its version": "SELECT id FROM executions WHERE flow_version IS NOT NULL "
            "AND flow_version NOT IN (SELECT digest FROM flow_versions)",
            "a wait of one that has ended": "SELECT execution_id FROM waits JOIN executions ON "
            "executions.id = waits.execution_id WHERE ended_at IS NOT NULL",
        }
        for what, statement in checks.items():
            found += [f"{what}: {row[0]}" for row in self.rows(statement)]
        return found

    def _corrupted(self) -> list[str]:
        """What PostgreSQL's amcheck says of each table, and of each index and the rows that it must hold."""
        with self._engine.begin() as connection:
            connection.exec_driver_sql("CREATE EXTENSION IF NOT EXISTS amcheck")
        found = [f"integrity: {tuple(row)}" for row in self.rows(_TABLES_CHECKED)]
        indexes = [row.name for row in self.rows(_INDEXES)]
        assert len(indexes) > 20, indexes
        for index in indexes:
            try:
                self.rows(f"SELECT bt_index_parent_check('{index}', true)")
            except DBAPIError as error:
                found.append(f"integrity: index {index}: {error.orig}")
        return found

    def close(self) -> None:
        self._engine.dispose()
