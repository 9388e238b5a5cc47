"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "changes",
        sa.Column(
            "seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("execution_id", sa.Text(), nullable=False),
        sa.Column("parent_id", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('execution', 'savepoint', 'log')", name=op.f("ck_changes_kind_is_known")
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_changes")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "chunks",
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_chunks")),
    )
    op.create_table(
        "executions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("flow", sa.Text(), nullable=True),
        sa.Column("flow_version", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("directory", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("wish", sa.Text(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("inputs", sa.LargeBinary(), nullable=False),
        sa.Column("outputs", sa.LargeBinary(), nullable=False),
        sa.Column("parent_id", sa.Text(), nullable=True),
        sa.Column("creation_key", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.LargeBinary(), nullable=True),
        sa.Column("worker_id", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("savepoint_id", sa.Text(), nullable=True),
        sa.Column("resume_mode", sa.Text(), nullable=False),
        sa.Column("wait", sa.LargeBinary(), nullable=True),
        sa.Column("wake_at", sa.BigInteger(), nullable=True),
        sa.Column("joining", sa.Text(), nullable=True),
        sa.Column("cancel_savepoint_id", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(status LIKE 'ENDED%') = (ended_at IS NOT NULL)",
            name=op.f("ck_executions_final_status_has_an_end"),
        ),
        sa.CheckConstraint(
            "NOT (status LIKE 'ENDED%') OR (worker_id IS NULL AND lease_until IS NULL AND wish IS NULL)",
            name=op.f("ck_executions_ended_is_not_claimed"),
        ),
        sa.CheckConstraint(
            "resume_mode IN ('JOIN', 'AGAIN')", name=op.f("ck_executions_resume_mode_is_known")
        ),
        sa.CheckConstraint(
            "status <> 'RUNNING' OR "
            "(worker_id IS NOT NULL AND lease_until IS NOT NULL AND started_at IS NOT NULL)",
            name=op.f("ck_executions_running_is_claimed"),
        ),
        sa.CheckConstraint(
            "status <> 'WAITING' OR wait IS NOT NULL", name=op.f("ck_executions_waiting_has_a_wait")
        ),
        sa.CheckConstraint(
            "status IN ('QUEUED', 'RUNNING', 'WAITING', 'PAUSED', "
            "'ENDED_SUCCESS', 'ENDED_ERROR', 'ENDED_CANCELLED')",
            name=op.f("ck_executions_status_is_known"),
        ),
        sa.CheckConstraint(
            "type <> 'FLOW' OR savepoint_id IS NOT NULL OR flow IS NOT NULL",
            name=op.f("ck_executions_flow_has_a_source"),
        ),
        sa.CheckConstraint(
            "type IN ('FLOW', 'CONNECTION', 'NOTEBOOK')", name=op.f("ck_executions_type_is_known")
        ),
        sa.CheckConstraint(
            "wake_at IS NULL OR status = 'WAITING'", name=op.f("ck_executions_only_waiting_has_a_timer")
        ),
        sa.CheckConstraint("wish IN ('CANCEL', 'PAUSE')", name=op.f("ck_executions_wish_is_known")),
        sa.CheckConstraint(
            "epoch >= 0 AND attempts >= 0", name=op.f("ck_executions_counts_are_not_negative")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_executions")),
        sa.UniqueConstraint("creation_key", name=op.f("uq_executions_creation_key")),
    )
    op.create_index("ix_executions_flow", "executions", ["flow", "id"], unique=False)
    op.create_index("ix_executions_parent_id", "executions", ["parent_id", "id"], unique=False)
    op.create_index("ix_executions_status", "executions", ["status", "id"], unique=False)
    op.create_index(
        "ix_executions_wake_at",
        "executions",
        ["wake_at"],
        unique=False,
        sqlite_where=sa.text("wake_at IS NOT NULL"),
        postgresql_where=sa.text("wake_at IS NOT NULL"),
    )
    op.create_index(
        "ix_executions_worker_id",
        "executions",
        ["worker_id"],
        unique=False,
        sqlite_where=sa.text("worker_id IS NOT NULL"),
        postgresql_where=sa.text("worker_id IS NOT NULL"),
    )
    op.create_table(
        "flow_versions",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("flow", sa.Text(), nullable=False),
        sa.Column("source", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("digest", "flow", name=op.f("pk_flow_versions")),
    )
    op.create_table(
        "workers",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("process", sa.Text(), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workers")),
    )
    op.create_table(
        "cell_outputs",
        sa.Column("execution_id", sa.Text(), nullable=False),
        sa.Column("cell", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("cell >= 0", name=op.f("ck_cell_outputs_cells_count_from_0")),
        sa.ForeignKeyConstraint(
            ["execution_id"], ["executions.id"], name=op.f("fk_cell_outputs_execution_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("execution_id", "cell", name=op.f("pk_cell_outputs")),
    )
    op.create_table(
        "log",
        sa.Column(
            "number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("execution_id", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("fields", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(
            "level IN ('debug', 'info', 'warning', 'error')", name=op.f("ck_log_level_is_known")
        ),
        sa.ForeignKeyConstraint(
            ["execution_id"], ["executions.id"], name=op.f("fk_log_execution_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_log")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_log_execution_id", "log", ["execution_id", "number"], unique=False)
    op.create_table(
        "savepoints",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("execution_id", sa.Text(), nullable=False),
        sa.Column("parent_id", sa.Text(), nullable=True),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("call", sa.LargeBinary(), nullable=False),
        sa.Column("draft", sa.LargeBinary(), nullable=False),
        sa.Column("manifest", sa.LargeBinary(), nullable=False),
        sa.Column("chunks", sa.LargeBinary(), nullable=False),
        sa.Column("effect_ids", sa.LargeBinary(), nullable=False),
        sa.Column("exact", sa.Boolean(), nullable=False),
        sa.Column("restores", sa.Integer(), nullable=False),
        sa.Column("error", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint("kind IN ('IMPLICIT', 'NAMED', 'CELL')", name=op.f("ck_savepoints_kind_is_known")),
        sa.CheckConstraint(
            "number >= 1 AND restores >= 0", name=op.f("ck_savepoints_counts_are_not_negative")
        ),
        sa.CheckConstraint(
            "parent_id IS NULL OR parent_id <> id", name=op.f("ck_savepoints_no_savepoint_is_its_own_parent")
        ),
        sa.ForeignKeyConstraint(
            ["execution_id"], ["executions.id"], name=op.f("fk_savepoints_execution_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_savepoints")),
        sa.UniqueConstraint("execution_id", "number", name=op.f("uq_savepoints_execution_id_number")),
    )
    op.create_table(
        "waits",
        sa.Column("execution_id", sa.Text(), nullable=False),
        sa.Column("awaited_id", sa.Text(), nullable=False),
        sa.CheckConstraint("execution_id <> awaited_id", name=op.f("ck_waits_nothing_waits_for_itself")),
        sa.ForeignKeyConstraint(
            ["execution_id"], ["executions.id"], name=op.f("fk_waits_execution_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("execution_id", "awaited_id", name=op.f("pk_waits")),
    )
    op.create_index("ix_waits_awaited_id", "waits", ["awaited_id"], unique=False)
