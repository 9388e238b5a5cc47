"""Chunks that nothing refers to are condemned first and removed later."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # For a while stores were made that have this and say that they are of 0003.
    if "condemned_at" in {column["name"] for column in sa.inspect(op.get_bind()).get_columns("chunks")}:
        return
    op.add_column("chunks", sa.Column("condemned_at", sa.BigInteger()))
    condition = sa.text("condemned_at IS NOT NULL")
    op.create_index(
        "ix_chunks_condemned_at",
        "chunks",
        ["condemned_at"],
        sqlite_where=condition,
        postgresql_where=condition,
    )
