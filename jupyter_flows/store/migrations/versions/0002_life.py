"""Options and limits of executions; settings, locks and files."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column in (
        sa.Column("options", sa.LargeBinary()),
        sa.Column("priority", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("owner", sa.Text()),
        sa.Column("is_orphan", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("failures", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("ends_by", sa.BigInteger()),
        sa.Column("held_back", sa.Text()),
        sa.Column("archived_at", sa.BigInteger()),
    ):
        op.add_column("executions", column)
    _index("queue", "status = 'QUEUED' AND held_back IS NULL", sa.text("priority DESC"), "id")
    _index("held_back", "held_back IS NOT NULL", "held_back", sa.text("priority DESC"), "id")
    _index("ends_by", "ends_by IS NOT NULL", "ends_by")
    _index("to_archive", "archived_at IS NULL AND ended_at IS NOT NULL", "ended_at")
    op.create_index("ix_executions_created_at", "executions", ["created_at", "id"])
    op.create_table(
        "permits",
        sa.Column("name", sa.Text(), nullable=False),
        _execution_id("permits"),
        sa.PrimaryKeyConstraint("name", "execution_id", name=op.f("pk_permits")),
    )
    op.create_index("ix_permits_execution_id", "permits", ["execution_id"])
    op.create_table(
        "settings",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("saved_at", sa.BigInteger(), nullable=False),
        sa.Column("saved_by", sa.Text()),
        sa.CheckConstraint("version >= 1", name=op.f("ck_settings_versions_count_from_1")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_settings")),
    )
    op.create_table(
        "locks",
        sa.Column("name", sa.Text(), nullable=False),
        _execution_id("locks"),
        sa.Column("acquired_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_locks")),
    )
    op.create_index("ix_locks_execution_id", "locks", ["execution_id"])
    op.create_table(
        "lock_waits",
        sa.Column(
            "number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("name", sa.Text(), nullable=False),
        _execution_id("lock_waits"),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_lock_waits")),
        sa.UniqueConstraint("execution_id", name=op.f("uq_lock_waits_execution_id")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_lock_waits_name", "lock_waits", ["name", "number"])
    op.create_table(
        "files",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("saved_at", sa.BigInteger(), nullable=False),
        sa.Column("saved_by", sa.Text()),
        sa.CheckConstraint("size >= 0", name=op.f("ck_files_size_is_not_negative")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_files")),
    )


def _index(name: str, condition: str, *columns: str | sa.TextClause) -> None:
    op.create_index(
        f"ix_executions_{name}",
        "executions",
        list(columns),
        sqlite_where=sa.text(condition),
        postgresql_where=sa.text(condition),
    )


def _execution_id(table: str) -> sa.Column[str]:
    reference = sa.ForeignKey("executions.id", name=op.f(f"fk_{table}_execution_id"), ondelete="CASCADE")
    return sa.Column("execution_id", sa.Text(), reference, nullable=False)
