"""Search in name, flow, message, inputs and log."""

import sqlalchemy as sa
from alembic import op

from jupyter_flows.store import search

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "searchable",
        sa.Column(
            "number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("execution_id", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["execution_id"], ["executions.id"], name=op.f("fk_searchable_execution_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_searchable")),
        sa.UniqueConstraint("execution_id", name=op.f("uq_searchable_execution_id")),
        sqlite_autoincrement=True,
    )
    search.make_index(op.get_bind())
    search.fill(op.get_bind())
