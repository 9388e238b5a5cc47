"""The savepoints that forks begin with are found by where they came from."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    is_one = sa.text("number = 1 AND parent_id IS NOT NULL")
    op.create_index(
        "ix_savepoints_of_forks", "savepoints", ["parent_id"], sqlite_where=is_one, postgresql_where=is_one
    )
